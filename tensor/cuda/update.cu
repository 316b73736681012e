#include <cmath>

#include "tensor/cuda/launch.cuh"
#include "tensor/update_factors.h"

namespace tapestry {
namespace {

/// As many parameters as are passed to one kernel (of the 4 KiB that a launch carries everywhere).
constexpr int kPerLaunch = 64;
/// Elements that a block takes care of.
constexpr std::int64_t kPerBlock = 1024;

template <typename T>
struct Parameters {
  ParameterView<T> view[kPerLaunch];
  std::int64_t first_block[kPerLaunch + 1];  ///< [0, ..., all blocks]: which blocks are a parameter's
};

template <typename T, typename Body>
__global__ void __launch_bounds__(cuda::kThreads) for_parameters_kernel(Parameters<T> parameters, int count, Body body) {
  int index = 0;
  while (index + 1 < count && std::int64_t{blockIdx.x} >= parameters.first_block[index + 1]) ++index;
  const ParameterView<T>& p = parameters.view[index];
  const std::int64_t begin = (blockIdx.x - parameters.first_block[index]) * kPerBlock;
  const std::int64_t end = begin + kPerBlock < p.count ? begin + kPerBlock : p.count;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) body(p, i);
}

/// body(parameter, element) for all elements of all parameters, in one launch where there are no more than kPerLaunch.
template <typename T, typename Body>
void for_parameters(const ParameterView<T>* parameters, int count, const Body& body) {
  for (int begin = 0; begin < count; begin += kPerLaunch) {
    Parameters<T> part = {};
    const int size = std::min(kPerLaunch, count - begin);
    for (int i = 0; i < size; ++i) {
      part.view[i] = parameters[begin + i];
      part.first_block[i + 1] = part.first_block[i] + (part.view[i].count + kPerBlock - 1) / kPerBlock;
    }
    cuda::launch(for_parameters_kernel<T, Body>, part.first_block[size], cuda::kThreads, part, size, body);
  }
}

/// One Adam step of one element. The joins are written out, so that adam_prepared and adam_rows give the same bits.
template <typename T>
__device__ void update(const AdamFactors<T>& f, T gradient, T& value, T& first, T& second) {
  const T decayed = std::fma(f.l2, value, gradient);
  first = std::fma(f.beta1, first, f.rest1 * decayed);
  second = std::fma(f.beta2, second, f.rest2 * decayed * decayed);
  value = std::fma(f.keep, value, -(f.rate * first / std::fma(std::sqrt(second), f.root2, f.epsilon)));
}

/// One Adamax step of one element, its joins written out too.
template <typename T>
__device__ void update(const AdamaxFactors<T>& f, T gradient, T& value, T& first, T& second) {
  first = std::fma(f.beta1, first, f.rest1 * gradient);
  const T faded = f.beta2 * second;
  const T size = std::abs(gradient) + f.epsilon;
  second = faded > size ? faded : size;
  value -= f.rate * first / second;
}

/// One step of element i. Everything is loaded before anything is stored, so that the loads wait together: the compiler must not
/// draw them before the stores itself, since they might overlap.
template <typename T, typename Factors>
__device__ void update_element(const Factors factors, const ParameterView<T>& p, std::int64_t i) {
  T value = p.value[i], first = p.first[i], second = p.second[i];
  update(factors, p.gradient[i], value, first, second);
  p.value[i] = value;
  p.first[i] = first;
  p.second[i] = second;
}

}  // namespace

template <typename T>
void CudaKernels<T>::adam_prepared(const ParameterView<T>* parameters, int count, const T* prepared) {
  const auto* factors = reinterpret_cast<const AdamFactors<T>*>(prepared);
  for_parameters(parameters, count,
                 [=] __device__(const ParameterView<T>& p, std::int64_t i) { update_element(*factors, p, i); });
}

template <typename T>
void CudaKernels<T>::adamax_prepared(const ParameterView<T>* parameters, int count, const T* prepared) {
  const auto* factors = reinterpret_cast<const AdamaxFactors<T>*>(prepared);
  for_parameters(parameters, count,
                 [=] __device__(const ParameterView<T>& p, std::int64_t i) { update_element(*factors, p, i); });
}

template <typename T>
void CudaKernels<T>::adam_rows(std::int64_t n, std::int64_t cols, const std::int32_t* index, const std::int32_t* done,
                               const T* factors, const std::int32_t* count, const T* gradient, T* value, T* first, T* second) {
  const auto* steps = reinterpret_cast<const AdamFactors<T>*>(factors);
  cuda::for_each(n * cols, [=] __device__(std::int64_t i) {
    const auto [row, col] = cuda::place_of(i, cols);
    if (index[row] < 0) return;
    const std::int64_t at = index[row] * cols + col;
    T w = value[at];
    T m = first[at];
    T v = second[at];
    for (std::int32_t step = done[row]; step < *count; ++step) update(steps[step], T(0), w, m, v);
    if (gradient != nullptr) update(steps[*count], gradient[i], w, m, v);
    value[at] = w;
    first[at] = m;
    second[at] = v;
  });
}

template <typename T>
void CudaKernels<T>::sgd(const ParameterView<T>* parameters, int count, double learning_rate, double momentum, double l2) {
  const auto rate = static_cast<T>(learning_rate);
  const auto mu = static_cast<T>(momentum);
  const auto decay = static_cast<T>(l2);
  for_parameters(parameters, count, [=] __device__(const ParameterView<T>& p, std::int64_t i) {
    T direction = p.gradient[i] + decay * p.value[i];
    if (mu != T(0)) direction = p.first[i] = mu * p.first[i] + direction;
    p.value[i] -= rate * direction;
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
