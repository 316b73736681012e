#include <cmath>

#include "tests/support/reference_kernels.h"

namespace tapestry::tests {

template <typename T>
void ReferenceKernels<T>::gather_integers(std::int64_t n, std::int64_t cols, const std::int32_t* table, const std::int32_t* index,
                                          std::int32_t* y) {
  for (std::int64_t i = 0; i < n * cols; ++i) y[i] = table[index[i / cols] * cols + i % cols];
}

template <typename T>
void ReferenceKernels<T>::add_integer(std::int64_t n, std::int32_t amount, std::int32_t* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = y[i] + amount;
}

template <typename T>
void ReferenceKernels<T>::weighted_sum(std::int64_t n, int count, const T* weights, const T* const* terms, T* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    double total = 0;
    for (int term = 0; term < count; ++term) total += static_cast<double>(weights[term]) * terms[term][i];
    y[i] = static_cast<T>(total);
  }
}

template <typename T>
void ReferenceKernels<T>::replace_rows(std::int64_t rows, std::int64_t cols, const std::int32_t* level, const std::int32_t* bound,
                                       const T* x, T* y) {
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    if (level[i / cols] >= bound[i / cols]) y[i] = x[i];
  }
}

template <typename T>
void ReferenceKernels<T>::csr_gather_rows(const CsrView<T>& x, std::int64_t n, const std::int32_t* index, std::int64_t* offsets,
                                          std::int32_t* columns, T* values) {
  std::int64_t to = 0;
  offsets[0] = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t at = x.offsets[index[i]]; at < x.offsets[index[i] + 1]; ++at, ++to) {
      columns[to] = x.columns[at];
      if (values != nullptr) values[to] = x.values[at];
    }
    offsets[i + 1] = to;
  }
}

/// `factors` are beta1, beta2, rest1, rest2, l2, keep, rate, root2, epsilon.
template <typename T>
void ReferenceKernels<T>::adam_prepared(const ParameterView<T>* parameters, int count, const T* factors) {
  for (int index = 0; index < count; ++index) {
    const ParameterView<T>& p = parameters[index];
    for (std::int64_t i = 0; i < p.count; ++i) {
      const double gradient = p.gradient[i] + static_cast<double>(factors[4]) * p.value[i];
      const double first = static_cast<double>(factors[0]) * p.first[i] + factors[2] * gradient;
      const double second = static_cast<double>(factors[1]) * p.second[i] + factors[3] * gradient * gradient;
      p.first[i] = static_cast<T>(first);
      p.second[i] = static_cast<T>(second);
      p.value[i] = static_cast<T>(factors[5] * static_cast<double>(p.value[i]) -
                                  factors[6] * first / (std::sqrt(second) * factors[7] + factors[8]));
    }
  }
}

template struct ReferenceKernels<float>;
template struct ReferenceKernels<double>;

}  // namespace tapestry::tests
