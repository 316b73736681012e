// recsys/generators/codigem_training.h and codigem_generator.h: the training loop.
#include "recsys/generators/codigem_training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "optim/adamax.h"
#include "recsys/generators/fit_log.h"
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

CodigemConfig small_config() {
  CodigemConfig config;
  config.width = 16;
  config.batch = 32;
  config.max_epochs = 4;
  return config;
}

std::unique_ptr<CodigemModel> fitted(const CsrMatrix& x, const CodigemConfig& config, std::uint64_t seed) {
  nn::Initializer init(1);
  auto model = std::make_unique<CodigemModel>(x.cols(), config, init);
  fit_codigem(*model, x, config, seed, [](const CodigemModel&, std::int64_t epoch) { return static_cast<double>(epoch); });
  return model;
}

TEST(FitCodigem, IsTheLoopWrittenOutBitForBit) {
  CodigemConfig config = small_config();
  const CsrMatrix x = grouped_matrix(70, 20, 2, 5);  // 32 + 32 + 6 rows
  nn::Initializer init(1);
  const CodigemModel expected(20, config, init);
  optim::Adamax adamax(expected.parameters());
  std::vector<double> losses, lowest;  // of the epochs; log-variances of all batches
  std::uint32_t noises = 0;
  for (std::uint32_t epoch = 0; epoch < 4; ++epoch) {
    losses.push_back(0);
    lowest.push_back(std::numeric_limits<double>::infinity());
    std::vector<std::int32_t> order;
    sdrm::shuffle_rows(70, {3, Purpose::kShuffle, epoch}, order);
    for (std::size_t begin = 0; begin < 70; begin += 32) {
      const Tensor rows =
          dense(x.gather_rows(std::span(order).subspan(begin, std::min<std::size_t>(32, 70 - begin))), DType::kFloat32);
      const auto noise = [&](std::int64_t) { return random_normal(rows.shape(), {3, Purpose::kNoise, ++noises}); };
      const auto look = [&](const Tensor& output) {
        for (std::int64_t i = 0; i < output.numel(); ++i) {
          if (i % 40 >= 20) lowest.back() = std::min(lowest.back(), static_cast<double>(output.data<float>()[i]));
        }
      };
      std::vector<double> terms;
      for (const Tensor& term : codigem_gradients(expected, rows, noise_chain(rows, config.beta, 3, noise), config, look)) {
        terms.push_back(term.item());
      }
      losses.back() += codigem_loss(terms, rows.shape(), config) / 3;
      adamax.step(config.learning_rate);
      adamax.clear_gradients();
    }
  }
  nn::Initializer same_init(1);
  CodigemModel model(20, config, same_init);
  const auto rising = [](const CodigemModel&, std::int64_t epoch) { return static_cast<double>(epoch); };
  const std::vector<CodigemEpoch> history = fit_codigem(model, x, config, 3, rising);
  EXPECT_TRUE(same_state(model, expected));
  ASSERT_EQ(history.size(), losses.size());
  for (std::size_t epoch = 0; epoch < losses.size(); ++epoch) {
    EXPECT_NEAR(history[epoch].loss, losses[epoch], 1e-9);
    EXPECT_EQ(history[epoch].lowest_log_variance, lowest[epoch]);
  }
  config.variant = CodigemVariant::kCorrected;
  EXPECT_FALSE(same_state(*fitted(x, config, 3), expected));
}

TEST(FitCodigem, StopsAfterElevenEpochsThatBringNothing) {
  CodigemConfig config;
  config.width = 3;
  nn::Initializer init(1);
  CodigemModel model(6, config, init), best(6, config, init);
  const auto history =
      fit_codigem(model, grouped_matrix(8, 6, 2, 5), config, 3, [&](const CodigemModel& now, std::int64_t epoch) {
        if (epoch == 2) best.load_state(now.state());
        return epoch == 2 ? 1.0 : epoch == 4 ? kNaN : 0.5;
      });
  EXPECT_EQ(history.size(), 3u + 11u);
  EXPECT_TRUE(same_state(model, best));
}

TEST(FitCodigem, WarnsWhereNothingHoldsALogVarianceFromTheOverflow) {
  CodigemConfig config;
  EXPECT_FALSE(overflow_warning(0, config));
  EXPECT_FALSE(overflow_warning(-60, config));
  const std::string text = overflow_warning(-60.5, config).value_or("nothing");
  EXPECT_NE(text.find("a log-variance fell to -60.5;"), std::string::npos) << text;
  config.clamp = 20;
  EXPECT_FALSE(overflow_warning(-500, config)) << "taken for -20";
  config.clamp = 80;
  EXPECT_TRUE(overflow_warning(-500, config)) << "taken for -80";
}

TEST(FitCodigem, LearnsToCompleteRows) {
  CodigemConfig config = small_config();
  config.width = 32;
  config.max_epochs = 60;
  config.learning_rate = 5e-3;
  const auto model = fitted(grouped_matrix(160, 40, 4, 5), config, 3);
  const HeldOut users = tests::halves(grouped_matrix(80, 40, 4, 6));
  const Tensor scores = codigem_scores(*model, users.input, config.beta, {});
  const double recall = mean_over_users(ranking_metrics(scores, users, {.cutoffs = {5}}).recall(0)).value;
  EXPECT_TRUE(recall >= 0.5) << recall;  // chance is 0.14
}

