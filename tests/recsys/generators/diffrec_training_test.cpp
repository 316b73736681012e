// recsys/generators/diffrec_training.h: which steps are drawn, and the training loop.
#include "recsys/generators/diffrec_training.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/metrics/ranking.h"
#include "sdrm/shuffle.h"
#include "tensor/ops.h"
#include "tests/recsys/data/data_support.h"
#include "tests/recsys/generators/generator_support.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::grouped_matrix;
using tapestry::tests::same_state;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

DiffRecConfig small_config() {
  DiffRecConfig config;
  config.dims = {16};
  config.timesteps = 3;
  config.batch = 32;
  config.learning_rate = 2e-3;
  config.max_epochs = 5;
  return config;
}

std::vector<double> probabilities(const LossHistory& history) {
  const Tensor p = step_probabilities(history).p;
  return {p.span<double>().begin(), p.span<double>().end()};
}

/// Records `count` losses of `size` at step t.
void record(const LossHistory& history, std::int32_t t, double size, std::int64_t count = 10) {
  record_losses(tapestry::tests::repeated(count, t), Tensor::full({count, 1}, size, DType::kFloat64), history);
}

TEST(StepSampling, IsUniformUntilEveryStepIsKnown) {
  const LossHistory history(3, DType::kFloat64, Device::kCpu);
  record(history, 1, 1);
  record(history, 2, 2);
  record(history, 3, 3, 9);
  EXPECT_EQ(probabilities(history), std::vector<double>(3, 1.0 / 3));
  record(history, 3, 3, 1);
  const std::vector<double> p = probabilities(history);
  EXPECT_NEAR(p[0], 0.166833, 1e-6);
  EXPECT_NEAR(p[1], 0.333333, 1e-6);
  EXPECT_NEAR(p[2], 0.499833, 1e-6);
}

TEST(StepSampling, RemembersTheLastTenLosses) {
  const LossHistory history(2, DType::kFloat64, Device::kCpu);
  record(history, 1, 1);
  record(history, 2, 1);
  record(history, 2, 3, 7);
  const double size = std::sqrt((3 * 1 + 7 * 9) / 10.0);
  EXPECT_NEAR(probabilities(history)[1], 0.999 * size / (1 + size) + 0.0005, 1e-12);
  record(history, 2, 5);
  EXPECT_NEAR(probabilities(history)[1], 0.999 * 5 / 6 + 0.0005, 1e-12);
  for (const std::int32_t t : {1, 2}) record(history, t, 0);
  EXPECT_EQ(probabilities(history), std::vector<double>(2, 0.5)) << "nothing left to learn";
}

TEST(StepSampling, DrawsByTheProbabilitiesAndDividesByThem) {
  const LossHistory history(3, DType::kFloat64, Device::kCpu);
  for (const std::int32_t t : {1, 2, 3}) record(history, t, t);
  std::vector<double> u;
  RandomSequence random({1, Purpose::kTimestep, 0});
  for (int i = 0; i < 20000; ++i) u.push_back(random.uniform());
  const DrawnSteps drawn = draw_steps(step_probabilities(history), Tensor::from<double>(u, {20000}), DType::kFloat64);
  const double divisors[] = {0.5005, 1, 1.4995};
  double counts[3] = {}, inverse = 0;
  for (std::size_t i = 0; i < 20000; ++i) {
    const std::int32_t t = drawn.t.span<std::int32_t>()[i];
    ASSERT_TRUE(t >= 1 && t <= 3);
    counts[t - 1] += 1;
    EXPECT_NEAR(drawn.divisor.span<double>()[i], divisors[t - 1], 1e-9);
    inverse += 1 / divisors[t - 1] / 20000;
  }
  // Four standard deviations. Weighted by 1 / (p T), the drawn steps count as if all were as likely.
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(counts[i] / 20000, divisors[i] / 3, 4 * 0.5 / std::sqrt(20000.0));
  EXPECT_NEAR(inverse, 1, 0.02);
}

