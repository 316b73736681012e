#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "tensor/random.h"

namespace tapestry::sdrm {

/// A random order of 0..count-1 (Fisher & Yates) written over `order`: the rows of one epoch.
inline void shuffle_rows(std::int64_t count, const RandomStream& stream, std::vector<std::int32_t>& order) {
  order.resize(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  RandomSequence random(stream);
  for (std::size_t last = order.size(); last > 1; --last) {
    std::swap(order[last - 1], order[random.below(static_cast<std::uint32_t>(last))]);
  }
}

}  // namespace tapestry::sdrm
