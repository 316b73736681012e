#include <algorithm>
#include <cmath>

#include "tensor/cpu/loops.h"
#include "tensor/cpu/softmax_math.h"
#include "tensor/kernels.h"
#include "tensor/philox.h"

namespace tapestry {

template <typename T>
void CpuKernels<T>::csr_matmul(const CsrView<T>& x, std::int64_t n, const T* w, T* y) {
#pragma omp parallel for schedule(dynamic, 8) if (x.offsets[x.rows] * n >= kParallelElements)
  for (std::int64_t row = 0; row < x.rows; ++row) {
    T* out = y + row * n;
    std::fill_n(out, n, T(0));
    for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
      const T* in = w + x.columns[at] * n;
      const T value = value_at(x, at);
      if (value == T(0)) continue;  // half the entries of a batch behind dropout
#pragma omp simd
      for (std::int64_t col = 0; col < n; ++col) out[col] += value * in[col];
    }
  }
}

template <typename T>
void CpuKernels<T>::csr_transpose_matmul(const CsrView<T>& x, std::int64_t n, const T* dy, T* y) {
  for_chunks(x.cols * n, [=](std::int64_t begin, std::int64_t end) { std::fill(y + begin, y + end, T(0)); });
  csr_transpose_matmul_add(x, n, dy, y);
}

template <typename T>
void CpuKernels<T>::csr_transpose_matmul_add(const CsrView<T>& x, std::int64_t n, const T* dy, T* y) {
  // Each thread owns a range of columns of y and adds the rows in order: no atomics, one result.
  for_column_ranges(n, x.offsets[x.rows] * n, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = 0; row < x.rows; ++row) {
      const T* in = dy + row * n;
      for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
        T* out = y + x.columns[at] * n;
        const T value = value_at(x, at);
        if (value == T(0)) continue;
#pragma omp simd
        for (std::int64_t col = begin; col < end; ++col) out[col] += value * in[col];
      }
    }
  });
}

template <typename T>
void CpuKernels<T>::csr_normalize_rows(const CsrView<T>& x, T epsilon, T* out) {
  for_rows(x.rows, x.offsets[x.rows] / std::max<std::int64_t>(1, x.rows), [&](std::int64_t row) {
    T squares = 0;
    for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) squares += value_at(x, at) * value_at(x, at);
    const T norm = std::max(std::sqrt(squares), epsilon);
    for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) out[at] = value_at(x, at) / norm;
  });
}

template <typename T>
void CpuKernels<T>::csr_dropout(const CsrView<T>& x, T p, const RandomStream& stream, const std::int32_t* row_ids, T* out) {
  const T scale = T(1) / (T(1) - p);
  for_rows(x.rows, x.offsets[x.rows] / std::max<std::int64_t>(1, x.rows) * 16, [&](std::int64_t row) {
    const auto id = static_cast<std::uint32_t>(row_ids == nullptr ? row : row_ids[row]);
    for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
      const std::uint32_t word = philox::word_at(stream, id, static_cast<std::uint32_t>(x.columns[at]));
      out[at] = philox::keeps(word, static_cast<float>(p)) ? value_at(x, at) * scale : T(0);
    }
  });
}

template <typename T>
void CpuKernels<T>::csr_dense(const CsrView<T>& x, T* y) {
  for_rows(x.rows, x.cols, [&](std::int64_t row) {
    T* out = y + row * x.cols;
    std::fill_n(out, x.cols, T(0));
    for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) out[x.columns[at]] = value_at(x, at);
  });
}

template <typename T>
void CpuKernels<T>::gather_rows(std::int64_t n, std::int64_t cols, const T* table, const std::int32_t* index, T* y) {
  for_rows(n, cols, [=](std::int64_t i) { std::copy_n(table + index[i] * cols, cols, y + i * cols); });
}

template <typename T>
void CpuKernels<T>::scatter_add_rows(std::int64_t n, std::int64_t cols, const T* x, const std::int32_t* index, T* y) {
  for_column_ranges(cols, n * cols, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 0; i < n; ++i) {
      const T* in = x + i * cols;
      T* out = y + index[i] * cols;
#pragma omp simd
      for (std::int64_t col = begin; col < end; ++col) out[col] += in[col];
    }
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
