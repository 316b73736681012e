// recsys/generators/ctgan_training.cpp: a fit and a draw beside the same steps written out, each number from its own stream.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "sdrm/shuffle.h"
#include "tests/recsys/generators/ctgan_support.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/modules.h"

namespace tapestry::recsys {
namespace {

using tests::random_users;
using tests::small_config;
using Made = tests::SmallCtgan;

constexpr std::uint64_t kSeed = 7;

/// The steps of a fit one by one, every table whole and every stream by its number: two turns to a step, the critic's and then
/// the generator's, and in each turn two masks for each of three passes.
class WrittenOut {
 public:
  WrittenOut(Made& made, const TableEncoding& table, const CsrMatrix& marks, const CtganConfig& config, std::int64_t steps)
      : made_(made),
        table_(table),
        marks_(marks),
        config_(config),
        index_(table, marks),
        critic_adam_(made.critic.parameters(), options()),
        generator_adam_(made.generator.dense_parameters(), options()),
        condition_adam_(made.generator.tables(), critic_adam_.prepare(steps, config.learning_rate)) {}

  CriticLoss critic_step(std::uint32_t step) {
    const std::uint32_t turn = 2 * step;
    const Conditions fake = conditions(turn);
    std::vector<std::int32_t> order;
    sdrm::shuffle_rows(config_.batch, {kSeed, Purpose::kShuffle, turn}, order);
    const Conditions real = fake.permuted(order);
    RandomSequence rows({kSeed, Purpose::kTableRow, turn});
    CriticBatch batch;
    batch.real = packed_marks(table_.planes(), config_.pac, marks_.gather_rows(index_.draw(real, rows)), DType::kFloat32);
    batch.conditions = tests::packed(table_.planes(), config_.pac, {&fake, &real});
    batch.mixture = random_uniform({pacs(), 1}, {kSeed, Purpose::kCriticMixture, turn}, 0, 1);
    for (std::uint32_t pass = 0; pass < 3; ++pass) batch.masks[pass] = masks(turn, pass);
    condition_adam_.catch_up(fake.position);
    const Tensor d = made_.generator.forward(latents(turn), made_.generator.gather(fake.position)).value();
    batch.fake = category_softmax(table_.planes(), d, gumbels(turn), config_.temperature);

    autograd::Tape tape;
    CriticLoss loss = critic_loss(made_.critic, batch, config_.penalty);
    tape.backward(loss.total);
    critic_adam_.step(config_.learning_rate);
    critic_adam_.clear_gradients();
    return loss;
  }

  GeneratorLoss generator_step(std::uint32_t step) {
    const std::uint32_t turn = 2 * step + 1;
    const Conditions given = conditions(turn);
    condition_adam_.catch_up(given.position);
    const std::vector<autograd::Variable> rows = made_.generator.gather(given.position);

    autograd::Tape tape;
    GeneratorLoss loss = generator_loss(made_.generator, made_.critic, rows, tests::packed(made_.critic, given),
                                        tests::targets(table_.planes(), given, DType::kFloat32), latents(turn), gumbels(turn),
                                        masks(turn, 0), config_.temperature);
    tape.backward(loss.total);
    generator_adam_.step(config_.learning_rate);
    generator_adam_.clear_gradients();
    condition_adam_.step(given.position, {rows[0].gradient(), rows[1].gradient(), rows[2].gradient()});
    return loss;
  }

  void finish() { condition_adam_.finish(); }

 private:
  optim::AdamOptions options() const { return {.beta1 = config_.beta1, .beta2 = config_.beta2, .l2 = config_.l2}; }
  std::int64_t pacs() const { return config_.batch / config_.pac; }
  Conditions conditions(std::uint32_t turn) const {
    RandomSequence random({kSeed, Purpose::kTableCondition, turn});
    return draw_conditions(table_, ConditionLaw::kLogFrequency, config_.batch, random);
  }
  Tensor latents(std::uint32_t turn) const {
    return random_normal({config_.batch, config_.latent}, {kSeed, Purpose::kTableLatent, turn});
  }
  Tensor gumbels(std::uint32_t turn) const {
    return random_gumbel({config_.batch, table_.planes().categories()}, {kSeed, Purpose::kTableGumbel, turn});
  }
  CriticMasks masks(std::uint32_t turn, std::uint32_t pass) const {
    const auto mask = [&](std::uint32_t layer) {
      return dropout(Tensor::full({pacs(), config_.hidden}, 1), config_.dropout,
                     {kSeed, Purpose::kCriticDropout, 6 * turn + 2 * pass + layer});
    };
    return {mask(0), mask(1)};
  }

