#include "sdrm/score_training.h"

#include <algorithm>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "optim/schedule.h"
#include "sdrm/divergence.h"
#include "sdrm/epoch_cursor.h"
#include "sdrm/loss_record.h"
#include "sdrm/objective.h"
#include "sdrm/shuffle.h"
#include "tensor/step_graph.h"

namespace tapestry::sdrm {
namespace {

/// The deviation of Eq. 5's nu ~ N(0, sigma_nu I), for which the paper has no number: the published program's perturbation size.
constexpr double kPaperPerturbation = 0.1;

/// t ~ U{1..T} for the rows of one update: int32 [B] on the host.
void draw_uniform_steps(std::span<std::int32_t> t, std::int64_t timesteps, const RandomStream& stream) {
  RandomSequence random(stream);
  for (std::int32_t& step : t) step = 1 + static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(timesteps)));
}

/// z0 [B, K] and t int32 [B] on the model's device, where the noise is drawn too.
ScoreBatch draw_batch(const Tensor& z0, const Tensor& t, const ScoreConfig& config, std::uint64_t seed,
                      const EpochCursor& cursor) {
  ScoreBatch batch;
  batch.z0 = z0;
  batch.t = t;
  batch.noise = random_normal(z0.shape(), cursor.stream(seed, Purpose::kNoise), 0, 1, z0.dtype(), z0.device());
  if (config.variant == Variant::kPaper && config.objective == Objective::kScore) {
    batch.perturbation =
        random_normal(z0.shape(), cursor.stream(seed, Purpose::kPerturbation), 0, kPaperPerturbation, z0.dtype(), z0.device());
  }
  return batch;
}

/// The updates of the score model, one after the other.
class ScoreTraining {
 public:
  ScoreTraining(const ScoreModel& model, const Tensor& z0, const ScoreConfig& config, std::uint64_t seed)
      : model_(model),
        config_(config),
        seed_(seed),
        rows_(z0.size(0)),
        batch_(std::min(config.batch, rows_)),
        updates_((rows_ + config.batch - 1) / config.batch),
        tables_(NoiseSchedule(config.timesteps), config, z0.dtype(), model.device()),
        adam_(model.parameters(), {.l2 = config.l2}),
        latents_(z0.to(model.device())),
        cursor_(model.device()),
        order_(Tensor::empty({updates_, batch_}, DType::kInt32, model.device())),
        steps_(Tensor::empty({updates_, batch_}, DType::kInt32, model.device())),
        factors_(Tensor::empty({updates_, kAdamFactors}, model.dtype(), model.device())),
        losses_(updates_, z0.dtype(), model.device()),
        drawn_(static_cast<std::size_t>(updates_ * batch_)),
        graph_(model.device()) {}

  void add_to(FitState& state) { state.add("adam", adam_); }

  /// The updates of the next epoch; returns their mean loss.
  double train_epoch(std::int64_t epoch) {
    if (drawn_epoch_ != epoch) draw(epoch);
    bring_epoch();
    for (std::int64_t begin = 0; begin < rows_; begin += batch_) {
      const std::int64_t count = std::min(batch_, rows_ - begin);
      graph_.run(count, [&] { update(count); });
    }
    adam_.count(updates_);
    if (epoch + 1 < config_.epochs) draw(epoch + 1);  // while a GPU is still at this one
    return losses_.take_mean();
  }

