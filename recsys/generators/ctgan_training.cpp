#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/generators/ctgan_draws.h"
#include "sdrm/divergence.h"
#include "sdrm/loss_record.h"
#include "tensor/step_graph.h"

namespace tapestry::recsys {
namespace {

/// The steps of a fit. What they draw on the host comes an epoch at a time (ctgan_draws.h); everything a step reads lies on the
/// device, so that a graph can repeat it.
class Trainer {
 public:
  Trainer(CtganGenerator& generator, CtganCritic& critic, const TableEncoding& table, const CsrMatrix& marks,
          const CtganConfig& config, std::int64_t steps, std::uint64_t seed)
      : generator_(generator),
        critic_(critic),
        planes_(table.planes()),
        config_(config),
        steps_(steps),
        seed_(seed),
        draws_(table, marks, config, steps, critic.dtype(), critic.device()),
        schedule_(planes_.categories()),
        options_{.beta1 = config.beta1, .beta2 = config.beta2, .l2 = config.l2},
        critic_adam_(critic.parameters(), options_),
        generator_adam_(generator.dense_parameters(), options_),
        // All three take as many steps, at one rate.
        factors_(
            optim::adam_factors(options_, config.learning_rate, 1, steps * config.epochs, critic.dtype()).to(critic.device())),
        condition_adam_(generator.tables(), factors_),
        in_epoch_(critic.device(), static_cast<std::int32_t>(kCtganTurns)),
        in_fit_(critic.device(), static_cast<std::int32_t>(kCtganTurns * kMasks)),
        losses_(steps, critic.dtype(), critic.device(), 4),
        graph_(critic.device()) {}

  void add_to(sdrm::FitState& state) {
    state.add("critic_adam", critic_adam_);
    state.add("generator_adam", generator_adam_);
    condition_adam_.add_to("condition_adam", state);
  }
  /// One epoch's steps, an update of the critic and one of the generator in each; returns the means of their losses.
  CtganEpoch train_epoch(std::int64_t epoch) {
    if (drawn_epochs_ <= epoch) begin_behind(epoch);
    draws_.bring_epoch();
    in_epoch_.begin_epoch(epoch * steps_);
    for (std::int64_t step = 0; step < steps_; ++step) graph_.run(draws_.generation(), [&] { update(); });
    if (epoch + 1 < config_.epochs) draw(epoch + 1);  // while a GPU is still at this one
    const std::vector<double> numbers = losses_.take();
    CtganEpoch report = {epoch, 0, 0, 0, 0};
    const double share = 1 / static_cast<double>(steps_);
    for (std::size_t i = 0; i < numbers.size(); i += 4) {  // each weighted before they are summed
      report.critic += share * numbers[i];
      report.penalty += share * numbers[i + 1];
      report.generator += share * numbers[i + 2];
      report.cross_entropy += share * numbers[i + 3];
    }
    return report;
  }

  /// Brings all rows of the condition tables up to date.
  void finish() {
    begin_behind(config_.epochs);  // all may have been made by an earlier start
    std::vector<std::int32_t> all(static_cast<std::size_t>(schedule_.rows())), index(all), done(all);
    std::iota(all.begin(), all.end(), 0);
    schedule_.visit(all, 0, index.data(), done.data(), nullptr);
    const auto there = [&](const std::vector<std::int32_t>& values) {
      return Tensor::from<std::int32_t>(values, {schedule_.rows()}, critic_.device());
    };
    condition_adam_.catch_up(there(index), there(done), in_fit_.place());
  }

 private:
  static constexpr std::uint32_t kMasks = 6;  ///< two in each of three passes

  void draw(std::int64_t epoch) {
    draws_.draw_epoch(seed_, epoch * steps_, schedule_);
    drawn_epochs_ = epoch + 1;
  }
  /// `epochs` have been made, by an earlier start if any. What they drew is drawn again, since which rows of the condition tables
  /// wait for how many steps follows from all of it.
  void begin_behind(std::int64_t epochs) {
    while (drawn_epochs_ <= std::min(epochs, config_.epochs - 1)) draw(drawn_epochs_);
    in_fit_.begin_epoch(epochs * steps_, epochs * steps_);
  }

