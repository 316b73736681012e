#include "recsys/experiment/unit_pattern.h"

#include <algorithm>

#include "tensor/error.h"

namespace tapestry::recsys {

bool matches(std::string_view pattern, std::string_view text) {
  // The last star may always take one character more, and no earlier one has to: whatever an earlier star could let go, the later
  // one can skip.
  std::size_t p = 0, t = 0;
  std::size_t behind_star = std::string_view::npos, retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      behind_star = ++p;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (behind_star != std::string_view::npos) {
      p = behind_star;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches_any(std::span<const std::string> patterns, std::string_view text) {
  return patterns.empty() ||
         std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return matches(pattern, text); });
}

void check_patterns(std::span<const std::string> patterns, std::span<const std::string> texts) {
  constexpr std::size_t kShown = 4;
  for (const std::string& pattern : patterns) {
    if (std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return matches(pattern, text); })) continue;
    std::string some;
    const std::size_t shown = std::min(kShown, texts.size());  // from the whole list, so that they differ in more than the run
    for (std::size_t n = 0; n < shown; ++n) some += (n == 0 ? "" : ", ") + texts[n * texts.size() / shown];
    fail(ErrorKind::kUsage, "--only '", pattern, "' matches none of the ", texts.size(), " units that were asked for, such as ",
         some);
  }
}

}  // namespace tapestry::recsys
