#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "recsys/generators/codigem.h"
#include "sdrm/fit_checkpoint.h"

namespace tapestry::recsys {

struct CodigemEpoch {
  std::int64_t epoch;
  double loss;                 ///< mean over the updates, constants included: compare differences
  double metric;               ///< what `validate` returned
  double lowest_log_variance;  ///< v of the reverse networks in all batches of the epoch: e^-v overflows below about -88
};

/// What a batch's loss is made of, [] each where the model is: constant_squares, then the losses of the decoder and of the
/// reverse networks.
using CodigemTerms = std::vector<Tensor>;
/// All of the loss, constants included, from those numbers; x is the batch's shape [B, I].
double codigem_loss(std::span<const double> terms, const Shape& x, const CodigemConfig& config);

/// Gradients of every network for users x [B, I] and their states z_1..z_T, added to the parameters'. The networks go one after
/// the other, so that the outputs of only one exist; `look` is shown those of the reverse networks, [B, 2 I].
CodigemTerms codigem_gradients(const CodigemModel& model, const Tensor& x, std::span<const Tensor> chain,
                               const CodigemConfig& config, const std::function<void(const Tensor& output)>& look = {});

/// A sentence for the user when the lowest log-variance that a fit has seen (CodigemEpoch), held as the config says, came near
/// the overflow of e^-v; else nothing.
std::optional<std::string> overflow_warning(double lowest, const CodigemConfig& config);

/// Trains with Adamax, where the model is, on the sparse rows (on the host), reshuffled every epoch, the short last batch kept.
/// After every epoch `validate(model, epoch)` is asked for a metric; training stops once it has not improved for more than
/// config.patience epochs in a row, and the best epoch's weights are restored. The seed decides everything. Throws Error(kFit)
/// when the loss is no longer a number, when the last update left a parameter that is none, and when no epoch gave a metric;
/// Error(kMisuse) for a beta of 0, which leaves the loss without a value. With a checkpoint a fit that was broken off goes on
/// from there: the same fit, to the bit.
std::vector<CodigemEpoch> fit_codigem(CodigemModel& model, const CsrMatrix& rows, const CodigemConfig& config, std::uint64_t seed,
                                      const std::function<double(const CodigemModel&, std::int64_t epoch)>& validate,
                                      const std::function<void(const CodigemEpoch&)>& on_epoch = {},
                                      sdrm::FitCheckpoint* checkpoint = nullptr);

}  // namespace tapestry::recsys
