#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "recsys/generators/diffrec.h"

namespace tapestry::recsys {

/// Which step each user of a batch is trained at (Eqs. 13, 14): uniform until every step has `kHistory` recorded losses, then
/// step t with probability 0.999 p_t + 0.001 / T, p_t in proportion to the root of the mean square of its last losses. (The paper
/// normalises by another sum; its own condition that the p add up to 1 decides for this one.)
class StepSampler {
 public:
  static constexpr std::int64_t kHistory = 10;

  StepSampler(std::int64_t timesteps, bool importance) : timesteps_(timesteps), importance_(importance) {}

  std::vector<double> probabilities() const;  ///< [T] of t = 1..T
  /// Draws int32 t [B] for a batch and its divisors p_t T as [B, 1], and brings both to where batch.x0 is. Returns t on the host.
  Tensor draw(const RandomStream& stream, DType dtype, DiffRecBatch& batch) const;
  /// Takes the users' losses [B, 1] at their steps t (on the host), in the order of the batch. Where they decide nothing they
  /// stay where they are.
  void record(const Tensor& t, const Tensor& losses);

 private:
  std::int64_t timesteps_;
  bool importance_;
  struct Recent {
    std::vector<double> losses;  ///< at most kHistory
    std::size_t next = 0;        ///< the oldest one
  };
  std::vector<Recent> recent_{static_cast<std::size_t>(timesteps_)};
};

struct DiffRecEpoch {
  std::int64_t epoch;
  double loss;                   ///< mean over the updates
  std::optional<double> metric;  ///< what `validate` returned, in epochs that are evaluated
};

/// Trains with AdamW, where the model is, on the sparse rows (on the host), reshuffled every epoch, the short last batch kept.
/// Every config.evaluate_every epochs, and after the last, `validate(model, epoch)` is asked for a metric; training stops before
/// an epoch that is config.patience behind the best, whose weights are restored. The seed decides everything. Throws Error(kFit)
/// when the loss is no longer a number and when no epoch gave a metric.
std::vector<DiffRecEpoch> fit_diffrec(DiffRecModel& model, const CsrMatrix& rows, const DiffRecConfig& config, std::uint64_t seed,
                                      const std::function<double(const DiffRecModel&, std::int64_t epoch)>& validate,
                                      const std::function<void(const DiffRecEpoch&)>& on_epoch = {});

}  // namespace tapestry::recsys
