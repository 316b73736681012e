#pragma once

#include <limits>

#include "tensor/cuda/reduce.cuh"
#include "tensor/kernels.h"

/// What the softmax kernels share, one row at a time, by all threads of a block (tensor/cpu/softmax_math.h is the twin).
namespace tapestry::cuda {

/// log sum exp of value(col) over the columns of a row. A row with a NaN gives NaN, another with an infinity infinity, and one of
/// nothing but -infinity that.
template <typename T, typename Value>
__device__ T log_sum_exp(std::int64_t cols, const Value& value) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  T largest = -kInfinity;
  for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) largest = Largest()(largest, value(col));
  largest = block_reduce(largest, Largest());
  T shift = largest;
  if (!(largest > -kInfinity && largest < kInfinity)) shift = T(0);  // the exponentials below say what becomes of it
  T total = 0;
  for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) total += scalar::exp(value(col) - shift);
  total = block_reduce(total, Add());
  return shift + scalar::log(total);
}

template <typename T>
__device__ T value_at(const CsrView<T>& x, std::int64_t at) {
  return x.values == nullptr ? T(1) : x.values[at];
}

/// Sum of value(position) over the stored entries of a row.
template <typename T, typename Value>
__device__ T sum_entries(const CsrView<T>& x, std::int64_t row, const Value& value) {
  T total = 0;
  for (std::int64_t at = x.offsets[row] + threadIdx.x; at < x.offsets[row + 1]; at += blockDim.x) total += value(at);
  return block_reduce(total, Add());
}

/// Sum of a target row's values: its entry count when all are one.
template <typename T>
__device__ T row_weight(const CsrView<T>& x, std::int64_t row) {
  if (x.values == nullptr) return static_cast<T>(x.offsets[row + 1] - x.offsets[row]);
  return sum_entries(x, row, [&](std::int64_t at) { return x.values[at]; });
}

/// The loss of one row from its log sum exp and sum_i x_ri logits[r, i]; nothing for a user without items.
template <typename T>
__device__ T row_loss(const CsrView<T>& target, std::int64_t row, T weight, T lse, T hit) {
  return target.offsets[row] == target.offsets[row + 1] ? T(0) : weight * lse - hit;
}

}  // namespace tapestry::cuda
