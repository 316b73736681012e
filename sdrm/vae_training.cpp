#include "sdrm/vae_training.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "sdrm/early_stopping.h"
#include "sdrm/epoch_cursor.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"
#include "tensor/step_graph.h"

namespace tapestry::sdrm {
namespace {

/// How many entries `batch` rows can have in all: those of the longest ones.
std::int64_t most_entries(const CsrMatrix& rows, std::int64_t batch) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t row = 0; row < rows.rows(); ++row) lengths.push_back(rows.row_nnz(row));
  std::partial_sort(lengths.begin(), lengths.begin() + batch, lengths.end(), std::greater<>());
  return std::accumulate(lengths.begin(), lengths.begin() + batch, std::int64_t{0});
}

/// The updates of a MultiVAE, one after the other.
class VaeTraining {
 public:
  VaeTraining(const MultiVae& model, const CsrMatrix& rows, const VaeConfig& config, std::uint64_t seed)
      : model_(model),
        config_(config),
        seed_(seed),
        batch_(std::min(config.batch, rows.rows())),
        updates_((rows.rows() + config.batch - 1) / config.batch),
        room_(most_entries(rows, batch_)),
        adam_(model.parameters()),
        rows_(rows.device() == model.device() ? rows : rows.to(model.device())),
        cursor_(model.device()),
        order_(Tensor::empty({updates_, batch_}, DType::kInt32, model.device())),
        factors_(Tensor::empty({updates_, kAdamFactors}, model.dtype(), model.device())),
        weights_(Tensor::empty({updates_, 2}, model.dtype(), model.device())),
        losses_(updates_, model.dtype(), model.device()),
        graph_(model.device()) {}

  /// One epoch's updates; returns their mean loss.
  double train_epoch(std::int64_t epoch) {
    begin_epoch(epoch);
    for (std::int64_t begin = 0; begin < rows_.rows(); begin += batch_) {
      const std::int64_t count = std::min(batch_, rows_.rows() - begin);
      graph_.run(count, [&] { update(count); });
    }
    adam_.count(updates_);
    return losses_.take_mean();
  }

 private:
  /// What an epoch needs of the host, brought to the device in one go: rows in a new order, the constants of the updates, and the
  /// weights of the two losses.
  void begin_epoch(std::int64_t epoch) {
    shuffle_rows(rows_.rows(), {seed_, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, shuffled_);
    shuffled_.resize(static_cast<std::size_t>(updates_ * batch_));  // what a shorter last batch does not use
    bring(shuffled_.data(), order_);
    bring(adam_.prepare(updates_, config_.learning_rate).raw_data(), factors_);
    const Tensor weights = Tensor::empty({updates_, 2}, DType::kFloat64);
    for (std::int64_t i = 0; i < updates_; ++i) {
      weights.data<double>()[2 * i] = 1;
      weights.data<double>()[2 * i + 1] = std::min(config_.kl_cap, static_cast<double>(adam_.steps() + i) / config_.kl_steps);
    }
    bring(weights.to(model_.dtype()).raw_data(), weights_);
    cursor_.begin_epoch(adam_.steps());
  }

  /// An update on the next `count` rows of the epoch. Everything it reads lies on the device, so that a graph can repeat it.
  void update(std::int64_t count) {
    const CsrMatrix batch = gather_rows(rows_, cursor_.row(order_).slice_rows(0, count), room_);
    const Tensor noise = random_normal({count, model_.latent()}, cursor_.stream(seed_, Purpose::kVaeLatent), 0, 1, model_.dtype(),
                                       model_.device());

    autograd::Tape tape;
    const MultiVae::Posterior posterior = model_.encode(batch, cursor_.stream(seed_, Purpose::kVaeDropout));
    const VaeLoss loss = vae_loss(model_, posterior, noise, batch, cursor_.row(weights_));
    tape.backward(loss.total);
    adam_.step_prepared(cursor_.row(factors_));
    adam_.clear_gradients();
    losses_.add(loss.total.value(), cursor_.place());
    cursor_.advance();
  }

  const MultiVae& model_;
  const VaeConfig& config_;
  std::uint64_t seed_;
  std::int64_t batch_;    ///< B, no more than there are rows
  std::int64_t updates_;  ///< of an epoch, U
  std::int64_t room_;     ///< for the entries of any batch
  optim::Adam adam_;
  CsrMatrix rows_;  ///< all of them, on the model's device
  EpochCursor cursor_;
  Tensor order_;    ///< int32 [U, B] rows in the order of this epoch
  Tensor factors_;  ///< [U, kAdamFactors]
  Tensor weights_;  ///< [U, 2] = [1, beta]
  PlacedLosses losses_;
  std::vector<std::int32_t> shuffled_;
  StepGraph graph_;
};

}  // namespace

VaeFit fit_vae(MultiVae& model, const CsrMatrix& rows, const VaeConfig& config, std::uint64_t seed,
               const std::function<double(const MultiVae&, std::int64_t epoch)>& validate,
               const std::function<void(const VaeEpoch&)>& on_epoch) {
  check(rows.rows() > 0, "fit_vae: no rows to train on");
  check(config.batch > 0 && config.max_epochs > 0, "fit_vae: batch ", config.batch, " and max_epochs ", config.max_epochs,
        " must be positive");
  VaeFit fit;
  EarlyStopping stopping(model);
  VaeTraining training(model, rows, config, seed);
  for (std::int64_t epoch = 0; epoch < config.max_epochs; ++epoch) {
    const double loss = training.train_epoch(epoch);
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
