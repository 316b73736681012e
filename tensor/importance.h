#pragma once

#include <cmath>

#include "tensor/elementwise.h"
#include "tensor/kernels.h"

/// Diffusion steps drawn by their recent losses (Nichol & Dhariwal 2021, section 3.3), written once for host and device.
namespace tapestry::importance {

/// Root of the mean square of one step's kRecentLosses losses.
template <typename T>
TAPESTRY_HD double size_of(const T* losses) {
  double squares = 0;
  for (std::int64_t i = 0; i < kRecentLosses; ++i) {
    const auto loss = static_cast<double>(losses[i]);
    squares += loss * loss;
  }
  return std::sqrt(squares / static_cast<double>(kRecentLosses));
}

/// From the sizes of all steps, which stand in p, to their probabilities p and the running sums `until`.
TAPESTRY_HD inline void finish(std::int64_t steps, const std::int32_t* seen, double* p, double* until) {
  constexpr double kUniformShare = 0.001;
  const auto all = static_cast<double>(steps);
  bool known = true;
  double total = 0;
  for (std::int64_t k = 0; k < steps; ++k) {
    known = known && seen[k] >= kRecentLosses;
    total += p[k];
  }
  const bool weighted = known && total > 0;  // else too little is known, or nothing is left to learn at any step
  double sum = 0;
  for (std::int64_t k = 0; k < steps; ++k) {
    p[k] = weighted ? (1 - kUniformShare) * p[k] / total + kUniformShare / all : 1 / all;
    until[k] = sum += p[k];
  }
}

/// The step, from 0, in whose stretch of the running sums a share u in [0, 1) of them all lies.
TAPESTRY_HD inline std::int64_t find(std::int64_t steps, const double* until, double u) {
  const double at = u * until[steps - 1];
  std::int64_t begin = 0, end = steps - 1;
  while (begin < end) {
    const std::int64_t middle = (begin + end) / 2;
    if (until[middle] > at) {
      end = middle;
    } else {
      begin = middle + 1;
    }
  }
  return begin;
}

/// Writes a loss over the oldest one of its step.
template <typename T>
TAPESTRY_HD void record(T loss, T* losses, std::int32_t& seen) {
  losses[seen % kRecentLosses] = loss;
  seen = seen + 1 < 2 * kRecentLosses ? seen + 1 : static_cast<std::int32_t>(kRecentLosses);
}

}  // namespace tapestry::importance
