#pragma once

#include <span>
#include <string>
#include <vector>

#include "recsys/report/table.h"

namespace tapestry::recsys {

/// Lines for combinations that are not finished, those alike in one: "ml-1m mlp replace ctgan: 2 of 5 units finished", "ml-1m mlp
/// augment, replace f-sdrm, m-sdrm: 0 of 5 units finished each".
std::vector<std::string> unfinished_lines(std::span<const Unfinished> unfinished);

}  // namespace tapestry::recsys
