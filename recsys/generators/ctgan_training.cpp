#include <algorithm>
#include <cmath>

#include "autograd/category.h"
#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/generators/ctgan.h"
#include "recsys/generators/table_row_adam.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"

namespace tapestry::recsys {
namespace {

/// The random inputs of step t come from steps of the streams, two sets in each: the critic's, then the generator's.
enum class Turn : std::uint32_t { kCritic = 0, kGenerator = 1 };

/// Conditions, and the rows that answer them, are drawn on the host, where every draw depends on the one before; what the models
/// need of them goes to their device in small copies that nobody waits for. Losses come back once an epoch.
class Trainer {
 public:
  Trainer(CtganGenerator& generator, CtganCritic& critic, const TableEncoding& table, const CsrMatrix& marks,
          const CtganConfig& config, std::int64_t steps, std::uint64_t seed)
      : generator_(generator),
        critic_(critic),
        table_(table),
        marks_(marks),
        index_(table, marks),
        config_(config),
        seed_(seed),
        options_{.beta1 = config.beta1, .beta2 = config.beta2, .l2 = config.l2},
        critic_adam_(critic.parameters(), options_),
        generator_adam_(generator.dense_parameters(), options_),
        condition_adam_(generator.tables(), options_),
        critic_losses_(steps, critic.dtype(), critic.device()),
        penalties_(steps, critic.dtype(), critic.device()),
        generator_losses_(steps, critic.dtype(), critic.device()),
        cross_entropies_(steps, critic.dtype(), critic.device()) {}

  /// One update of the critic.
  void critic_step() {
    const std::uint32_t t = draw_of(Turn::kCritic);
    RandomSequence random({seed_, Purpose::kTableCondition, t});
    CriticBatch batch;
    batch.fake_conditions = draw_conditions(table_, ConditionLaw::kLogFrequency, config_.batch, random);
    // Real rows answer the same conditions in another order, so that the critic cannot compare them place by place.
    sdrm::shuffle_rows(config_.batch, {seed_, Purpose::kShuffle, t}, order_);
    batch.real_conditions = batch.fake_conditions.permuted(order_);
    RandomSequence rows({seed_, Purpose::kTableRow, t});
    batch.real = marks_.gather_rows(index_.draw(batch.real_conditions, rows));
    condition_adam_.catch_up(batch.fake_conditions.position);
    const autograd::Variable d = generator_.forward(latents(t), generator_.gather(batch.fake_conditions.position));
    batch.fake = category_softmax(table_.planes(), d.value(), gumbels(t), config_.temperature);
    batch.mixture =
        random_uniform({config_.batch / config_.pac, 1}, {seed_, Purpose::kCriticMixture, t}, 0, 1, dtype(), device());
    for (std::uint32_t pass = 0; pass < 3; ++pass) batch.masks[pass] = masks(t, pass);

    autograd::Tape tape;
    const CriticLoss loss = critic_loss(critic_, batch, config_.penalty);
    tape.backward(loss.total);
    critic_adam_.step(config_.learning_rate);
    critic_adam_.clear_gradients();
    critic_losses_.add(loss.total.value());
    penalties_.add(loss.penalty.value());
  }

  void generator_step() {
    const std::uint32_t t = draw_of(Turn::kGenerator);
    RandomSequence random({seed_, Purpose::kTableCondition, t});
    const Conditions conditions = draw_conditions(table_, ConditionLaw::kLogFrequency, config_.batch, random);
    condition_adam_.catch_up(conditions.position);
    const std::vector<autograd::Variable> rows = generator_.gather(conditions.position);

    autograd::Tape tape;
    const GeneratorLoss loss =
        generator_loss(generator_, critic_, rows, conditions, latents(t), gumbels(t), masks(t, 0), config_.temperature);
    tape.backward(loss.total);
    std::vector<Tensor> gradients;
    for (const autograd::Variable& row : rows) gradients.push_back(row.gradient());
    generator_adam_.step(config_.learning_rate);
    generator_adam_.clear_gradients();
    condition_adam_.step(conditions.position, gradients, config_.learning_rate);
    generator_losses_.add(loss.total.value());
    cross_entropies_.add(loss.cross_entropy.value());
  }

  /// The means over the steps since the last report.
  CtganEpoch report(std::int64_t epoch) {
    return {epoch, mean_of(critic_losses_), mean_of(generator_losses_), mean_of(penalties_), mean_of(cross_entropies_)};
  }

  void finish() { condition_adam_.finish(); }

