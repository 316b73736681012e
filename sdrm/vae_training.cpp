#include "sdrm/vae_training.h"

#include <algorithm>
#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "sdrm/divergence.h"
#include "sdrm/early_stopping.h"
#include "sdrm/epoch_rows.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"
#include "tensor/step_graph.h"

namespace tapestry::sdrm {
namespace {

/// The updates of a MultiVAE, one after the other.
class VaeTraining {
 public:
  VaeTraining(const MultiVae& model, const CsrMatrix& rows, const VaeConfig& config, std::uint64_t seed)
      : model_(model),
        config_(config),
        seed_(seed),
        rows_(rows, config.batch, model.device()),
        updates_(rows_.updates()),
        adam_(model.parameters()),
        cursor_(model.device()),
        factors_(Tensor::empty({updates_, kAdamFactors}, model.dtype(), model.device())),
        weights_(Tensor::empty({updates_, 2}, model.dtype(), model.device())),
        losses_(updates_, model.dtype(), model.device()),
        graph_(model.device()) {}

  void add_to(FitState& state) { state.add("adam", adam_); }

  /// One epoch's updates; returns their mean loss.
  double train_epoch(std::int64_t epoch) {
    begin_epoch(epoch);
    for (std::int64_t i = 0; i < updates_; ++i) graph_.run(rows_.count(i), [&] { update(rows_.count(i)); });
    adam_.count(updates_);
    return losses_.take_mean();
  }

 private:
  /// What an epoch needs of the host, brought to the device in one go: rows in a new order, the constants of the updates, and the
  /// weights of the two losses.
  void begin_epoch(std::int64_t epoch) {
    shuffle_rows(rows_.rows(), {seed_, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, shuffled_);
    rows_.reorder(shuffled_);
    bring(adam_.prepare(updates_, config_.learning_rate).raw_data(), factors_);
    const Tensor weights = Tensor::empty({updates_, 2}, DType::kFloat64);
    for (std::int64_t i = 0; i < updates_; ++i) {
      weights.data<double>()[2 * i] = 1;
      weights.data<double>()[2 * i + 1] = kl_weight(config_, adam_.steps() + i);
    }
    bring(weights.to(model_.dtype()).raw_data(), weights_);
    cursor_.begin_epoch(adam_.steps());
  }

  /// An update on the next `count` rows of the epoch. Everything it reads lies on the device, so that a graph can repeat it.
  void update(std::int64_t count) {
    const optim::GradientScope cleared(adam_);
    const CsrMatrix batch = rows_.batch(cursor_, count);
    const Tensor noise = random_normal({count, model_.latent()}, cursor_.stream(seed_, Purpose::kVaeLatent), 0, 1, model_.dtype(),
                                       model_.device());

    autograd::Tape tape;
    const MultiVae::Posterior posterior = model_.encode(batch, cursor_.stream(seed_, Purpose::kVaeDropout));
    const VaeLoss loss = vae_loss(model_, posterior, noise, batch, cursor_.row(weights_));
    tape.backward(loss.total);
    adam_.step_prepared(cursor_.row(factors_));
    losses_.add(loss.total.value(), cursor_.place());
    cursor_.advance();
  }

  const MultiVae& model_;
  const VaeConfig& config_;
  std::uint64_t seed_;
  EpochRows rows_;
  std::int64_t updates_;  ///< of an epoch, U
  optim::Adam adam_;
  EpochCursor cursor_;
  Tensor factors_;  ///< [U, kAdamFactors]
  Tensor weights_;  ///< [U, 2] = [1, beta]
  PlacedLosses losses_;
  std::vector<std::int32_t> shuffled_;
  StepGraph graph_;
};

}  // namespace

double kl_weight(const VaeConfig& config, std::int64_t update) {
  if (config.kl_steps <= 0) return config.kl_cap;
  return std::min(config.kl_cap, static_cast<double>(update) / config.kl_steps);
}

VaeFit fit_vae(MultiVae& model, const CsrMatrix& rows, const VaeConfig& config, std::uint64_t seed,
               const std::function<double(const MultiVae&, std::int64_t epoch)>& validate,
               const std::function<void(const VaeEpoch&)>& on_epoch, FitCheckpoint* checkpoint) {
  check(rows.rows() > 0, "fit_vae: no rows to train on");
  check(config.batch > 0 && config.max_epochs > 0, "fit_vae: batch ", config.batch, " and max_epochs ", config.max_epochs,
        " must be positive");
  check(config.patience >= 0, "fit_vae: a patience of ", config.patience, " epochs");
  VaeFit fit;
  EarlyStopping stopping(model);
  VaeTraining training(model, rows, config, seed);
  FitState state(checkpoint);
  state.add("model", model);
  training.add_to(state);
  stopping.add_to(state);
  const auto goes_on = [&](std::int64_t epoch) { return stopping.epochs_without(epoch - 1) <= config.patience; };
  const auto make = [&](std::int64_t epoch) {
    const double loss = training.train_epoch(epoch);
    check_converging("MultiVAE", epoch, loss, config.learning_rate);
    const VaeEpoch report = {epoch, loss, validate(model, epoch)};
    stopping.take(epoch, report.metric);
    return report;
  };
  train_epochs(state, fit.history, config.max_epochs, goes_on, make, on_epoch);
  stopping.restore("MultiVAE");
  check_last_update("MultiVAE", model, config.learning_rate);
  fit.best_epoch = stopping.best_epoch();
  fit.best_metric = stopping.best_metric();
  return fit;
}

}  // namespace tapestry::sdrm
