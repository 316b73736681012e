#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tensor/kernels.h"

/// What the softmax kernels share, one row at a time.
namespace tapestry {

template <typename T>
inline T row_max(std::int64_t cols, const T* x) {
  T largest = x[0];
#pragma omp simd reduction(max : largest)
  for (std::int64_t col = 0; col < cols; ++col) largest = x[col] > largest ? x[col] : largest;
  return largest;
}

/// x = exp(x - shift); returns the sum.
template <typename T>
inline T exponentiate(std::int64_t cols, T shift, T* x) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (std::int64_t col = 0; col < cols; ++col) total += x[col] = scalar::exp(x[col] - shift);
  return total;
}

/// log sum exp x. A row with a NaN gives NaN, another with an infinity infinity, and one of nothing but -infinity that.
template <typename T>
inline T log_sum_exp(std::int64_t cols, const T* x) {
  T largest = row_max(cols, x);
  if (!(std::abs(largest) < std::numeric_limits<T>::infinity())) largest = 0;  // the exponentials say what becomes of it
  // Piece by piece: one float32 sum over tens of thousands of items would lose three digits.
  constexpr std::int64_t kPiece = 512;
  double total = 0;
  for (std::int64_t begin = 0; begin < cols; begin += kPiece) {
    T piece = 0;
#pragma omp simd reduction(+ : piece)
    for (std::int64_t col = begin; col < std::min(cols, begin + kPiece); ++col) piece += scalar::exp(x[col] - largest);
    total += static_cast<double>(piece);
  }
  return largest + scalar::log(static_cast<T>(total));
}

/// A stored value of a sparse matrix.
template <typename T>
inline T value_at(const CsrView<T>& x, std::int64_t at) {
  return x.values == nullptr ? T(1) : x.values[at];
}

/// Sum of a target row's values: its entry count when all are one.
template <typename T>
inline T row_weight(const CsrView<T>& x, std::int64_t row) {
  if (x.values == nullptr) return static_cast<T>(x.offsets[row + 1] - x.offsets[row]);
  T total = 0;
  for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) total += x.values[at];
  return total;
}

/// The loss of one row from its log sum exp and sum_i x_ri logits[r, i]; nothing for a user without items.
template <typename T>
inline T row_loss(const CsrView<T>& target, std::int64_t row, T lse, T hit) {
  const bool empty = target.offsets[row] == target.offsets[row + 1];
  return empty ? T(0) : row_weight(target, row) * lse - hit;
}

}  // namespace tapestry