TEST(StepSampling, TheWeightedMeanIsTheUniformOne) {
  const LossHistory history(3, DType::kFloat64, Device::kCpu);
  for (const std::int32_t t : {1, 2, 3}) record(history, t, t);
  constexpr std::int64_t kShares = 30000;  // evenly spread, so that nothing is left to chance
  std::vector<double> shares;
  for (std::int64_t i = 0; i < kShares; ++i) shares.push_back((static_cast<double>(i) + 0.5) / kShares);
  const DrawnSteps drawn = draw_steps(step_probabilities(history), Tensor::from<double>(shares, {kShares}), DType::kFloat64);
  double mean = 0;
  for (std::size_t i = 0; i < kShares; ++i) {
    mean += (drawn.t.span<std::int32_t>()[i] + 6) / drawn.divisor.span<double>()[i] / kShares;
  }
  EXPECT_NEAR(mean, 8, 1e-3) << "of 7, 8 and 9";
}

TEST(StepSampling, RefusesWhatDoesNotFit) {
  EXPECT_THROW(LossHistory(0, DType::kFloat32, Device::kCpu), Error);
  const LossHistory history(2, DType::kFloat64, Device::kCpu);
  EXPECT_THROW(record(history, 0, 1), Error);
  EXPECT_THROW(record(history, 3, 1), Error);
  EXPECT_THROW(record_losses(tapestry::tests::repeated(1, 1), Tensor::zeros({1, 1}), history), Error) << "float32";
  EXPECT_THROW(draw_steps(step_probabilities(history), Tensor::zeros({3}), DType::kFloat64), Error) << "float32";
}

std::unique_ptr<DiffRecModel> fitted(const CsrMatrix& x, const DiffRecConfig& config, std::uint64_t seed,
                                     std::vector<DiffRecEpoch>* history = nullptr) {
  nn::Initializer init(1);
  auto model = std::make_unique<DiffRecModel>(x.cols(), config, init);
  const auto last = [](const DiffRecModel&, std::int64_t epoch) { return static_cast<double>(epoch); };
  auto epochs = fit_diffrec(*model, x, config, seed, last);
  if (history != nullptr) *history = std::move(epochs);
  return model;
}

TEST(FitDiffRec, IsTheLoopWrittenOutBitForBit) {
  DiffRecConfig config = small_config();
  config.weight_decay = 0.1;
  const CsrMatrix x = grouped_matrix(70, 20, 2, 5);  // 32 + 32 + 6 rows
  nn::Initializer init(1);
  const DiffRecModel expected(20, config, init);
  const DiffRecSchedule schedule(config);
  const LossHistory losses(config.timesteps, DType::kFloat32, Device::kCpu);
  optim::Adam adam(expected.parameters(), {.decoupled = 0.1});
  std::vector<double> means;  // of the epochs' losses
  std::uint32_t update = 0;
  for (std::uint32_t epoch = 0; epoch < 5; ++epoch) {
    double sum = 0;
    std::vector<std::int32_t> order;
    sdrm::shuffle_rows(70, {3, Purpose::kShuffle, epoch}, order);
    for (std::size_t begin = 0; begin < 70; begin += 32, ++update) {
      DiffRecBatch batch;
      batch.x0 = dense(x.gather_rows(std::span(order).subspan(begin, std::min<std::size_t>(32, 70 - begin))), DType::kFloat32);
      std::vector<double> u;
      RandomSequence random({3, Purpose::kTimestep, update});
      for (std::int64_t i = 0; i < batch.x0.rows(); ++i) u.push_back(random.uniform());
      const DrawnSteps drawn =
          draw_steps(step_probabilities(losses), Tensor::from<double>(u, {batch.x0.rows()}), DType::kFloat32);
      batch.t = drawn.t;
      batch.divisor = drawn.divisor;
      batch.noise = random_normal(batch.x0.shape(), {3, Purpose::kNoise, update});
      const Tensor seen = dropout(noised_rows(batch, schedule), 0.5, {3, Purpose::kScoreDropout, update});
      autograd::Tape tape;
      const DiffRecLoss loss = diffrec_loss(expected, batch, seen, schedule, config.target);
      tape.backward(loss.total);
      adam.step(config.learning_rate);
      adam.clear_gradients();
      record_losses(batch.t, loss.by_user, losses);
      sum += loss.total.value().item();
    }
    means.push_back(sum / 3);
  }
  std::vector<DiffRecEpoch> history;
  EXPECT_TRUE(same_state(*fitted(x, config, 3, &history), expected));
  ASSERT_EQ(history.size(), means.size());
  for (std::size_t epoch = 0; epoch < means.size(); ++epoch) EXPECT_DOUBLE_EQ(history[epoch].loss, means[epoch]) << epoch;
  config.importance = false;
  EXPECT_FALSE(same_state(*fitted(x, config, 3), expected));
}