  Made& made_;
  const TableEncoding& table_;
  const CsrMatrix& marks_;
  const CtganConfig& config_;
  RowIndex index_;
  optim::Adam critic_adam_, generator_adam_;
  tests::SteppedRowAdam condition_adam_;
};

TEST(FitCtgan, IsTheLoopWrittenOutBitForBit) {
  const TableEncoding table(random_users(50, 9, 0.3, 0.2, 4), TableKind::kTernary);
  const CsrMatrix marks = table.encode(random_users(50, 9, 0.3, 0.2, 4));
  const CtganConfig config = small_config();
  Made expected(table.planes(), config), fitted(table.planes(), config);
  std::vector<CtganEpoch> history;
  fit_ctgan(fitted.generator, fitted.critic, table, marks, config, kSeed,
            [&](const CtganEpoch& report) { history.push_back(report); });
  ASSERT_EQ(history.size(), 3U);
  WrittenOut loop(expected, table, marks, config, 6);
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {  // of 50 / 20 = 2 steps
    CtganEpoch sums = {epoch, 0, 0, 0, 0};
    for (std::uint32_t step = 2 * epoch; step < 2 * epoch + 2; ++step) {
      const CriticLoss critic = loop.critic_step(step);
      sums.critic += critic.total.value().item();
      sums.penalty += critic.penalty.value().item();
      const GeneratorLoss generator = loop.generator_step(step);
      sums.generator += generator.total.value().item();
      sums.cross_entropy += generator.cross_entropy.value().item();
    }
    EXPECT_EQ(history[epoch].epoch, epoch);
    EXPECT_DOUBLE_EQ(history[epoch].critic, sums.critic / 2);
    EXPECT_DOUBLE_EQ(history[epoch].penalty, sums.penalty / 2);
    EXPECT_DOUBLE_EQ(history[epoch].generator, sums.generator / 2);
    EXPECT_DOUBLE_EQ(history[epoch].cross_entropy, sums.cross_entropy / 2);
  }
  loop.finish();
  EXPECT_TRUE(tests::same_state(fitted.critic, expected.critic));
  EXPECT_TRUE(tests::same_state(fitted.generator, expected.generator)) << "every row of the condition tables among it";
}

// What no loss tells of: a row of a condition table that is no number, under a condition that no step of the fit draws.
TEST(FitCtgan, AGeneratorWithAParameterThatIsNoNumberIsNotKept) {
  const Interactions rows = random_users(9, 9, 0.3, 0.2, 4);
  const TableEncoding table(rows, TableKind::kTernary);
  CtganConfig config = small_config();
  config.batch = config.pac = 5;  // one step of one epoch: ten conditions
  config.epochs = 1;
  std::set<std::int32_t> drawn;
  for (std::uint32_t turn = 0; turn < 2; ++turn) {
    RandomSequence random({kSeed, Purpose::kTableCondition, turn});
    const Conditions given = draw_conditions(table, ConditionLaw::kLogFrequency, config.batch, random);
    drawn.insert(given.position.begin(), given.position.end());
  }
  std::int32_t unread = 0;
  while (drawn.contains(unread)) ++unread;
  ASSERT_LT(unread, table.planes().categories());
  Made made(table.planes(), config);
  const Tensor condition = made.generator.tables().front().value();  // [C, H]
  condition.data<float>()[unread * condition.cols()] = std::numeric_limits<float>::quiet_NaN();
  bool reported = false;
  try {
    fit_ctgan(made.generator, made.critic, table, table.encode(rows), config, kSeed,
              [&](const CtganEpoch& report) { reported = std::isfinite(report.critic) && std::isfinite(report.generator); });
    FAIL() << "did not notice";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
    EXPECT_NE(std::string(error.what()).find("of its parameter block.0.condition is "), std::string::npos) << error.what();
  }
  EXPECT_TRUE(reported) << "by losses that are numbers";
}

TEST(FitCtgan, RefusesATableWithoutRows) {
  const TableEncoding table(random_users(50, 9, 0.3, 0.2, 4), TableKind::kTernary);
  const CtganConfig config = small_config();
  Made made(table.planes(), config);
  const CsrMatrix none = CsrMatrix::from_rows(table.planes().differences(), {});
  EXPECT_THROW(fit_ctgan(made.generator, made.critic, table, none, config, kSeed), Error);
}

TEST(FitCtgan, RefusesToTrainForNoEpoch) {
  const Interactions rows = random_users(50, 9, 0.3, 0.2, 4);
  const TableEncoding table(rows, TableKind::kTernary);
  CtganConfig config = small_config();
  Made made(table.planes(), config);
  for (const std::int64_t epochs : {0, -1}) {
    config.epochs = epochs;
    EXPECT_THROW(fit_ctgan(made.generator, made.critic, table, table.encode(rows), config, kSeed), Error) << epochs;
  }
}

TEST(SampleCtgan, EveryBatchHasConditionsLatentsAndNoiseOfItsOwn) {
  const TableEncoding table(random_users(50, 9, 0.3, 0.2, 4), TableKind::kTernary);
  const CtganConfig config = small_config();
  const Made made(table.planes(), config);
  DrawnUsers expected(table, 50);
  for (std::uint32_t batch = 0; batch < 3; ++batch) {  // 20 + 20 + 10 users
    RandomSequence random({kSeed, Purpose::kTableCondition, batch});
    const Conditions given = draw_conditions(table, ConditionLaw::kFrequency, 20, random);
    const Tensor z = random_normal({20, config.latent}, {kSeed, Purpose::kTableLatent, batch});
    const Tensor noise = random_gumbel({20, table.planes().categories()}, {kSeed, Purpose::kTableGumbel, batch});
    const Tensor d = made.generator.forward(z, made.generator.gather(given.position)).value();
    const Tensor y = category_softmax(table.planes(), d, noise, config.temperature);
    expected.append(y.slice_rows(0, batch < 2 ? 20 : 10));
  }
  EXPECT_EQ(tests::cells(sample_ctgan(made.generator, table, config, ConditionLaw::kFrequency, 50, true, kSeed)),
            tests::cells(expected.take(true)));
}

}  // namespace
}  // namespace tapestry::recsys
