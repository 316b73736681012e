#include <algorithm>
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

/// `factors` are beta1, beta2, rest1, rate, epsilon.
template <typename T>
void ReferenceKernels<T>::adamax_prepared(const ParameterView<T>* parameters, int count, const T* factors) {
  for (int index = 0; index < count; ++index) {
    const ParameterView<T>& p = parameters[index];
    for (std::int64_t i = 0; i < p.count; ++i) {
      const double gradient = p.gradient[i];
      const double first = static_cast<double>(factors[0]) * p.first[i] + factors[2] * gradient;
      const double norm = std::max(static_cast<double>(factors[1]) * p.second[i], std::abs(gradient) + factors[4]);
      p.first[i] = static_cast<T>(first);
      p.second[i] = static_cast<T>(norm);
      p.value[i] = static_cast<T>(p.value[i] - factors[3] * first / norm);
    }
  }
}

template <typename T>
void ReferenceKernels<T>::step_probabilities(std::int64_t steps, const T* recent, const std::int32_t* seen, double* p,
                                             double* until) {
  double total = 0;
  bool known = true;
  for (std::int64_t k = 0; k < steps; ++k) {
    double squares = 0;
    for (std::int64_t i = 0; i < 10; ++i) squares += std::pow(static_cast<double>(recent[k * 10 + i]), 2);
    p[k] = std::sqrt(squares / 10);
    total += p[k];
    known = known && seen[k] >= 10;
  }
  for (std::int64_t k = 0; k < steps; ++k) {
    const double uniform = 1 / static_cast<double>(steps);
    p[k] = known && total > 0 ? 0.999 * p[k] / total + 0.001 * uniform : uniform;
    until[k] = p[k] + (k > 0 ? until[k - 1] : 0);
  }
}

template <typename T>
void ReferenceKernels<T>::draw_steps(std::int64_t n, std::int64_t steps, const double* p, const double* until, const double* u,
                                     std::int32_t* t, T* divisor) {
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t k = 0;
    while (k + 1 < steps && until[k] <= u[i] * until[steps - 1]) ++k;
    t[i] = static_cast<std::int32_t>(k + 1);
    divisor[i] = static_cast<T>(p[k] * static_cast<double>(steps));
  }
}

template <typename T>
void ReferenceKernels<T>::record_losses(std::int64_t n, std::int64_t, const std::int32_t* t, const T* losses, T* recent,
                                        std::int32_t* seen) {
  for (std::int64_t i = 0; i < n; ++i) {
    std::int32_t& count = seen[t[i] - 1];
    recent[(t[i] - 1) * 10 + count % 10] = losses[i];
    if (++count == 20) count = 10;
  }
}

template struct ReferenceKernels<float>;
template struct ReferenceKernels<double>;

}  // namespace tapestry::tests
