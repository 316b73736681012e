#include "tensor/importance.h"

namespace tapestry {

template <typename T>
void CpuKernels<T>::step_probabilities(std::int64_t steps, const T* recent, const std::int32_t* seen, double* p, double* until) {
  for (std::int64_t k = 0; k < steps; ++k) p[k] = importance::size_of(recent + k * kRecentLosses);
  importance::finish(steps, seen, p, until);
}

template <typename T>
void CpuKernels<T>::draw_steps(std::int64_t n, std::int64_t steps, const double* p, const double* until, const double* u,
                               std::int32_t* t, T* divisor) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t k = importance::find(steps, until, u[i]);
    t[i] = static_cast<std::int32_t>(k) + 1;
    divisor[i] = static_cast<T>(p[k] * static_cast<double>(steps));
  }
}

template <typename T>
void CpuKernels<T>::record_losses(std::int64_t n, std::int64_t, const std::int32_t* t, const T* losses, T* recent,
                                  std::int32_t* seen) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t k = t[i] - 1;
    importance::record(losses[i], recent + k * kRecentLosses, seen[k]);
  }
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
