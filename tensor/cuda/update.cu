#include <cmath>

#include "tensor/cuda/launch.cuh"
#include "tensor/kernels.h"

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
__global__ void for_parameters_kernel(Parameters<T> parameters, int count, Body body) {
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

}  // namespace

template <typename T>
void CudaKernels<T>::adam(const ParameterView<T>* parameters, int count, const AdamStep& step) {
  const auto beta1 = static_cast<T>(step.beta1);
  const auto beta2 = static_cast<T>(step.beta2);
  const auto rest1 = static_cast<T>(1 - step.beta1);
  const auto rest2 = static_cast<T>(1 - step.beta2);
  const auto l2 = static_cast<T>(step.l2);
  const auto keep = static_cast<T>(1 - step.learning_rate * step.decoupled);
  const auto rate = static_cast<T>(step.learning_rate / step.correction1);
  const auto root2 = static_cast<T>(1 / std::sqrt(step.correction2));
  const auto epsilon = static_cast<T>(step.epsilon);
  for_parameters(parameters, count, [=] __device__(const ParameterView<T>& p, std::int64_t i) {
    const T gradient = p.gradient[i] + l2 * p.value[i];
    const T first = beta1 * p.first[i] + rest1 * gradient;
    const T second = beta2 * p.second[i] + rest2 * gradient * gradient;
    p.first[i] = first;
    p.second[i] = second;
    p.value[i] = keep * p.value[i] - rate * first / (std::sqrt(second) * root2 + epsilon);
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
