#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

/// For tests of pages and charts.
namespace tapestry::recsys::tests {

/// "" for markup whose elements are closed in order and whose quotes and brackets are paired, else what is wrong.
inline std::string markup_fault(const std::string& text) {
  static const std::set<std::string> void_elements = {"meta", "!DOCTYPE"};
  std::vector<std::string> open;
  std::set<std::string> ids;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return "no > behind " + text.substr(at, 40);
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "unpaired quote in <" + tag + ">";
    const bool closes = tag[0] == '/';
    const std::string name = tag.substr(closes ? 1 : 0, tag.find_first_of(" /", closes ? 1 : 0) - (closes ? 1 : 0));
    if (const std::size_t id = tag.find(" id=\""); id != std::string::npos) {
      if (!ids.insert(tag.substr(id + 5, tag.find('"', id + 5) - id - 5)).second) return "repeated id in <" + tag + ">";
    }
    if (closes) {
      if (open.empty() || open.back() != name) return "<" + tag + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (tag.back() != '/' && void_elements.count(name) == 0) {
      open.push_back(name);
      if (name == "style") at = text.find("</style", at) - 1;  // no markup inside
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

inline std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace tapestry::recsys::tests
