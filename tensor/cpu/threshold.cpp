#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "tensor/cpu/loops.h"
#include "tensor/kernels.h"
#include "tensor/ordered_key.h"

namespace tapestry {
namespace {

/// body(chunk, begin, end) over [0, n) in chunks of kSelectChunk.
template <typename Body>
void for_select_chunks(std::int64_t n, const Body& body) {
#pragma omp parallel for schedule(static) if (n >= kParallelElements)
  for (std::int64_t chunk = 0; chunk < select_chunks(n); ++chunk) {
    body(chunk, chunk * kSelectChunk, std::min(n, (chunk + 1) * kSelectChunk));
  }
}

}  // namespace

template <typename T>
void CpuKernels<T>::smallest(std::int64_t n, const T* x, T* y) {
  T least = std::numeric_limits<T>::infinity();
#pragma omp simd reduction(min : least)
  for (std::int64_t i = 0; i < n; ++i) least = x[i] < least ? x[i] : least;  // NaN is not less
  *y = least;
}

template <typename T>
void CpuKernels<T>::first_not_finite(std::int64_t n, const T* x, std::int64_t* at) {
  bool finite = true;
  for (std::int64_t i = 0; i < n; ++i) finite &= std::abs(x[i]) <= std::numeric_limits<T>::max();
  *at = finite ? n : std::find_if(x, x + n, [](T value) { return !std::isfinite(value); }) - x;
}

template <typename T>
void CpuKernels<T>::count_at_least(std::int64_t n, const T* x, T sign, T bound, std::int64_t* starts) {
  for_select_chunks(n, [=](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
    int count = 0;
    for (std::int64_t i = begin; i < end; ++i) count += sign * x[i] >= bound ? 1 : 0;
    starts[chunk] = count;
  });
  std::int64_t before = 0;
  for (std::int64_t chunk = 0; chunk < select_chunks(n); ++chunk) before += std::exchange(starts[chunk], before);
  starts[select_chunks(n)] = before;
}

template <typename T>
void CpuKernels<T>::take_at_least(std::int64_t n, const T* x, T sign, T bound, const std::int64_t* starts,
                                  const std::int64_t* from, std::int64_t first, T* values, std::int64_t* places) {
  for_select_chunks(n, [=](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
    std::int64_t to = starts[chunk];
    for (std::int64_t i = begin; to < starts[chunk + 1] && i < end; ++i) {
      const T value = sign * x[i];
      if (!(value >= bound)) continue;
      if (values != nullptr) values[to] = value;
      places[to++] = from == nullptr ? first + i : from[i];
    }
  });
}

// By digits of the key, the highest first: of the keys that share those found so far, how many have each next digit? Digits of
// eight bits, whose counts a thread of the host keeps in cache.
template <typename T>
void CpuKernels<T>::kth_largest(std::int64_t n, const T* x, std::int64_t k, T* y, std::int64_t* /*workspace*/) {
  using Key = OrderedKey<T>;
  constexpr int kBits = 8;
  Key prefix = 0;
  std::int64_t rank = k;  // among the keys that share the prefix
  for (int shift = 8 * static_cast<int>(sizeof(T)) - kBits; shift >= 0; shift -= kBits) {
    std::array<std::int64_t, 1 << kBits> counts = {};
    for (std::int64_t i = 0; i < n; ++i) {
      const Key key = ordered_key(x[i]);
      if ((key ^ prefix) >> shift >> kBits == 0) ++counts[(key >> shift) % counts.size()];
    }
    std::size_t digit = counts.size() - 1;
    while (digit > 0 && rank > counts[digit]) rank -= counts[digit--];
    prefix |= static_cast<Key>(digit) << shift;
  }
  *y = from_ordered_key<T>(prefix);
}

template <typename T>
void CpuKernels<T>::places_to_csr(std::int64_t rows, std::int64_t cols, std::int64_t n, const std::int64_t* places,
                                  std::int64_t* offsets, std::int32_t* columns) {
  std::int64_t at = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    offsets[row] = at;
    for (; at < n && places[at] < (row + 1) * cols; ++at) columns[at] = static_cast<std::int32_t>(places[at] - row * cols);
  }
  offsets[rows] = at;
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
