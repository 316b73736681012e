#include <cmath>

#include "tensor/cpu/loops.h"
#include "tensor/kernels.h"

namespace tapestry {

template <typename T>
void CpuKernels<T>::adam(const ParameterView<T>* parameters, int count, const AdamStep& step) {
  const auto beta1 = static_cast<T>(step.beta1);
  const auto beta2 = static_cast<T>(step.beta2);
  const auto rest1 = static_cast<T>(1 - step.beta1);
  const auto rest2 = static_cast<T>(1 - step.beta2);
  const auto l2 = static_cast<T>(step.l2);
  const auto keep = static_cast<T>(1 - step.learning_rate * step.decoupled);
  const auto rate = static_cast<T>(step.learning_rate / step.correction1);
  const auto root2 = static_cast<T>(1 / std::sqrt(step.correction2));
  const auto epsilon = static_cast<T>(step.epsilon);
  for (int index = 0; index < count; ++index) {
    const ParameterView<T> p = parameters[index];
    for_chunks(p.count, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) {
        const T gradient = p.gradient[i] + l2 * p.value[i];
        const T first = beta1 * p.first[i] + rest1 * gradient;
        const T second = beta2 * p.second[i] + rest2 * gradient * gradient;
        p.first[i] = first;
        p.second[i] = second;
        p.value[i] = keep * p.value[i] - rate * first / (std::sqrt(second) * root2 + epsilon);
      }
    });
  }
}

template <typename T>
void CpuKernels<T>::adamax(const ParameterView<T>* parameters, int count, const AdamaxStep& step) {
  const auto beta1 = static_cast<T>(step.beta1);
  const auto beta2 = static_cast<T>(step.beta2);
  const auto rest1 = static_cast<T>(1 - step.beta1);
  const auto rate = static_cast<T>(step.learning_rate / step.correction1);
  const auto epsilon = static_cast<T>(step.epsilon);
  for (int index = 0; index < count; ++index) {
    const ParameterView<T> p = parameters[index];
    for_chunks(p.count, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) {
        const T first = beta1 * p.first[i] + rest1 * p.gradient[i];
        const T faded = beta2 * p.second[i];
        const T size = std::abs(p.gradient[i]) + epsilon;
        const T norm = faded > size ? faded : size;
        p.first[i] = first;
        p.second[i] = norm;
        p.value[i] -= rate * first / norm;
      }
    });
  }
}

template <typename T>
void CpuKernels<T>::sgd(const ParameterView<T>* parameters, int count, double learning_rate, double momentum, double l2) {
  const auto rate = static_cast<T>(learning_rate);
  const auto mu = static_cast<T>(momentum);
  const auto decay = static_cast<T>(l2);
  for (int index = 0; index < count; ++index) {
    const ParameterView<T> p = parameters[index];
    for_chunks(p.count, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        T direction = p.gradient[i] + decay * p.value[i];
        if (mu != T(0)) direction = p.first[i] = mu * p.first[i] + direction;
        p.value[i] -= rate * direction;
      }
    });
  }
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