TEST(FitDiffRec, EvaluatesEveryFifthEpochAndStopsTwentyBehindTheBest) {
  DiffRecConfig config;
  config.dims = {3};
  nn::Initializer init(1);
  DiffRecModel model(6, config, init), best(6, config, init);
  std::vector<std::int64_t> asked;
  const auto history =
      fit_diffrec(model, grouped_matrix(8, 6, 2, 5), config, 3, [&](const DiffRecModel& now, std::int64_t epoch) {
        asked.push_back(epoch + 1);
        if (epoch + 1 == 10) best.load_state(now.state());
        return epoch + 1 == 10 ? 1.0 : epoch + 1 == 15 ? kNaN : 0.5;
      });
  EXPECT_EQ(asked, (std::vector<std::int64_t>{5, 10, 15, 20, 25}));
  EXPECT_EQ(history.size(), 29u) << "epoch 30 is 20 behind epoch 10";
  EXPECT_TRUE(same_state(model, best));
  for (const DiffRecEpoch& epoch : history) {
    EXPECT_EQ(std::isnan(epoch.metric), (epoch.epoch + 1) % 5 != 0 || epoch.epoch + 1 == 15) << epoch.epoch;
  }
}

TEST(FitDiffRec, LearnsToCompleteRows) {
  DiffRecConfig config = small_config();
  config.max_epochs = 60;
  const CsrMatrix x = grouped_matrix(160, 40, 4, 5);
  std::vector<DiffRecEpoch> history;
  const auto model = fitted(x, config, 3, &history);
  const HeldOut users = tests::halves(grouped_matrix(80, 40, 4, 6));
  const DiffRecSchedule schedule(config);
  const Tensor scores = diffrec_scores(*model, users.input, schedule, config, {});
  const double recall = mean_over_users(ranking_metrics(scores, users, {.cutoffs = {5}}).recall(0)).value;
  EXPECT_TRUE(recall >= 0.5) << recall;  // chance is 0.14
}

TEST(FitDiffRec, RefusesWhatCannotBeTrained) {
  nn::Initializer init(1);
  DiffRecConfig config = small_config();
  DiffRecModel model(6, config, init);
  const auto metric = [](const DiffRecModel&, std::int64_t) { return 1.0; };
  EXPECT_THROW(fit_diffrec(model, CsrMatrix::from_rows(6, {}), config, 1, metric), Error);
  EXPECT_THROW(fit_diffrec(model, grouped_matrix(8, 6, 2, 5), config, 1, [](const DiffRecModel&, std::int64_t) { return kNaN; }),
               Error);
  config.batch = 0;
  EXPECT_THROW(fit_diffrec(model, grouped_matrix(8, 6, 2, 5), config, 1, metric), Error);
  config = small_config();
  config.evaluate_every = 0;
  EXPECT_THROW(fit_diffrec(model, grouped_matrix(8, 6, 2, 5), config, 1, metric), Error);
}