 private:
  /// Draws what an epoch needs of the host, on the host alone, when all updates before it are counted: rows in a new order, a
  /// step t for each, and the constants of the updates. A last batch that is shorter leaves the ends of its rows unused.
  void draw(std::int64_t epoch) {
    drawn_epoch_ = epoch;
    shuffle_rows(rows_, {seed_, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, shuffled_);
    shuffled_.resize(drawn_.size());
    auto number = static_cast<std::uint32_t>(adam_.steps());
    for (std::int64_t begin = 0; begin < rows_; begin += batch_) {
      const std::span<std::int32_t> t(drawn_.data() + begin, static_cast<std::size_t>(std::min(batch_, rows_ - begin)));
      draw_uniform_steps(t, config_.timesteps, {seed_, Purpose::kTimestep, number++});
    }
    prepared_ = adam_.prepare(updates_, optim::linear_rate(config_.learning_rate, epoch, config_.epochs));
  }

  /// Brings what was drawn to the device.
  void bring_epoch() const {
    bring(shuffled_.data(), order_);
    bring(drawn_.data(), steps_);
    bring(prepared_.raw_data(), factors_);
    cursor_.begin_epoch(adam_.steps());
  }

  /// An update on the next `count` rows of the epoch. Everything it reads lies on the device, so that a graph can repeat it.
  void update(std::int64_t count) {
    const optim::GradientScope cleared(adam_);
    const Tensor rows = cursor_.row(order_).slice_rows(0, count);
    const Tensor t = cursor_.row(steps_).slice_rows(0, count);
    const ScoreBatch batch = draw_batch(gather_rows(latents_, rows), t, config_, seed_, cursor_);
    const ScorePasses passes = score_passes(batch, tables_, config_);

    autograd::Tape tape;
    const Variable output = model_.forward(passes.z, passes.t, cursor_.stream(seed_, Purpose::kScoreDropout));
    const Variable loss = score_loss(output, batch, passes, tables_, config_);
    tape.backward(loss);
    adam_.step_prepared(cursor_.row(factors_));
    losses_.add(loss.value(), cursor_.place());
    cursor_.advance();
  }

  const ScoreModel& model_;
  const ScoreConfig& config_;
  std::uint64_t seed_;
  std::int64_t rows_;     ///< N
  std::int64_t batch_;    ///< B, no more than N
  std::int64_t updates_;  ///< of an epoch, U
  ScheduleTables tables_;
  optim::Adam adam_;
  Tensor latents_;  ///< [N, K]
  EpochCursor cursor_;
  Tensor order_;    ///< int32 [U, B] rows in the order of this epoch
  Tensor steps_;    ///< int32 [U, B] their t
  Tensor factors_;  ///< [U, kAdamFactors]
  PlacedLosses losses_;
  std::vector<std::int32_t> shuffled_;
  std::vector<std::int32_t> drawn_;
  Tensor prepared_;                ///< of the next epoch on the host, as the two above: what goes to factors_
  std::int64_t drawn_epoch_ = -1;  ///< whose they are
  StepGraph graph_;
};

}  // namespace

std::vector<ScoreEpoch> fit_score_model(ScoreModel& model, const Tensor& z0, const ScoreConfig& config, std::uint64_t seed,
                                        const std::function<void(const ScoreEpoch&)>& on_epoch, FitCheckpoint* checkpoint) {
  check(z0.shape().rank() == 2 && z0.size(0) > 0 && z0.size(1) == model.latent(), "fit_score_model: latents ", z0.shape(),
        " for a model of width ", model.latent());
  check(config.batch > 0 && config.epochs > 0, "fit_score_model: batch ", config.batch, " and epochs ", config.epochs,
        " must be positive");
  check(config.timesteps == model.timesteps() && config.variant == model.variant(), "fit_score_model: ", config.timesteps,
        " steps for a model of ", model.timesteps(), ", or another variant than the model's");
  if (config.variant == Variant::kPublished && config.objective == Objective::kScore) {
    const std::int64_t shortest = z0.size(0) < config.batch ? z0.size(0) : (z0.size(0) - 1) % config.batch + 1;
    check(shortest * z0.size(1) > 1, "fit_score_model: ", z0.size(0), " latents of width 1 in batches of ", config.batch,
          " leave a batch of a single number, which has no variance for the published objective to divide by");
  }
  ScoreTraining training(model, z0, config, seed);
  std::vector<ScoreEpoch> history;
  FitState state(checkpoint);
  state.add("model", model);
  training.add_to(state);
  const auto make = [&](std::int64_t epoch) -> ScoreEpoch {
    const double loss = training.train_epoch(epoch);
    check_converging("SDRM", epoch, loss, config.learning_rate);
    return {epoch, loss};
  };
  train_epochs(state, history, config.epochs, always, make, on_epoch);
  check_last_update("SDRM", model, config.learning_rate);
  return history;
}

}  // namespace tapestry::sdrm