 private:
  /// Each number is weighted before they are summed.
  static double mean_of(sdrm::LossRecord& record) {
    const std::vector<double> numbers = record.take();
    const double share = 1 / static_cast<double>(numbers.size());
    double mean = 0;
    for (const double number : numbers) mean += share * number;
    return mean;
  }

  DType dtype() const { return critic_.dtype(); }
  Device device() const { return critic_.device(); }
  std::uint32_t draw_of(Turn turn) const {
    const std::int64_t done = turn == Turn::kCritic ? critic_adam_.steps() : generator_adam_.steps();
    return 2 * static_cast<std::uint32_t>(done) + static_cast<std::uint32_t>(turn);
  }
  Tensor latents(std::uint32_t t) const {
    return random_normal({config_.batch, config_.latent}, {seed_, Purpose::kTableLatent, t}, 0, 1, dtype(), device());
  }
  Tensor gumbels(std::uint32_t t) const {
    return random_gumbel({config_.batch, table_.planes().categories()}, {seed_, Purpose::kTableGumbel, t}, dtype(), device());
  }
  CriticMasks masks(std::uint32_t t, std::uint32_t pass) const {
    const Tensor ones = Tensor::full({config_.batch / config_.pac, critic_.hidden()}, 1, dtype(), device());
    const auto mask = [&](std::uint32_t layer) {
      return dropout(ones, config_.dropout, {seed_, Purpose::kCriticDropout, 6 * t + 2 * pass + layer});
    };
    return {mask(0), mask(1)};
  }

  CtganGenerator& generator_;
  CtganCritic& critic_;
  const TableEncoding& table_;
  const CsrMatrix& marks_;
  RowIndex index_;
  const CtganConfig& config_;
  std::uint64_t seed_;
  optim::AdamOptions options_;
  optim::Adam critic_adam_;
  optim::Adam generator_adam_;
  RowAdam condition_adam_;
  sdrm::LossRecord critic_losses_, penalties_, generator_losses_, cross_entropies_;
  std::vector<std::int32_t> order_;
};

}  // namespace

void fit_ctgan(CtganGenerator& generator, CtganCritic& critic, const TableEncoding& table, const CsrMatrix& marks,
               const CtganConfig& config, std::uint64_t seed, const std::function<void(const CtganEpoch&)>& on_epoch) {
  check(marks.rows() > 0, "fit_ctgan: no rows to train on");
  const std::int64_t steps = std::max<std::int64_t>(1, marks.rows() / config.batch);
  Trainer trainer(generator, critic, table, marks, config, steps, seed);
  for (std::int64_t epoch = 0; epoch < config.epochs; ++epoch) {
    for (std::int64_t step = 0; step < steps; ++step) {
      trainer.critic_step();
      trainer.generator_step();
    }
    const CtganEpoch report = trainer.report(epoch);
    if (!std::isfinite(report.critic) || !std::isfinite(report.generator)) {
      fail(ErrorKind::kFit, "CTGAN diverged in epoch ", epoch, ": the loss of its critic is ", report.critic,
           ", of its generator ", report.generator, " (a lower learning rate than ", config.learning_rate, " may help)");
    }
    if (on_epoch) on_epoch(report);
  }
  trainer.finish();
}

Interactions sample_ctgan(const CtganGenerator& generator, const TableEncoding& table, const CtganConfig& config,
                          ConditionLaw law, std::int64_t rows, bool dislikes, std::uint64_t seed,
                          const sdrm::Progress& progress) {
  TableRows drawn(table);
  std::uint32_t batch = 0;
  for (std::int64_t begin = 0; begin < rows; begin += config.batch, ++batch) {
    RandomSequence random({seed, Purpose::kTableCondition, batch});
    const Conditions conditions = draw_conditions(table, law, config.batch, random);
    const Device device = generator.device();
    const Tensor z =
        random_normal({config.batch, config.latent}, {seed, Purpose::kTableLatent, batch}, 0, 1, DType::kFloat32, device);
    const Tensor noise =
        random_gumbel({config.batch, table.planes().categories()}, {seed, Purpose::kTableGumbel, batch}, DType::kFloat32, device);
    // A whole batch always: the normalisation makes a row depend on the others. What is too much is cut off.
    const autograd::Variable d = generator.forward(z, generator.gather(conditions.position));
    const Tensor y = category_softmax(table.planes(), d.value(), noise, config.temperature);
    drawn.append(y.slice_rows(0, std::min(config.batch, rows - begin)));
    if (progress) progress(std::min(rows, begin + config.batch), rows);
  }
  return drawn.take(dislikes);
}

}  // namespace tapestry::recsys
