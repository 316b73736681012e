#pragma once

#include <vector>

#include "sdrm/fit_checkpoint.h"
#include "sdrm/noise_schedule.h"
#include "sdrm/score_model.h"

namespace tapestry::sdrm {

struct ScoreEpoch {
  std::int64_t epoch;  ///< from 0
  double loss;         ///< mean over the updates
};

/// Trains the score model on latents z0 [N, K] (constants): t ~ U{1..T} per row, Adam with L2 decay, learning rate
/// lr (1 - epoch / epochs), no early stopping. The seed decides everything. Throws Error(kFit) when the loss is no longer a
/// number, and when the last update left a parameter that is none; Error(kMisuse) for what does not fit the model, and where the
/// published objective would take the variance of one number, which is a last batch of one row of width 1. With a checkpoint a
/// fit that was broken off goes on from there: the same fit, to the bit.
std::vector<ScoreEpoch> fit_score_model(ScoreModel& model, const Tensor& z0, const ScoreConfig& config, std::uint64_t seed,
                                        const std::function<void(const ScoreEpoch&)>& on_epoch = {},
                                        FitCheckpoint* checkpoint = nullptr);

}  // namespace tapestry::sdrm
