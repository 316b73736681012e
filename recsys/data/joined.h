#pragma once

#include <string>

namespace tapestry::recsys {

/// The texts of a range, one after the other, with `separator` between them.
std::string joined(const auto& texts, const char* separator = ", ") {
  std::string all;
  bool first = true;
  for (const auto& text : texts) {
    if (!first) all += separator;
    all += text;
    first = false;
  }
  return all;
}

}  // namespace tapestry::recsys
