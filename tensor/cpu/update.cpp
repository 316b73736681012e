#include <algorithm>
#include <cmath>

#include "tensor/cpu/loops.h"
#include "tensor/update_factors.h"

namespace tapestry {
namespace {

/// One Adam step of one element. adam_prepared and adam_rows have to give the same bits, although how a compiler joins the terms
/// may depend on the loop they stand in (value_linear.cpp): the test AdamOnRowsIsAdamOnTheWholeTableToTheLastBit holds them to
/// it.
template <typename T>
inline void update(const AdamFactors<T>& f, T gradient, T& value, T& first, T& second) {
  const T decayed = gradient + f.l2 * value;
  first = f.beta1 * first + f.rest1 * decayed;
  second = f.beta2 * second + f.rest2 * decayed * decayed;
  value = f.keep * value - f.rate * first / (std::sqrt(second) * f.root2 + f.epsilon);
}

/// One Adamax step of one element.
template <typename T>
inline void update(const AdamaxFactors<T>& f, T gradient, T& value, T& first, T& second) {
  first = f.beta1 * first + f.rest1 * gradient;
  const T faded = f.beta2 * second;
  const T size = std::abs(gradient) + f.epsilon;
  second = faded > size ? faded : size;
  value -= f.rate * first / second;
}

template <typename T, typename Factors>
void update_all(const ParameterView<T>* parameters, int count, const Factors& factors) {
  for (int index = 0; index < count; ++index) {
    const ParameterView<T> p = parameters[index];
    for_chunks(p.count, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) update(factors, p.gradient[i], p.value[i], p.first[i], p.second[i]);
    });
  }
}

}  // namespace

template <typename T>
void CpuKernels<T>::adam_prepared(const ParameterView<T>* parameters, int count, const T* factors) {
  update_all(parameters, count, *reinterpret_cast<const AdamFactors<T>*>(factors));
}

template <typename T>
void CpuKernels<T>::adamax_prepared(const ParameterView<T>* parameters, int count, const T* factors) {
  update_all(parameters, count, *reinterpret_cast<const AdamaxFactors<T>*>(factors));
}

template <typename T>
void CpuKernels<T>::adam_rows(std::int64_t n, std::int64_t cols, const std::int32_t* index, const std::int32_t* done,
                              const T* factors, const std::int32_t* count, const T* gradient, T* value, T* first, T* second) {
  // A piece of a row goes through all the steps it has missed while it is in the first cache.
  constexpr std::int64_t kPiece = 1024;
  const auto* steps = reinterpret_cast<const AdamFactors<T>*>(factors);
  const std::int64_t before = *count;
#pragma omp parallel for schedule(dynamic, 1) if (n * cols >= kParallelElements)
  for (std::int64_t i = 0; i < n; ++i) {
    if (index[i] < 0) continue;
    for (std::int64_t begin = 0; begin < cols; begin += kPiece) {
      const std::int64_t length = std::min(kPiece, cols - begin);
      T* w = value + index[i] * cols + begin;
      T* m = first + index[i] * cols + begin;
      T* v = second + index[i] * cols + begin;
      for (std::int64_t step = done[i]; step < before; ++step) {
        const AdamFactors<T> missed = steps[step];
#pragma omp simd
        for (std::int64_t col = 0; col < length; ++col) update(missed, T(0), w[col], m[col], v[col]);
      }
      if (gradient == nullptr) continue;
      const AdamFactors<T> now = steps[before];
      const T* g = gradient + i * cols + begin;
#pragma omp simd
      for (std::int64_t col = 0; col < length; ++col) update(now, g[col], w[col], m[col], v[col]);
    }
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
