#pragma once

#include <cstdint>
#include <vector>

#include "sdrm/config.h"
#include "tensor/tensor.h"

namespace tapestry::sdrm {

/// The forward process (SDRM Eq. 2): beta_t linear from 1e-4 to 0.02 over t = 0..T, alpha_t = 1 - beta_t, abar_t = prod_{s<=t}
/// alpha_s with abar_0 set to 1. Vectors are indexed by t.
struct NoiseSchedule {
  explicit NoiseSchedule(std::int64_t timesteps);

  std::int64_t timesteps;  ///< T
  std::vector<double> beta;
  std::vector<double> alpha;
  std::vector<double> alpha_bar;

  /// z_t = signal(t) z_0 + noise(t) s eps.
  double signal(std::int64_t t) const;
  double noise(std::int64_t t, Variant variant) const;
};

/// The same where a model is, for rows whose steps only the device knows: [T + 1, 1] each, looked up by t.
struct ScheduleTables {
  ScheduleTables(const NoiseSchedule& schedule, const ScoreConfig& config, DType dtype, Device device);

  Tensor signal;  ///< signal(t)
  Tensor noise;   ///< s noise(t), the standard deviation of the noise in z_t
};

}  // namespace tapestry::sdrm
