#pragma once

#include "sdrm/noise_schedule.h"
#include "sdrm/score_model.h"

namespace tapestry::sdrm {

enum class Resolution : std::uint8_t {
  kFull,   ///< F-SDRM: every row starts at T
  kMulti,  ///< M-SDRM: every row draws its own start
};

enum class ReverseVariance : std::uint8_t {
  kBeta,       ///< sigma_t^2 = beta_t
  kPosterior,  ///< sigma_t^2 = beta_t (1 - abar_{t-1}) / (1 - abar_t)
};

struct SamplingOptions {
  Resolution resolution = Resolution::kFull;
  ReverseVariance variance = ReverseVariance::kBeta;
  double noise_scale = 1;     ///< s
  double dropout = 0.5;       ///< of a model that drops while sampling (kPublished)
  bool removes_noise = true;  ///< false: eps_theta is taken for 0
  /// What the model was trained on, which says how eps_theta is read from its output (README.md).
  Objective objective = Objective::kScore;
};

/// What a model of this configuration is sampled with: what it was trained on must be what it is sampled with.
SamplingOptions sampling_options(const ScoreConfig& config, Resolution resolution);

/// Latents [rows, K] of synthetic users (SDRM Algorithm 2), on the model's device. Row r depends on the seed and r alone. Throws
/// Error(kMisuse) for negative rows, and for kX0 without noise, from which no eps can be told.
Tensor sample_latents(const ScoreModel& model, std::int64_t rows, const SamplingOptions& options, std::uint64_t seed,
                      const Progress& progress = {});

/// The steps at which M-SDRM's rows start: U{1..T-1} kPublished, U{1..T} kPaper (1 where T is 1). Entry r depends on r alone.
std::vector<std::int32_t> multi_resolution_starts(std::int64_t rows, std::int64_t timesteps, Variant variant, std::uint64_t seed);

/// Latents [rows, K] from the prior N(0, I): MultiVAE++ as a generator.
Tensor sample_prior(std::int64_t rows, std::int64_t latent, std::uint64_t seed, Device device = Device::kCpu);

}  // namespace tapestry::sdrm