TEST(FitCodigem, RefusesWhatCannotBeTrained) {
  nn::Initializer init(1);
  CodigemConfig config = small_config();
  CodigemModel model(6, config, init);
  const auto metric = [](const CodigemModel&, std::int64_t) { return 1.0; };
  EXPECT_THROW(fit_codigem(model, CsrMatrix::from_rows(6, {}), config, 1, metric), Error);
  EXPECT_THROW(fit_codigem(model, grouped_matrix(8, 6, 2, 5), config, 1, [](const CodigemModel&, std::int64_t) { return kNaN; }),
               Error);
  config.batch = 0;
  EXPECT_THROW(fit_codigem(model, grouped_matrix(8, 6, 2, 5), config, 1, metric), Error);
  config = small_config();
  config.beta = 0;  // the model takes it: then there is no noise
  const std::string text =
      tests::error_of(ErrorKind::kMisuse, [&] { fit_codigem(model, grouped_matrix(8, 6, 2, 5), config, 1, metric); });
  EXPECT_NE(text.find("beta 0 is not positive"), std::string::npos) << text;
}

// One update: its loss is from before it, and the metric is a number.
TEST(FitCodigem, AModelWhoseLastUpdateRanAwayIsNotKept) {
  CodigemConfig config = small_config();
  config.max_epochs = 1;
  config.batch = 100;
  config.learning_rate = std::numeric_limits<double>::infinity();
  const std::string text = tests::error_of(ErrorKind::kFit, [&] { fitted(grouped_matrix(70, 20, 2, 5), config, 3); });
  EXPECT_NE(text.find("CODIGEM diverged in its last update: entry "), std::string::npos) << text;
}

// Written out: Recall on the selection users after each epoch, their inputs with noise of every epoch's own or with none, the
// best epoch's networks on noise, one quantile.
TEST(CodigemGenerator, IsCodigemStoppedOnRecallAndSampledFromNoise) {
  const ProtocolData protocol = tests::tiny_protocol();
  for (const bool noisy : {true, false}) {
    GeneratorSettings settings = tests::tiny_settings(5);
    CodigemConfig& config = settings.baselines.codigem;
    config.beta = 0.2;  // so that the noise tells
    config.selection_cutoff = 5;
    config.evaluation_noise = noisy;
    constexpr std::uint64_t kGenerator = 21;  // its place in make_generators.cpp
    const auto seed = [&](std::uint64_t part) { return derive_seed(derive_seed(settings.seed, kGenerator), part); };
    nn::Initializer init(seed(1));
    CodigemModel model(protocol.generator.cols(), config, init);
    std::vector<double> metrics;
    fit_codigem(model, protocol.generator, config, seed(2), [&](const CodigemModel& now, std::int64_t epoch) {
      const HeldOut users = protocol.selection(seed(3), static_cast<int>(epoch));  // fewer than a tile
      std::optional<RandomStream> noise;
      if (noisy) noise = RandomStream{seed(3), Purpose::kPerturbation, static_cast<std::uint32_t>(epoch)};
      const Tensor scores = codigem_scores(now, users.input, config.beta, noise);
      metrics.push_back(mean_over_users(ranking_metrics(scores, users, {.cutoffs = {5}}).values("Recall@5")).value);
      return metrics.back();
    });
    const CsrMatrix expected = sdrm::binarize_at_density(codigem_samples(model, config, 30, seed(4)), 0.15).ones;

    tests::RecordingListener listener;
    const auto generator = tests::make_one("codigem", settings);
    generator->fit(protocol, listener);
    EXPECT_TRUE(tests::same_pattern(generator->sample({30, 0.15}, listener).likes, expected)) << noisy;
    const std::vector<StageProgress>& epochs = listener.progress["codigem_fit"];
    ASSERT_EQ(epochs.size(), metrics.size());
    for (std::size_t i = 0; i < metrics.size(); ++i) EXPECT_EQ(epochs[i].metric, metrics[i]) << noisy << " " << i;
  }
}

TEST(CodigemGenerator, ItsHistoryHasTheLowestLogVarianceOfEachEpoch) {
  const tests::TempFolder folder;
  const ProtocolData protocol = tests::tiny_protocol();
  const GeneratorSettings settings = tests::tiny_settings(5, {folder.path() / "run", folder.path() / "run", "one"});
  tests::RecordingListener listener;
  tests::make_one("codigem", settings)->fit(protocol, listener);

  const CodigemConfig& config = settings.baselines.codigem;
  const auto seed = [&](std::uint64_t part) { return derive_seed(derive_seed(settings.seed, 21), part); };
  nn::Initializer init(seed(1));
  CodigemModel model(protocol.generator.cols(), config, init);
  std::string expected = "epoch,loss,metric,lowest_log_variance\n";
  const auto metric = [&](const CodigemModel&, std::int64_t epoch) {
    return listener.progress["codigem_fit"].at(static_cast<std::size_t>(epoch)).metric.value();
  };
  fit_codigem(model, protocol.generator, config, seed(2), metric, [&](const CodigemEpoch& epoch) {
    expected += history_line(epoch.epoch, epoch.loss, epoch.metric, "," + shortest_digits(epoch.lowest_log_variance));
  });
  EXPECT_EQ(tests::read_file(history_file(folder.path() / "run", "codigem_fit")), expected);
}

TEST(CodigemGenerator, SaysWhenItDiverges) {
  GeneratorSettings settings = tests::tiny_settings();
  settings.baselines.codigem.learning_rate = 1e30;
  tests::expect_divergence_is_told("codigem", settings);
}

}  // namespace
}  // namespace tapestry::recsys
