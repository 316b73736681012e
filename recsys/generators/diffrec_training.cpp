#include "recsys/generators/diffrec_training.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "sdrm/divergence.h"
#include "sdrm/early_stopping.h"
#include "sdrm/epoch_rows.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"
#include "tensor/step_graph.h"

namespace tapestry::recsys {

namespace {

/// The updates of a DiffRec network, one after the other.
class DiffRecTraining {
 public:
  DiffRecTraining(const DiffRecModel& model, const CsrMatrix& rows, const DiffRecConfig& config, std::uint64_t seed)
      : model_(model),
        config_(config),
        seed_(seed),
        rows_(rows, config.batch, model.device()),
        updates_(rows_.updates()),
        tables_(DiffRecSchedule(config), model.items(), model.dtype(), model.device()),
        adam_(model.parameters(), {.decoupled = config.weight_decay}),
        history_(config.timesteps, model.dtype(), model.device()),
        cursor_(model.device()),
        shares_(Tensor::empty({updates_, rows_.batch()}, DType::kFloat64, model.device())),
        factors_(Tensor::empty({updates_, kAdamFactors}, model.dtype(), model.device())),
        losses_(updates_, model.dtype(), model.device()),
        drawn_(static_cast<std::size_t>(updates_ * rows_.batch())),
        graph_(model.device()) {}

  void add_to(sdrm::FitState& state) {
    state.add("adam", adam_);
    state.add("recent_losses", history_.recent);
    state.add("seen_losses", history_.seen);
  }

  /// One epoch's updates; returns their mean loss.
  double train_epoch(std::int64_t epoch) {
    begin_epoch(epoch);
    for (std::int64_t i = 0; i < updates_; ++i) graph_.run(rows_.count(i), [&] { update(rows_.count(i)); });
    adam_.count(updates_);
    return losses_.take_mean();
  }

 private:
  /// What an epoch needs of the host, brought to the device in one go: rows in a new order, a number in [0, 1) for each, which
  /// says at what share of all probability its step lies, and the constants of the updates.
  void begin_epoch(std::int64_t epoch) {
    sdrm::shuffle_rows(rows_.rows(), {seed_, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order_);
    rows_.reorder(order_);
    for (std::int64_t i = 0; i < updates_; ++i) {
      RandomSequence random({seed_, Purpose::kTimestep, static_cast<std::uint32_t>(adam_.steps() + i)});
      for (std::int64_t row = 0; row < rows_.count(i); ++row) {
        drawn_[static_cast<std::size_t>(i * rows_.batch() + row)] = random.uniform();
      }
    }
    sdrm::bring(drawn_.data(), shares_);
    sdrm::bring(adam_.prepare(updates_, config_.learning_rate).raw_data(), factors_);
    cursor_.begin_epoch(adam_.steps());
  }

  /// An update on the next `count` rows of the epoch. Everything it reads lies on the device, so that a graph can repeat it, the
  /// losses by which its steps are drawn among it.
  void update(std::int64_t count) {
    const optim::GradientScope cleared(adam_);
    DiffRecBatch batch;
    batch.x0 = dense(rows_.batch(cursor_, count), model_.dtype());
    const DrawnSteps steps = draw_steps(step_probabilities(history_), cursor_.row(shares_).slice_rows(0, count), model_.dtype());
    batch.t = steps.t;
    batch.divisor = steps.divisor;
    batch.noise = random_normal(batch.x0.shape(), cursor_.stream(seed_, Purpose::kNoise), 0, 1, model_.dtype(), model_.device());
    const Tensor seen = dropout(noised_rows(batch, tables_), config_.dropout, cursor_.stream(seed_, Purpose::kScoreDropout));

    autograd::Tape tape;
    const DiffRecLoss loss = diffrec_loss(model_, batch, seen, tables_, config_.target);
    tape.backward(loss.total);
    adam_.step_prepared(cursor_.row(factors_));
    if (config_.importance) record_losses(batch.t, loss.by_user, history_);
    losses_.add(loss.total.value(), cursor_.place());
    cursor_.advance();
  }

  const DiffRecModel& model_;
  const DiffRecConfig& config_;
  std::uint64_t seed_;
  sdrm::EpochRows rows_;
  std::int64_t updates_;  ///< of an epoch, U
  DiffRecTables tables_;
  optim::Adam adam_;
  LossHistory history_;  ///< empty, and so all steps as likely, unless config.importance
  sdrm::EpochCursor cursor_;
  Tensor shares_;   ///< float64 [U, B]
  Tensor factors_;  ///< [U, kAdamFactors]
  sdrm::PlacedLosses losses_;
  std::vector<std::int32_t> order_;
  std::vector<double> drawn_;
  StepGraph graph_;
};

}  // namespace

std::vector<DiffRecEpoch> fit_diffrec(DiffRecModel& model, const CsrMatrix& rows, const DiffRecConfig& config, std::uint64_t seed,
                                      const std::function<double(const DiffRecModel&, std::int64_t epoch)>& validate,
                                      const std::function<void(const DiffRecEpoch&)>& on_epoch, sdrm::FitCheckpoint* checkpoint) {
  check(rows.rows() > 0, "fit_diffrec: no rows to train on");
  check(config.batch > 0 && config.max_epochs > 0 && config.evaluate_every > 0, "fit_diffrec: batch ", config.batch,
        ", max_epochs ", config.max_epochs, " and evaluate_every ", config.evaluate_every, " must be positive");
  check(std::min(config.evaluate_every, config.max_epochs) < config.patience, "fit_diffrec: a patience of ", config.patience,
        " epochs ends the fit before its first evaluation, after ", std::min(config.evaluate_every, config.max_epochs),
        " epochs: it must be larger than evaluate_every");
  sdrm::EarlyStopping stopping(model);
  DiffRecTraining training(model, rows, config, seed);
  std::vector<DiffRecEpoch> history;
  sdrm::FitState state(checkpoint);
  state.add("model", model);
  training.add_to(state);
  stopping.add_to(state);
  const auto goes_on = [&](std::int64_t epoch) { return stopping.epochs_without(epoch) < config.patience; };
  const auto make = [&](std::int64_t epoch) {
    const double loss = training.train_epoch(epoch);
    sdrm::check_converging("DiffRec", epoch, loss, config.learning_rate);
    const bool evaluated = (epoch + 1) % config.evaluate_every == 0 || epoch + 1 == config.max_epochs;
    const DiffRecEpoch report = {epoch, loss, evaluated ? validate(model, epoch) : std::numeric_limits<double>::quiet_NaN()};
    if (evaluated) stopping.take(epoch, report.metric);
    return report;
  };
  sdrm::train_epochs(state, history, config.max_epochs, goes_on, make, on_epoch);
  stopping.restore("DiffRec");
  sdrm::check_last_update("DiffRec", model, config.learning_rate);
  return history;
}

}  // namespace tapestry::recsys
