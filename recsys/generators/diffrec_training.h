#pragma once

#include <functional>
#include <vector>

#include "recsys/generators/diffrec.h"
#include "sdrm/fit_checkpoint.h"

namespace tapestry::recsys {

struct DiffRecEpoch {
  std::int64_t epoch;
  double loss;    ///< mean over the updates
  double metric;  ///< what `validate` returned; NaN in epochs that are not evaluated
};

/// Trains with AdamW, where the model is, on the sparse rows (on the host), reshuffled every epoch, the short last batch kept.
/// With config.importance the step of each user of a batch is drawn as Eqs. 13 and 14 say, by the last losses of each step
/// (draw_steps in tensor/ops.h), which stay where the model is. (The paper normalises by another sum; its own condition that the
/// p add up to 1 decides for this one.)
/// Every config.evaluate_every epochs, and after the last, `validate(model, epoch)` is asked for a metric; training stops before
/// an epoch that is config.patience behind the best, whose weights are restored. The seed decides everything. Throws Error(kFit)
/// when the loss is no longer a number, when the last update left a parameter that is none, and when no epoch gave a metric;
/// Error(kMisuse) for a patience that ends the fit before its first evaluation. With a checkpoint a fit that was broken off goes
/// on from there: the same fit, to the bit.
std::vector<DiffRecEpoch> fit_diffrec(DiffRecModel& model, const CsrMatrix& rows, const DiffRecConfig& config, std::uint64_t seed,
                                      const std::function<double(const DiffRecModel&, std::int64_t epoch)>& validate,
                                      const std::function<void(const DiffRecEpoch&)>& on_epoch = {},
                                      sdrm::FitCheckpoint* checkpoint = nullptr);

}  // namespace tapestry::recsys
