#include <cmath>

#include "tensor/cuda/reduce.cuh"
#include "tensor/update_factors.h"

namespace tapestry {
namespace {

using cuda::block_reduce;
using cuda::for_each;
using cuda::for_rows;
using cuda::place_of;

constexpr unsigned kColumns = 128;

/// kColumns columns of one row of y per block, one thread each: entries in the order of the row, then the total.
template <typename T>
__global__ void __launch_bounds__(kColumns)
    value_linear_kernel(CsrView<T> x, std::int64_t width, std::int64_t n, std::int64_t tiles, const T* table, const T* w,
                        const T* total, T* y) {
  const std::int64_t row = blockIdx.x / tiles;
  const std::int64_t col = blockIdx.x % tiles * kColumns + threadIdx.x;
  if (col >= n) return;
  T sum = 0;
  for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
    const T* item = w + x.columns[at] * width * n + col;
#pragma unroll 4
    for (std::int64_t k = 0; k < width; ++k) sum += (table[width + k] - table[k]) * item[k * n];
  }
#pragma unroll 4
  for (std::int64_t k = 0; k < width; ++k) sum += table[k] * total[k * n + col];
  y[row * n + col] = sum;
}

}  // namespace

template <typename T>
void CudaKernels<T>::value_linear(const CsrView<T>& x, std::int64_t width, std::int64_t n, const T* table, const T* w,
                                  const T* total, T* y) {
  const std::int64_t tiles = (n + kColumns - 1) / kColumns;
  cuda::launch(value_linear_kernel<T>, x.rows * tiles, kColumns, x, width, n, tiles, table, w, total, y);
}

template <typename T>
void CudaKernels<T>::value_linear_backward(const CsrView<T>& x, std::int64_t width, std::int64_t n, const T* w, const T* dy,
                                           T* by_row) {
  // A block per (r, k). The sum over the row's entries comes first, since all of them meet the same dy.
  for_rows(x.rows * width, n, [=] __device__(std::int64_t i) {
    const auto [row, k] = place_of(i, width);
    T total = 0;
    for (std::int64_t col = threadIdx.x; col < n; col += blockDim.x) {
      T weight = 0;
      for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) weight += w[(x.columns[at] * width + k) * n + col];
      total += weight * dy[row * n + col];
    }
    total = block_reduce(total, cuda::Add());
    if (threadIdx.x == 0) by_row[i] = total;
  });
}

template <typename T>
void CudaKernels<T>::value_linear_adam(std::int64_t items, std::int64_t width, std::int64_t n, const T* table, const T* all,
                                       const T* seen, const T* factors, T* w, T* first, T* second, T* total, T* workspace) {
  const auto* prepared = reinterpret_cast<const AdamFactors<T>*>(factors);
  const std::int64_t blocks = value_blocks(items);
  const std::int64_t size = width * n;
  // A thread takes one (k, column) through the items of a block, and leaves the sum of their new values.
  for_each(blocks * size, [=] __device__(std::int64_t i) {
    const auto [block, within] = place_of(i, size);
    const auto [k, col] = place_of(within, n);
    const AdamFactors<T> f = *prepared;
    const T base = table[k] * all[col];
    const T extra = table[width + k] - table[k];
    const std::int64_t begin = block * kValueBlock;
    const std::int64_t end = begin + kValueBlock < items ? begin + kValueBlock : items;
    T sum = 0;
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t at = item * size + within;
      const T gradient = base + extra * seen[item * n + col];
      const T before = w[at];  // with the moments, whose stores a load would wait for
      const T moment1 = f.beta1 * first[at] + f.rest1 * gradient;
      const T moment2 = f.beta2 * second[at] + f.rest2 * gradient * gradient;
      first[at] = moment1;
      second[at] = moment2;
      const T value = before - f.rate * moment1 / (std::sqrt(moment2) * f.root2 + f.epsilon);
      w[at] = value;
      sum += value;
    }
    workspace[i] = sum;
  });
  for_each(size, [=] __device__(std::int64_t within) {
    T sum = 0;
    for (std::int64_t block = 0; block < blocks; ++block) sum += workspace[block * size + within];
    total[within] = sum;
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
