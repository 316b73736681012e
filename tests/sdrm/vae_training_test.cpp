#include "sdrm/vae_training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "sdrm/divergence.h"
#include "sdrm/early_stopping.h"
#include "sdrm/shuffle.h"
#include "tensor/parallel.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

using tests::grouped_matrix;
using tests::same_state;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

VaeConfig small_config() {
  VaeConfig config;
  config.hidden = 24;
  config.latent = 6;
  config.batch = 32;
  config.learning_rate = 5e-3;
  config.max_epochs = 5;
  return config;
}

double by_epoch(const MultiVae&, std::int64_t epoch) { return static_cast<double>(epoch); }  // the last epoch is the best

std::unique_ptr<MultiVae> fitted(const CsrMatrix& x, const VaeConfig& config, std::uint64_t seed, VaeFit* fit = nullptr) {
  nn::Initializer init(1);
  auto model = std::make_unique<MultiVae>(x.cols(), config, init);
  const VaeFit result = fit_vae(*model, x, config, seed, by_epoch);
  if (fit != nullptr) *fit = result;
  return model;
}

TEST(EarlyStopping, TheRoundingOfAMeanIsNoImprovement) {
  // The same three terms, summed in two orders.
  const double first = (0.1 + 0.2) + 0.3, second = 0.1 + (0.2 + 0.3);
  ASSERT_GT(first, second);
  EXPECT_FALSE(improves(first, second));
  EXPECT_FALSE(improves(0.5, 0.5));
  EXPECT_FALSE(improves(kNaN, -std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(improves(-3, -std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(improves(1e-300, 0));
  EXPECT_TRUE(improves(0.5 + 1e-9, 0.5));
  EXPECT_TRUE(improves(-0.5, -0.5 - 1e-9));
}

TEST(ShuffleRows, IsAPermutationThatDiffersByEpoch) {
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> second;
  shuffle_rows(100, {1, Purpose::kShuffle, 0}, first);
  shuffle_rows(100, {1, Purpose::kShuffle, 1}, second);
  EXPECT_NE(first, second);
  EXPECT_EQ(std::set<std::int32_t>(first.begin(), first.end()).size(), 100u);
  EXPECT_EQ(*std::max_element(first.begin(), first.end()), 99);
  shuffle_rows(0, {1, Purpose::kShuffle, 0}, first);
  EXPECT_TRUE(first.empty());
}

TEST(ShuffleRows, EveryOrderIsAsLikely) {
  std::map<std::vector<std::int32_t>, int> seen;
  std::vector<std::int32_t> order;
  for (std::uint32_t step = 0; step < 6000; ++step) {
    shuffle_rows(3, {1, Purpose::kShuffle, step}, order);
    ++seen[order];
  }
  ASSERT_EQ(seen.size(), 6u);
  for (const auto& [permutation, count] : seen) EXPECT_NEAR(count, 1000, 130);
}

/// The fraction of (held-out item, other item) pairs that the model ranks rightly, from the other half of each profile: 0.5 is
/// chance.
double ranking_quality(const MultiVae& model, const CsrMatrix& x) {
  std::vector<std::vector<std::int32_t>> inputs(static_cast<std::size_t>(x.rows()));
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    for (std::size_t i = 0; i < x.row(row).size(); i += 2) inputs[static_cast<std::size_t>(row)].push_back(x.row(row)[i]);
  }
  const Tensor logits = model.decode(model.latents(CsrMatrix::from_rows(x.cols(), inputs))).value();
  double right = 0;
  double pairs = 0;
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const std::span<const float> scores = logits.span<float>().subspan(static_cast<std::size_t>(row * x.cols()));
    const std::set<std::int32_t> liked(x.row(row).begin(), x.row(row).end());
    for (std::size_t i = 1; i < x.row(row).size(); i += 2) {
      for (std::int32_t other = 0; other < x.cols(); ++other) {
        if (liked.contains(other)) continue;
        right += scores[static_cast<std::size_t>(x.row(row)[i])] > scores[static_cast<std::size_t>(other)];
        ++pairs;
      }
    }
  }
  return right / pairs;
}

TEST(VaeConfig, HasThePapersDefaults) {
  const VaeConfig config;
  EXPECT_EQ(config.kl_cap, 0.2);
  EXPECT_EQ(config.kl_steps, 20000);
  EXPECT_EQ(config.max_epochs, 500);
  EXPECT_EQ(config.patience, 20);
  EXPECT_EQ(config.dropout, 0.5);
}

TEST(KlWeight, GrowsToTheCapAndIsThereAtOnceWithoutSteps) {
  VaeConfig config;
  config.kl_cap = 0.3;
  config.kl_steps = 200;
  for (const auto& [update, expected] : {std::pair(0, 0.0), std::pair(20, 0.1), std::pair(60, 0.3), std::pair(1000, 0.3)}) {
    EXPECT_EQ(kl_weight(config, update), expected) << update;
  }
  config.kl_steps = 0;
  EXPECT_EQ(kl_weight(config, 0), 0.3);
  EXPECT_EQ(kl_weight(config, 5), 0.3);
}

TEST(FitVae, LearnsTheTastesOfUsersItHasNotSeen) {
  VaeConfig config = small_config();
  config.max_epochs = 60;
  VaeFit fit;
  const auto model = fitted(grouped_matrix(160, 40, 4, 5), config, 3, &fit);
  EXPECT_LT(fit.history.back().loss, 0.95 * fit.history.front().loss);
  const double quality = ranking_quality(*model, grouped_matrix(80, 40, 4, 6));
  EXPECT_TRUE(quality >= 0.8) << quality;
}

TEST(FitVae, StopsAfterMoreThanPatienceEpochsAndRestoresTheBest) {
  // Of patience 3: equal is no improvement, NaN is none, and the count starts again at every improvement.
  const std::vector<double> metrics = {kNaN, 0.1, 0.05, kNaN, 0.1, 0.3, 0.3, kNaN, -1, 0.2, 9, 9};
  VaeConfig config = small_config();
  config.max_epochs = 100;
  config.patience = 3;
  nn::Initializer init(1);
  const CsrMatrix x = grouped_matrix(40, 20, 2, 5);
  MultiVae model(20, config, init);
  MultiVae best(20, config, init);
  std::vector<double> reported;
  const VaeFit fit = fit_vae(
      model, x, config, 3,
      [&](const MultiVae& current, std::int64_t epoch) {
        if (epoch == 5) best.load_state(current.state());
        return metrics.at(static_cast<std::size_t>(epoch));
      },
      [&](const VaeEpoch& epoch) { reported.push_back(epoch.loss); });
  EXPECT_EQ(fit.history.size(), 10u);  // epochs 6 to 9 are the four that did not improve on epoch 5
  EXPECT_EQ(fit.best_epoch, 5);
  EXPECT_EQ(fit.best_metric, 0.3);
  EXPECT_TRUE(same_state(model, best));
  ASSERT_EQ(reported.size(), fit.history.size());
  for (std::size_t i = 0; i < reported.size(); ++i) {
    EXPECT_EQ(fit.history[i].loss, reported[i]);
    EXPECT_EQ(fit.history[i].epoch, static_cast<std::int64_t>(i));
  }
}

TEST(FitVae, ThePaperStopsInTheTwentyFirstEpochWithoutImprovement) {
  VaeConfig config;
  config.hidden = 3;
  config.latent = 2;
  nn::Initializer init(1);
  MultiVae model(6, config, init);
  const VaeFit fit = fit_vae(model, grouped_matrix(8, 6, 2, 5), config, 3,
                             [](const MultiVae&, std::int64_t epoch) { return epoch == 2 ? 1.0 : 0.0; });
  EXPECT_EQ(fit.best_epoch, 2);
  EXPECT_EQ(fit.history.size(), 3u + 21u);
}

TEST(FitVae, RefusesAMetricThatIsNeverANumber) {
  const VaeConfig config = small_config();
  nn::Initializer init(1);
  MultiVae model(20, config, init);
  try {
    fit_vae(model, grouped_matrix(40, 20, 2, 5), config, 3, [](const MultiVae&, std::int64_t) { return kNaN; });
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
    EXPECT_NE(std::string(error.what()).find("metric was nan"), std::string::npos) << error.what();
  }
}

/// What fit_vae is to do, written out: order, batches, beta, streams and updates. Returns each epoch's mean loss.
std::vector<double> train_by_hand(const MultiVae& model, const CsrMatrix& x, const VaeConfig& config, std::uint64_t seed) {
  optim::Adam adam(model.parameters());
  std::vector<double> losses;
  std::uint32_t update = 0;
  for (std::uint32_t epoch = 0; epoch < config.max_epochs; ++epoch) {
    double sum = 0;
    const std::uint32_t first = update;
    std::vector<std::int32_t> order;
    shuffle_rows(x.rows(), {seed, Purpose::kShuffle, epoch}, order);
    while (!order.empty()) {
      const auto count = std::min(order.size(), static_cast<std::size_t>(config.batch));
      const CsrMatrix batch = x.gather_rows(std::span(order).first(count));
      order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
      double beta = update / config.kl_steps;
      if (beta > config.kl_cap) beta = config.kl_cap;
      autograd::Tape tape;
      const Tensor noise = random_normal({batch.rows(), config.latent}, {seed, Purpose::kVaeLatent, update});
      const VaeLoss loss =
          vae_loss(model, model.encode(batch, RandomStream{seed, Purpose::kVaeDropout, update}), noise, batch, beta);
      tape.backward(loss.total);
      adam.step(config.learning_rate);
      model.clear_gradients();
      sum += loss.total.value().item();
      ++update;
    }
    losses.push_back(sum / (update - first));
  }
  return losses;
}

TEST(FitVae, IsTheLoopOfThePaperBitForBit) {
  VaeConfig config = small_config();
  config.kl_steps = 30;  // beta reaches its cap of 0.2 at update 6 of 15, and passes through 0 and 1/30 before
  const CsrMatrix x = grouped_matrix(70, 20, 2, 5);  // 32 + 32 + 6 rows
  nn::Initializer init(1);
  const MultiVae expected(20, config, init);
  const std::vector<double> losses = train_by_hand(expected, x, config, 3);
  VaeFit fit;
  EXPECT_TRUE(same_state(*fitted(x, config, 3, &fit), expected));
  ASSERT_EQ(fit.history.size(), losses.size());
  for (std::size_t epoch = 0; epoch < losses.size(); ++epoch) EXPECT_DOUBLE_EQ(fit.history[epoch].loss, losses[epoch]) << epoch;
  config.kl_steps = 31;
  EXPECT_FALSE(same_state(*fitted(x, config, 3), expected));
}

TEST(FitVae, SameSeedSameBytesAndThreadsDoNotMatter) {
  VaeConfig config = small_config();
  config.hidden = 300;
  config.batch = 100;
  config.max_epochs = 2;
  const CsrMatrix x = grouped_matrix(230, 400, 4, 5);  // products large enough to be split among threads
  const auto expected = fitted(x, config, 3);
  EXPECT_FALSE(same_state(*fitted(x, config, 4), *expected));
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    EXPECT_TRUE(same_state(*fitted(x, config, 3), *expected)) << threads << " threads";
  }
  set_num_threads(0);
}

TEST(FitVae, TakesOddSizes) {
  VaeConfig config = small_config();
  const auto expect_finite = [&](const CsrMatrix& x) {
    VaeFit fit;
    const auto model = fitted(x, config, 3, &fit);
    for (const VaeEpoch& epoch : fit.history) EXPECT_TRUE(std::isfinite(epoch.loss));
    const Tensor latents = model->latents(x);
    for (const float value : latents.span<float>()) EXPECT_TRUE(std::isfinite(value));
  };
  expect_finite(CsrMatrix::from_rows(5, {{0, 3}}));               // one row, batch larger than that
  expect_finite(CsrMatrix::from_rows(5, {{0, 3}, {}, {1}, {}}));  // users without items
  expect_finite(CsrMatrix::from_rows(5, {{}}));                   // nobody has any
  expect_finite(CsrMatrix::from_rows(1, {{0}, {0}, {}}));         // one item
  config.batch = 1;
  expect_finite(CsrMatrix::from_rows(3, {{0, 1, 2}, {}, {1}}));
  nn::Initializer init(1);
  MultiVae model(5, config, init);
  EXPECT_THROW(fit_vae(model, CsrMatrix::from_rows(5, {}), config, 3, by_epoch), Error);
  config.batch = 0;
  EXPECT_THROW(fit_vae(model, CsrMatrix::from_rows(5, {{1}}), config, 3, by_epoch), Error);
}

/// Fitting 70 users of 20 items fails with Error(kFit) that says this.
void expect_no_fit(const VaeConfig& config, const std::string& says) {
  nn::Initializer init(1);
  MultiVae model(20, config, init);
  try {
    fit_vae(model, grouped_matrix(70, 20, 2, 5), config, 3, by_epoch);
    ADD_FAILURE() << "did not notice: " << says;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
    EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
  }
}

TEST(FitVae, SaysSoWhenItDiverges) {
  VaeConfig config = small_config();
  config.learning_rate = 1e6;
  expect_no_fit(config, "lower learning rate");
}

// One update: its loss is from before it, and the metric is a number.
TEST(FitVae, AModelWhoseLastUpdateRanAwayIsNotKept) {
  VaeConfig config = small_config();
  config.max_epochs = 1;
  config.batch = 100;
  config.learning_rate = std::numeric_limits<double>::infinity();
  expect_no_fit(config, "MultiVAE diverged in its last update: entry ");
}

TEST(CheckLastUpdate, NamesTheFirstParameterThatIsNoNumber) {
  nn::Initializer init(1);
  const MultiVae model(20, small_config(), init);
  check_last_update("M", model, 1);
  for (const nn::NamedParameter& parameter : model.named_parameters()) {
    if (parameter.name == "decoder.0.bias") parameter.variable.value().data<float>()[3] = -std::numeric_limits<float>::infinity();
  }
  try {
    check_last_update("M", model, 0.5);
    FAIL() << "did not notice";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
    EXPECT_STREQ(error.what(),
                 "M diverged in its last update: entry 3 of its parameter decoder.0.bias is -inf (a lower learning rate than 0.5 "
                 "may help)");
  }
}

}  // namespace
}  // namespace tapestry::sdrm
