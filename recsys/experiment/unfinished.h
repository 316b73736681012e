#pragma once

#include <span>
#include <string>
#include <vector>

namespace tapestry::recsys {

/// A combination that cannot be reported, since not all of its units are finished.
struct Unfinished {
  std::string dataset, recommender, setting, generator;
  int finished = 0;  ///< of `asked` units
  int asked = 0;
};

/// Lines for them, those alike in one: "ml-1m mlp replace ctgan: 2 of 5 units finished", "ml-1m mlp augment, replace f-sdrm,
/// m-sdrm: 0 of 5 units finished each".
std::vector<std::string> unfinished_lines(std::span<const Unfinished> unfinished);

}  // namespace tapestry::recsys
