#include "apps/failures.h"

#include <algorithm>
#include <iostream>

namespace tapestry::apps {

int print_failures(std::span<const recsys::Failure> failures) {
  constexpr int kFiguresFailed = 5;
  constexpr std::size_t kMost = 10;
  if (failures.empty()) return 0;
  std::cout << "\nFailed, and not tried again:\n";
  for (const recsys::Failure& failure : failures.first(std::min(kMost, failures.size()))) {
    std::cout << "  " << failure.unit << ": " << failure.reason << "\n";
  }
  if (failures.size() > kMost) std::cout << "  and " << failures.size() - kMost << " more, which the reports name\n";
  return kFiguresFailed;
}

}  // namespace tapestry::apps
