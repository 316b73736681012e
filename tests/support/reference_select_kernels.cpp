#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/support/reference_kernels.h"

namespace tapestry::tests {
namespace {

/// The columns of a row, larger numbers first, NaN last, ties by column.
template <typename T>
std::vector<std::int32_t> sorted_columns(std::int64_t cols, const T* x) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(cols));
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](std::int32_t col) {
    return std::isnan(x[col]) ? std::pair(1, 0.0) : std::pair(0, -static_cast<double>(x[col]));
  };
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return rank(a) < rank(b); });
  return order;
}

}  // namespace

template <typename T>
void ReferenceKernels<T>::rank_rows(const CsrView<T>& masked, const T* x, std::int64_t k, T*, std::int32_t* index) {
  std::fill_n(index, masked.rows * k, -1);
  for (std::int64_t row = 0; row < masked.rows; ++row) {
    std::vector<bool> stored(static_cast<std::size_t>(masked.cols));
    for (std::int64_t at = masked.offsets[row]; at < masked.offsets[row + 1]; ++at) {
      stored[static_cast<std::size_t>(masked.columns[at])] = true;
    }
    std::int64_t rank = 0;
    for (const std::int32_t col : sorted_columns(masked.cols, x + row * masked.cols)) {
      if (!stored[static_cast<std::size_t>(col)] && rank < k) index[row * k + rank++] = col;
    }
  }
}

template <typename T>
void ReferenceKernels<T>::top_lengths_rows(std::int64_t rows, std::int64_t cols, const T* x, const std::int64_t* offsets,
                                           std::int32_t* columns) {
  for (std::int64_t row = 0; row < rows; ++row) {
    std::copy_n(sorted_columns(cols, x + row * cols).begin(), offsets[row + 1] - offsets[row], columns + offsets[row]);
    std::sort(columns + offsets[row], columns + offsets[row + 1]);
  }
}

template <typename T>
void ReferenceKernels<T>::first_not_finite(std::int64_t n, const T* x, std::int64_t* at) {
  *at = 0;
  while (*at < n && std::isfinite(x[*at])) ++*at;
}

template <typename T>
void ReferenceKernels<T>::smallest(std::int64_t n, const T* x, T* y) {
  *y = std::numeric_limits<T>::infinity();
  for (std::int64_t i = 0; i < n; ++i) {
    if (!std::isnan(x[i]) && x[i] < *y) *y = x[i];
  }
}

template <typename T>
void ReferenceKernels<T>::count_at_least(std::int64_t n, const T* x, T sign, T bound, std::int64_t* starts) {
  std::fill_n(starts, select_chunks(n) + 1, 0);
  for (std::int64_t i = 0; i < n; ++i) {
    if (!(sign * x[i] >= bound)) continue;
    for (std::int64_t later = i / kSelectChunk + 1; later <= select_chunks(n); ++later) ++starts[later];
  }
}

template <typename T>
void ReferenceKernels<T>::take_at_least(std::int64_t n, const T* x, T sign, T bound, const std::int64_t*,
                                        const std::int64_t* from, std::int64_t first, T* values, std::int64_t* places) {
  for (std::int64_t i = 0; i < n; ++i) {
    if (!(sign * x[i] >= bound)) continue;
    if (values != nullptr) *values++ = sign * x[i];
    *places++ = from == nullptr ? first + i : from[i];
  }
}

template <typename T>
void ReferenceKernels<T>::kth_largest(std::int64_t n, const T* x, std::int64_t k, T* y, std::int64_t*) {
  std::vector<T> sorted(x, x + n);
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  *y = sorted[static_cast<std::size_t>(k - 1)];
}

template <typename T>
void ReferenceKernels<T>::places_to_csr(std::int64_t rows, std::int64_t cols, std::int64_t n, const std::int64_t* places,
                                        std::int64_t* offsets, std::int32_t* columns) {
  std::fill_n(offsets, rows + 1, 0);
  for (std::int64_t i = 0; i < n; ++i) {
    columns[i] = static_cast<std::int32_t>(places[i] % cols);
    for (std::int64_t row = places[i] / cols; row < rows; ++row) ++offsets[row + 1];
  }
}

template struct ReferenceKernels<float>;
template struct ReferenceKernels<double>;

}  // namespace tapestry::tests
