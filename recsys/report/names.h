#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace tapestry::recsys {

/// The different values of a member of a range's items, in the order in which they come.
template <typename Range, typename Item>
std::vector<std::string> names_of(const Range& items, std::string Item::*member) {
  std::vector<std::string> names;
  for (const Item& item : items) {
    if (std::find(names.begin(), names.end(), item.*member) == names.end()) names.push_back(item.*member);
  }
  return names;
}

/// Whether a generator's name is that of F- or M-SDRM.
inline bool is_sdrm(const std::string& generator) { return generator == "f-sdrm" || generator == "m-sdrm"; }

}  // namespace tapestry::recsys
