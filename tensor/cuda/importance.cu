#include "tensor/cuda/launch.cuh"
#include "tensor/importance.h"

namespace tapestry {
namespace {

using cuda::for_each;
using cuda::kThreads;

/// One block. What its first thread does alone is some additions for each of a few dozen steps, in their order.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    step_probabilities_kernel(std::int64_t steps, const T* recent, const std::int32_t* seen, double* p, double* until) {
  for (std::int64_t k = threadIdx.x; k < steps; k += blockDim.x) p[k] = importance::size_of(recent + k * kRecentLosses);
  __syncthreads();
  if (threadIdx.x == 0) importance::finish(steps, seen, p, until);
}

}  // namespace

template <typename T>
void CudaKernels<T>::step_probabilities(std::int64_t steps, const T* recent, const std::int32_t* seen, double* p, double* until) {
  cuda::launch(step_probabilities_kernel<T>, 1, kThreads, steps, recent, seen, p, until);
}

template <typename T>
void CudaKernels<T>::draw_steps(std::int64_t n, std::int64_t steps, const double* p, const double* until, const double* u,
                                std::int32_t* t, T* divisor) {
  for_each(n, [=] __device__(std::int64_t i) {
    const std::int64_t k = importance::find(steps, until, u[i]);
    t[i] = static_cast<std::int32_t>(k) + 1;
    divisor[i] = static_cast<T>(p[k] * static_cast<double>(steps));
  });
}

template <typename T>
void CudaKernels<T>::record_losses(std::int64_t n, std::int64_t steps, const std::int32_t* t, const T* losses, T* recent,
                                   std::int32_t* seen) {
  // A thread for each step looks for its losses in the order of the batch.
  for_each(steps, [=] __device__(std::int64_t k) {
    for (std::int64_t i = 0; i < n; ++i) {
      if (t[i] == k + 1) importance::record(losses[i], recent + k * kRecentLosses, seen[k]);
    }
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