// One update: its loss is from before it, and the metric is a number.
TEST(FitDiffRec, AModelWhoseLastUpdateRanAwayIsNotKept) {
  DiffRecConfig config = small_config();
  config.max_epochs = 1;
  config.batch = 100;
  config.learning_rate = std::numeric_limits<double>::infinity();
  const std::string text = tests::error_of(ErrorKind::kFit, [&] { fitted(grouped_matrix(70, 20, 2, 5), config, 3); });
  EXPECT_NE(text.find("DiffRec diverged in its last update: entry "), std::string::npos) << text;
}

TEST(FitDiffRec, APatienceThatNoEvaluationOutlivesIsRefused) {
  DiffRecConfig config = small_config();
  config.max_epochs = 12;
  config.evaluate_every = 4;
  config.patience = 4;
  const CsrMatrix x = grouped_matrix(8, 6, 2, 5);
  const std::string text = tests::error_of(ErrorKind::kMisuse, [&] { fitted(x, config, 3); });
  EXPECT_NE(text.find("a patience of 4 epochs ends the fit before its first evaluation, after 4 epochs"), std::string::npos)
      << text;
  std::vector<DiffRecEpoch> history;
  config.patience = 5;
  fitted(x, config, 3, &history);
  EXPECT_EQ(history.size(), 12U) << "every evaluation is better than the one before";
  config.patience = 4;
  config.max_epochs = 3;  // the last epoch is evaluated in any case
  fitted(x, config, 3, &history);
  EXPECT_EQ(history.size(), 3U);
}

// Written out: Recall on the selection users in the epochs that are evaluated, their inputs corrupted by noise of every
// evaluation's own, the best epoch's network on noise, one quantile.
TEST(DiffRecGenerator, IsDiffRecStoppedOnRecallAndSampledFromNoise) {
  const ProtocolData protocol = tests::tiny_protocol();
  GeneratorSettings settings = tests::tiny_settings(5);
  DiffRecConfig& config = settings.baselines.diffrec;
  config.noise_scale = 0.5;  // so that the noise tells
  config.noise_max = 0.5;
  config.inference_steps = 3;
  config.selection_cutoff = 5;
  config.evaluate_every = 3;  // of 7 epochs: three evaluations
  config.sampling_noise = true;
  const DiffRecSchedule schedule(config);
  constexpr std::uint64_t kGenerator = 22;  // its place in make_generators.cpp
  const auto seed = [&](std::uint64_t part) { return derive_seed(derive_seed(settings.seed, kGenerator), part); };
  nn::Initializer init(seed(1));
  DiffRecModel model(protocol.generator.cols(), config, init);
  std::vector<double> metrics;
  fit_diffrec(model, protocol.generator, config, seed(2), [&](const DiffRecModel& now, std::int64_t epoch) {
    const HeldOut users = protocol.selection(seed(3), static_cast<int>(epoch));  // fewer than a tile
    const RandomStream noise = {seed(3), Purpose::kPerturbation, static_cast<std::uint32_t>(metrics.size())};
    const Tensor scores = diffrec_scores(now, users.input, schedule, config, noise);
    metrics.push_back(mean_over_users(ranking_metrics(scores, users, {.cutoffs = {5}}).values("Recall@5")).value);
    return metrics.back();
  });
  ASSERT_EQ(metrics.size(), 3U);
  const CsrMatrix expected = sdrm::binarize_at_density(diffrec_samples(model, config, 30, seed(4)), 0.15).ones;

  tests::RecordingListener listener;
  const auto generator = tests::make_one("diffrec", settings);
  generator->fit(protocol, listener);
  EXPECT_TRUE(tests::same_pattern(generator->sample({30, 0.15}, listener).likes, expected));
  std::vector<double> told;
  for (const StageProgress& epoch : listener.progress["diffrec_fit"]) {
    if (epoch.metric) told.push_back(*epoch.metric);
  }
  EXPECT_EQ(told, metrics);
}

TEST(DiffRecGenerator, SaysWhenItDiverges) {
  GeneratorSettings settings = tests::tiny_settings();
  settings.baselines.diffrec.learning_rate = 1e30;
  tests::expect_divergence_is_told("diffrec", settings);
}

}  // namespace
}  // namespace tapestry::recsys
