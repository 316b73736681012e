#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "nn/snapshot.h"
#include "sdrm/fit_checkpoint.h"
#include "tensor/ops.h"

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

/// Throws Error(kFit) in one line when the loss of an epoch is no longer a number. `epoch` counts from 0; what the user reads,
/// here as in histories and progress, counts from 1.
inline void check_converging(const std::string& model, std::int64_t epoch, double loss, double learning_rate) {
  if (loss - loss == 0) return;  // neither NaN nor infinite
  fail(ErrorKind::kFit, model, " diverged in epoch ", epoch + 1, ": its loss is ", loss, " (a lower learning rate than ",
       learning_rate, " may help)");
}

/// Throws Error(kFit) in one line when a parameter of a fitted model is infinite or no number. A loss is from before its update:
/// after the last one none tells, and a metric need not, since scores that are no numbers rank as empty lists. Asked once per
/// fit, of the weights that are kept.
inline void check_last_update(const std::string& model, const nn::Module& module, double learning_rate) {
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    const Tensor& values = parameter.variable.value();
    const std::int64_t at = first_not_finite(values);
    if (at == values.numel()) continue;
    fail(ErrorKind::kFit, model, " diverged in its last update: entry ", at, " of its parameter ", parameter.name, " is ",
         values.reshape({values.numel()}).slice_rows(at, at + 1).item(), " (a lower learning rate than ", learning_rate,
         " may help)");
  }
}

}  // namespace tapestry::sdrm
