#include "sdrm/vae_training.h"

#include <algorithm>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "sdrm/early_stopping.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"

namespace tapestry::sdrm {
namespace {

/// One epoch's updates; returns the mean loss.
double train_epoch(const MultiVae& model, optim::Adam& adam, const CsrMatrix& rows, const VaeConfig& config, std::uint64_t seed,
                   std::span<const std::int32_t> order, LossRecord& losses) {
  for (std::int64_t begin = 0; begin < rows.rows(); begin += config.batch) {
    const std::int64_t end = std::min(rows.rows(), begin + config.batch);
    const CsrMatrix batch =
        rows.gather_rows(order.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)))
            .to(model.device());
    const auto update = static_cast<std::uint32_t>(adam.steps());
    const double beta = std::min(config.kl_cap, static_cast<double>(adam.steps()) / config.kl_steps);
    const Tensor noise =
        random_normal({end - begin, model.latent()}, {seed, Purpose::kVaeLatent, update}, 0, 1, model.dtype(), model.device());

    autograd::Tape tape;
    const MultiVae::Posterior posterior = model.encode(batch, RandomStream{seed, Purpose::kVaeDropout, update});
    const VaeLoss loss = vae_loss(model, posterior, noise, batch, beta);
    tape.backward(loss.total);
    adam.step(config.learning_rate);
    adam.clear_gradients();
    losses.add(loss.total.value());
  }
  return losses.take_mean();
}

}  // namespace

VaeFit fit_vae(MultiVae& model, const CsrMatrix& rows, const VaeConfig& config, std::uint64_t seed,
               const std::function<double(const MultiVae&, std::int64_t epoch)>& validate,
               const std::function<void(const VaeEpoch&)>& on_epoch) {
  check(rows.rows() > 0, "fit_vae: no rows to train on");
  check(config.batch > 0 && config.max_epochs > 0, "fit_vae: batch ", config.batch, " and max_epochs ", config.max_epochs,
        " must be positive");
  optim::Adam adam(model.parameters());
  VaeFit fit;
  EarlyStopping stopping(model);
  LossRecord losses((rows.rows() + config.batch - 1) / config.batch, model.dtype(), model.device());
  std::vector<std::int32_t> order;
  for (std::int64_t epoch = 0; epoch < config.max_epochs; ++epoch) {
    shuffle_rows(rows.rows(), {seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order);
    const double loss = train_epoch(model, adam, rows, config, seed, order, losses);
    check_converging("MultiVAE", epoch, loss, config.learning_rate);
    const VaeEpoch report = {epoch, loss, validate(model, epoch)};
    fit.history.push_back(report);
    if (on_epoch) on_epoch(report);
    stopping.take(epoch, report.metric);
    if (stopping.epochs_without(epoch) > config.patience) break;
  }
  stopping.restore("MultiVAE");
  fit.best_epoch = stopping.best_epoch();
  fit.best_metric = stopping.best_metric();
  return fit;
}

}  // namespace tapestry::sdrm
