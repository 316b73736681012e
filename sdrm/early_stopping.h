#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "nn/snapshot.h"
#include "sdrm/fit_checkpoint.h"

namespace tapestry::sdrm {

/// Whether a metric is better than the best so far by more than the rounding of a mean: the same hits spread over other users sum
/// to another last digit, and an equal metric is no improvement. NaN never is.
inline bool improves(double metric, double best) {
  constexpr double kRounding = 1e-12;  // of the best
  return metric > best && (std::isinf(best) || metric - best > kRounding * std::abs(best));
}

/// Early stopping: remembers the weights of the epoch with the best metric so far. Epochs count from 0; before the first
/// improvement the best one is -1.
class EarlyStopping {
 public:
  explicit EarlyStopping(const nn::Module& model) : best_(model) {}

  /// Takes the metric of the model as it is after `epoch`.
  void take(std::int64_t epoch, double metric) {
    last_ = metric;
    ++asked_;
    if (!improves(metric, best_metric_)) return;
    best_metric_ = metric;
    best_epoch_ = epoch;
    best_.take();
  }

  std::int64_t best_epoch() const { return best_epoch_; }
  double best_metric() const { return best_metric_; }
  /// Adds everything that take() changes.
  void add_to(FitState& state) {
    state.add("best", best_);
    state.add("best_metric", best_metric_);
    state.add("last_metric", last_);
    state.add("best_epoch", best_epoch_);
    state.add("asked", asked_);
  }

  /// How many epochs up to `epoch` have gone by without an improvement.
  std::int64_t epochs_without(std::int64_t epoch) const { return epoch - best_epoch_; }

  /// Puts the best weights back. Throws Error(kFit), naming `model`, when no metric was a number.
  void restore(const std::string& model) const {
    if (!best_.taken()) {
      fail(ErrorKind::kFit, model, ": the validation metric was ", last_, " all ", asked_,
           " times, so that no epoch is the best (no user to validate on?)");
    }
    best_.restore();
  }

 private:
  nn::Snapshot best_;
  double best_metric_ = -std::numeric_limits<double>::infinity();
  double last_ = std::numeric_limits<double>::quiet_NaN();
  std::int64_t best_epoch_ = -1;
  std::int64_t asked_ = 0;
};

}  // namespace tapestry::sdrm