  void update() {
    const CriticLoss critic = update_critic();
    const GeneratorLoss generator = update_generator();
    losses_.add({critic.total.value(), critic.penalty.value(), generator.total.value(), generator.cross_entropy.value()},
                in_epoch_.place());
    in_epoch_.advance();
    in_fit_.advance();
  }

  CriticLoss update_critic() {
    const optim::GradientScope cleared(critic_adam_);
    const CtganDraws::Critic drawn = draws_.critic(in_epoch_);
    CriticBatch batch;
    batch.conditions = drawn.conditions;
    batch.real = drawn.real;
    condition_adam_.catch_up(drawn.waiting.index, drawn.waiting.done, in_fit_.place());
    const autograd::Variable d = generator_.forward(latents(CtganTurn::kCritic), generator_.gather(drawn.positions));
    batch.fake = category_softmax(planes_, d.value(), gumbels(CtganTurn::kCritic), config_.temperature);
    batch.mixture = random_uniform({config_.batch / config_.pac, 1}, stream(Purpose::kCriticMixture, CtganTurn::kCritic), 0, 1,
                                   dtype(), device());
    for (std::uint32_t pass = 0; pass < 3; ++pass) batch.masks[pass] = masks(CtganTurn::kCritic, pass);

    autograd::Tape tape;
    const CriticLoss loss = critic_loss(critic_, batch, config_.penalty);
    tape.backward(loss.total);
    critic_adam_.step_prepared(in_fit_.row(factors_));
    return loss;
  }

  GeneratorLoss update_generator() {
    const optim::GradientScope cleared(generator_adam_);
    const CtganDraws::Generator drawn = draws_.generator(in_epoch_);
    condition_adam_.catch_up(drawn.waiting.index, drawn.waiting.done, in_fit_.place());
    const std::vector<autograd::Variable> rows = generator_.gather(drawn.positions);

    autograd::Tape tape;
    const GeneratorLoss loss =
        generator_loss(generator_, critic_, rows, drawn.conditions, drawn.targets, latents(CtganTurn::kGenerator),
                       gumbels(CtganTurn::kGenerator), masks(CtganTurn::kGenerator, 0), config_.temperature);
    tape.backward(loss.total);
    std::vector<Tensor> gradients;
    gradients.reserve(rows.size());
    for (const autograd::Variable& row : rows) gradients.push_back(row.gradient());
    generator_adam_.step_prepared(in_fit_.row(factors_));
    condition_adam_.step(drawn.changed.index, drawn.changed.done, drawn.changed.place, in_fit_.place(), gradients);
    return loss;
  }

  DType dtype() const { return critic_.dtype(); }
  Device device() const { return critic_.device(); }
  RandomStream stream(Purpose purpose, CtganTurn turn) const {
    return in_epoch_.stream(seed_, purpose, static_cast<std::uint32_t>(turn));
  }
  Tensor latents(CtganTurn turn) const {
    return random_normal({config_.batch, config_.latent}, stream(Purpose::kTableLatent, turn), 0, 1, dtype(), device());
  }
  Tensor gumbels(CtganTurn turn) const {
    return random_gumbel({config_.batch, planes_.categories()}, stream(Purpose::kTableGumbel, turn), dtype(), device());
  }
  CriticMasks masks(CtganTurn turn, std::uint32_t pass) const {
    const Tensor ones = Tensor::full({config_.batch / config_.pac, critic_.hidden()}, 1, dtype(), device());
    const auto mask = [&](std::uint32_t layer) {
      const std::uint32_t step = kMasks * static_cast<std::uint32_t>(turn) + 2 * pass + layer;
      return dropout(ones, config_.dropout, in_fit_.stream(seed_, Purpose::kCriticDropout, step));
    };
    return {mask(0), mask(1)};
  }

