#include "tensor/cuda/launch.cuh"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

using cuda::for_each;
using cuda::kThreads;
using cuda::place_of;

/// offsets[i + 1] = sum of the lengths of rows index[0..i], by one block: every thread adds up a stretch of rows, then what all
/// threads before it found.
__global__ void __launch_bounds__(kThreads)
    row_starts_kernel(std::int64_t n, const std::int64_t* from, const std::int32_t* index, std::int64_t* offsets) {
  __shared__ std::int64_t of_thread[kThreads];
  const std::int64_t stretch = (n + kThreads - 1) / kThreads;
  const std::int64_t begin = threadIdx.x * stretch < n ? threadIdx.x * stretch : n;
  const std::int64_t end = begin + stretch < n ? begin + stretch : n;
  std::int64_t mine = 0;
  for (std::int64_t i = begin; i < end; ++i) mine += from[index[i] + 1] - from[index[i]];
  of_thread[threadIdx.x] = mine;
  __syncthreads();
  std::int64_t at = 0;
  for (unsigned before = 0; before < threadIdx.x; ++before) at += of_thread[before];
  if (threadIdx.x == 0) offsets[0] = 0;
  for (std::int64_t i = begin; i < end; ++i) offsets[i + 1] = at += from[index[i] + 1] - from[index[i]];
}

/// The terms of weighted_sum by value: the array of pointers is the host's.
template <typename T>
struct Operands {
  const T* term[4];
};

}  // namespace

template <typename T>
void CudaKernels<T>::gather_integers(std::int64_t n, std::int64_t cols, const std::int32_t* table, const std::int32_t* index,
                                     std::int32_t* y) {
  for_each(n * cols, [=] __device__(std::int64_t i) {
    const auto [row, col] = place_of(i, cols);
    y[i] = table[index[row] * cols + col];
  });
}

template <typename T>
void CudaKernels<T>::add_integer(std::int64_t n, std::int32_t amount, std::int32_t* y) {
  for_each(n, [=] __device__(std::int64_t i) { y[i] += amount; });
}

template <typename T>
void CudaKernels<T>::weighted_sum(std::int64_t n, int count, const T* weights, const T* const* terms, T* y) {
  Operands<T> operands = {};
  for (int t = 0; t < count; ++t) operands.term[t] = terms[t];
  for_each(n, [=] __device__(std::int64_t i) {
    T total = weights[0] * operands.term[0][i];
#pragma unroll
    for (int t = 1; t < 4; ++t) {  // with indices that the compiler knows the terms stay in registers
      if (t < count) total += weights[t] * operands.term[t][i];
    }
    y[i] = total;
  });
}

template <typename T>
void CudaKernels<T>::replace_rows(std::int64_t rows, std::int64_t cols, const std::int32_t* level, const std::int32_t* bound,
                                  const T* x, T* y) {
  for_each(rows * cols, [=] __device__(std::int64_t i) {
    const std::int64_t row = place_of(i, cols).row;
    if (level[row] >= bound[row]) y[i] = x[i];
  });
}

template <typename T>
void CudaKernels<T>::csr_gather_rows(const CsrView<T>& x, std::int64_t n, const std::int32_t* index, std::int64_t* offsets,
                                     std::int32_t* columns, T* values) {
  cuda::launch(row_starts_kernel, 1, kThreads, n, x.offsets, index, offsets);
  cuda::for_rows(n, 1, [=] __device__(std::int64_t row) {
    const std::int64_t from = x.offsets[index[row]];
    const std::int64_t to = offsets[row];
    const std::int64_t length = offsets[row + 1] - to;
    for (std::int64_t at = threadIdx.x; at < length; at += blockDim.x) {
      columns[to + at] = x.columns[from + at];
      if (values != nullptr) values[to + at] = x.values[from + at];
    }
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
