#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "tensor/random.h"

namespace tapestry::sdrm {

/// An order of 0..count-1 written over `order`, by Fisher & Yates from the top: place n - 1 is swapped with place below(n) for
/// n = count, ..., 2. `below(n)` draws from 0..n-1.
template <typename Below>
void shuffle_by(std::int64_t count, std::vector<std::int32_t>& order, const Below& below) {
  order.resize(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t n = order.size(); n > 1; --n) std::swap(order[n - 1], order[below(static_cast<std::uint32_t>(n))]);
}

/// The same from a stream: the rows of one epoch.
inline void shuffle_rows(std::int64_t count, const RandomStream& stream, std::vector<std::int32_t>& order) {
  RandomSequence random(stream);
  shuffle_by(count, order, [&](std::uint32_t bound) { return random.below(bound); });
}

}  // namespace tapestry::sdrm
