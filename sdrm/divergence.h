#pragma once

#include <cstdint>
#include <string>

#include "nn/module.h"
#include "tensor/ops.h"

/// Whether a training's numbers ran away: asked by every training loop, here and in recsys/.
namespace tapestry::sdrm {

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