  CtganGenerator& generator_;
  CtganCritic& critic_;
  const CategoryPlanes& planes_;
  const CtganConfig& config_;
  std::int64_t steps_;  ///< of an epoch, U
  std::uint64_t seed_;
  CtganDraws draws_;
  RowSchedule schedule_;
  std::int64_t drawn_epochs_ = 0;
  optim::AdamOptions options_;
  optim::Adam critic_adam_;
  optim::Adam generator_adam_;
  Tensor factors_;  ///< [U epochs, kAdamFactors]
  RowAdam condition_adam_;
  sdrm::EpochCursor in_epoch_;  ///< row of the epoch's tables; a step takes a set of streams for each turn
  sdrm::EpochCursor in_fit_;    ///< row of factors_ and count of the condition tables; a step takes kMasks streams for each turn
  sdrm::PlacedLosses losses_;   ///< four of each step
  StepGraph graph_;
};

}  // namespace

void fit_ctgan(CtganGenerator& generator, CtganCritic& critic, const TableEncoding& table, const CsrMatrix& marks,
               const CtganConfig& config, std::uint64_t seed, const std::function<void(const CtganEpoch&)>& on_epoch,
               sdrm::FitCheckpoint* checkpoint) {
  check(marks.rows() > 0, "fit_ctgan: no rows to train on");
  check(config.batch > 0 && config.epochs > 0, "fit_ctgan: batch ", config.batch, " and epochs ", config.epochs,
        " must be positive");
  const std::int64_t steps = std::max<std::int64_t>(1, marks.rows() / config.batch);
  Trainer trainer(generator, critic, table, marks, config, steps, seed);
  std::vector<CtganEpoch> history;
  sdrm::FitState state(checkpoint);
  state.add("generator", generator);
  state.add("critic", critic);
  trainer.add_to(state);
  const auto make = [&](std::int64_t epoch) {
    const CtganEpoch report = trainer.train_epoch(epoch);
    if (!std::isfinite(report.critic) || !std::isfinite(report.generator)) {
      fail(ErrorKind::kFit, "CTGAN diverged in epoch ", epoch + 1, ": the loss of its critic is ", report.critic,
           ", of its generator ", report.generator, " (a lower learning rate than ", config.learning_rate, " may help)");
    }
    return report;
  };
  sdrm::train_epochs(state, history, config.epochs, sdrm::always, make, on_epoch);
  trainer.finish();
  sdrm::check_last_update("CTGAN", generator, config.learning_rate);
}

Interactions sample_ctgan(const CtganGenerator& generator, const TableEncoding& table, const CtganConfig& config,
                          ConditionLaw law, std::int64_t rows, bool dislikes, std::uint64_t seed,
                          const sdrm::Progress& progress) {
  const Device device = generator.device();
  const std::int64_t batches = (rows + config.batch - 1) / config.batch;
  // The conditions of all batches, drawn and brought there before the first, so that a graph can repeat a batch.
  std::vector<std::int32_t> drawn_positions;
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    RandomSequence random({seed, Purpose::kTableCondition, static_cast<std::uint32_t>(batch)});
    const std::vector<std::int32_t> positions = draw_conditions(table, law, config.batch, random).position;
    drawn_positions.insert(drawn_positions.end(), positions.begin(), positions.end());
  }
  const Tensor conditions = Tensor::from<std::int32_t>(drawn_positions, {batches, config.batch}, device);
  const Tensor values = Tensor::empty({config.batch, table.items()}, DType::kFloat32, device);  // of a batch
  const sdrm::EpochCursor cursor(device);
  cursor.begin_epoch(0);
  DrawnUsers drawn(table, rows, device);
  StepGraph graph(device);
  for (std::int64_t begin = 0; begin < rows; begin += config.batch) {
    // A whole batch always: the normalisation makes a row depend on the others. What is too much is cut off.
    graph.run(config.batch, [&] {
      const Tensor z =
          random_normal({config.batch, config.latent}, cursor.stream(seed, Purpose::kTableLatent), 0, 1, DType::kFloat32, device);
      const Tensor noise = random_gumbel({config.batch, table.planes().categories()}, cursor.stream(seed, Purpose::kTableGumbel),
                                         DType::kFloat32, device);
      const autograd::Variable d = generator.forward(z, generator.gather(cursor.row(conditions)));
      copy_into(values, drawn.values(category_softmax(table.planes(), d.value(), noise, config.temperature)));
      cursor.advance();
    });
    const std::int64_t end = std::min(rows, begin + config.batch);
    drawn.add(values.slice_rows(0, end - begin));
    if (progress) progress(end, rows);
  }
  return drawn.take(dislikes);
}

}  // namespace tapestry::recsys
