#include <algorithm>

#include "tensor/cpu/loops.h"
#include "tensor/kernels.h"

namespace tapestry {

template <typename T>
void CpuKernels<T>::gather_integers(std::int64_t n, std::int64_t cols, const std::int32_t* table, const std::int32_t* index,
                                    std::int32_t* y) {
  for_rows(n, cols, [=](std::int64_t i) { std::copy_n(table + index[i] * cols, cols, y + i * cols); });
}

template <typename T>
void CpuKernels<T>::add_integer(std::int64_t n, std::int32_t amount, std::int32_t* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += amount;
}

template <typename T>
void CpuKernels<T>::weighted_sum(std::int64_t n, int count, const T* weights, const T* const* terms, T* y) {
  linear_combination(n, count, weights, terms, y);
}

template <typename T>
void CpuKernels<T>::replace_rows(std::int64_t rows, std::int64_t cols, const std::int32_t* level, const std::int32_t* bound,
                                 const T* x, T* y) {
  for_rows(rows, cols, [=](std::int64_t row) {
    if (level[row] >= bound[row]) std::copy_n(x + row * cols, cols, y + row * cols);
  });
}

template <typename T>
void CpuKernels<T>::csr_gather_rows(const CsrView<T>& x, std::int64_t n, const std::int32_t* index, std::int64_t* offsets,
                                    std::int32_t* columns, T* values) {
  offsets[0] = 0;
  for (std::int64_t i = 0; i < n; ++i) offsets[i + 1] = offsets[i] + x.offsets[index[i] + 1] - x.offsets[index[i]];
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t from = x.offsets[index[i]];
    const std::int64_t length = offsets[i + 1] - offsets[i];
    std::copy_n(x.columns + from, length, columns + offsets[i]);
    if (values != nullptr) std::copy_n(x.values + from, length, values + offsets[i]);
  }
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
