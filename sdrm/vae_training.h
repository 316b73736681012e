#pragma once

#include <vector>

#include "sdrm/fit_checkpoint.h"
#include "sdrm/multivae.h"

namespace tapestry::sdrm {

struct VaeEpoch {
  std::int64_t epoch;  ///< from 0
  double loss;         ///< mean over the updates
  double metric;       ///< what `validate` returned
};

struct VaeFit {
  std::int64_t best_epoch = 0;  ///< from 0
  double best_metric = 0;
  std::vector<VaeEpoch> history;
};

/// beta, by which the KL term of update 0, 1, ... counts: min(kl_cap, update / kl_steps), the cap from the start when there are
/// no steps.
double kl_weight(const VaeConfig& config, std::int64_t update);

/// Trains on the sparse rows with Adam at a constant rate, rows reshuffled every epoch, the short last batch kept. After every
/// epoch `validate(model, epoch)` is asked for a metric; training stops once it has not improved for more than `patience` epochs
/// in a row, and the best epoch's weights are restored. NaN is no improvement. The seed decides everything. Throws Error(kFit)
/// when the loss is no longer a number, when the last update left a parameter that is none, and when no epoch gave a metric. With
/// a checkpoint a fit that was broken off goes on from there: the same fit, to the bit.
VaeFit fit_vae(MultiVae& model, const CsrMatrix& rows, const VaeConfig& config, std::uint64_t seed,
               const std::function<double(const MultiVae&, std::int64_t epoch)>& validate,
               const std::function<void(const VaeEpoch&)>& on_epoch = {}, FitCheckpoint* checkpoint = nullptr);

}  // namespace tapestry::sdrm
