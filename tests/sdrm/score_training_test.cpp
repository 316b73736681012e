#include "sdrm/score_training.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <vector>

#include "autograd/tape.h"
#include "nn/safetensors.h"
#include "optim/adam.h"
#include "sdrm/multivae.h"
#include "sdrm/objective.h"
#include "sdrm/sampling.h"
#include "sdrm/shuffle.h"
#include "tensor/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"
#include "tests/support/temp_folder.h"

namespace tapestry::sdrm {
namespace {

using tests::same_bits;
using tests::same_state;

ScoreConfig small_config(Variant variant = Variant::kPublished, Objective objective = Objective::kScore) {
  ScoreConfig config;
  config.timesteps = 12;
  config.batch = 32;
  config.learning_rate = 2e-3;
  config.epochs = 5;
  config.noise_scale = 0.5;
  config.variant = variant;
  config.objective = objective;
  return config;
}

/// Latents in two clusters, at (1, -1, 1, ..) and opposite.
Tensor clusters(std::int64_t rows, std::int64_t latent) {
  const Tensor z = random_normal({rows, latent}, {2, Purpose::kTest, 0}, 0, 0.1);
  for (std::int64_t i = 0; i < z.numel(); ++i) z.data<float>()[i] += ((i / latent) + (i % latent)) % 2 == 0 ? 1.0f : -1.0f;
  return z;
}

std::unique_ptr<ScoreModel> fitted(const Tensor& z0, const ScoreConfig& config, std::uint64_t seed,
                                   std::vector<ScoreEpoch>* history = nullptr) {
  nn::Initializer init(1);
  auto model = std::make_unique<ScoreModel>(z0.cols(), config, init);
  const std::vector<ScoreEpoch> epochs = fit_score_model(*model, z0, config, seed);
  if (history != nullptr) *history = epochs;
  return model;
}

TEST(ScoreConfig, HasThePapersDefaults) {
  const ScoreConfig config;
  EXPECT_EQ(config.l2, 1e-4);
  EXPECT_EQ(config.dropout, 0.5);
  EXPECT_EQ(config.noise_scale, 1);
  EXPECT_TRUE(config.removes_noise && config.ties_layers() && config.drops_while_sampling());
}

TEST(FitScoreModel, EveryObjectiveIsLearnt) {
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    for (const Objective objective : {Objective::kScore, Objective::kEpsilon, Objective::kX0, Objective::kDenoising}) {
      ScoreConfig config = small_config(variant, objective);
      config.epochs = 40;
      // || sigma s + eps || with |s| <= 1, as the tanh has it, can be small only where sigma is large.
      if (objective == Objective::kDenoising) config.noise_scale = 3;
      std::vector<ScoreEpoch> history;
      fitted(clusters(200, 6), config, 3, &history);
      ASSERT_EQ(history.size(), 40u);
      double first = 0;
      double last = 0;
      for (std::size_t i = 0; i < 5; ++i) {
        first += history[i].loss;
        last += history[history.size() - 1 - i].loss;
      }
      EXPECT_TRUE(last < 0.97 * first) << "variant " << static_cast<int>(variant) << " objective " << static_cast<int>(objective)
                                       << ": " << first / 5 << " to " << last / 5;
    }
  }
}

TEST(FitScoreModel, PredictsTheLatentsBetterThanTheirMean) {
  ScoreConfig config = small_config(Variant::kPaper, Objective::kX0);
  config.epochs = 150;
  const Tensor z0 = clusters(200, 6);
  const auto model = fitted(z0, config, 3);
  const Variable guess = model->forward(z0, tests::repeated(200, 1));
  double error = 0;
  for (std::int64_t i = 0; i < z0.numel(); ++i) error += std::pow(guess.value().data<float>()[i] - z0.data<float>()[i], 2);
  EXPECT_TRUE(error / static_cast<double>(z0.numel()) <= 0.3) << error / static_cast<double>(z0.numel());  // the mean's is 1
}

/// What fit_score_model is to do, written out: order, batches, draws, rate and updates. Returns each epoch's mean loss.
std::vector<double> train_by_hand(const ScoreModel& model, const Tensor& z0, const ScoreConfig& config, std::uint64_t seed) {
  optim::Adam adam(model.parameters(), {.l2 = config.l2});
  const NoiseSchedule schedule(config.timesteps);
  std::vector<double> losses;
  std::uint32_t update = 0;
  for (std::uint32_t epoch = 0; epoch < config.epochs; ++epoch) {
    double sum = 0;
    const std::uint32_t first = update;
    std::vector<std::int32_t> order;
    shuffle_rows(z0.rows(), {seed, Purpose::kShuffle, epoch}, order);
    while (!order.empty()) {
      const auto count = std::min<std::ptrdiff_t>(std::ssize(order), config.batch);
      ScoreBatch batch;
      batch.z0 = gather_rows(z0, Tensor::from<std::int32_t>(std::span(order).first(static_cast<std::size_t>(count)), {count}));
      order.erase(order.begin(), order.begin() + count);
      RandomSequence steps({seed, Purpose::kTimestep, update});
      std::vector<std::int32_t> t;
      for (std::ptrdiff_t i = 0; i < count; ++i)
        t.push_back(static_cast<std::int32_t>(1 + steps.below(static_cast<std::uint32_t>(config.timesteps))));
      batch.t = Tensor::from<std::int32_t>(t, {count});
      batch.noise = random_normal(batch.z0.shape(), {seed, Purpose::kNoise, update});
      batch.perturbation = random_normal(batch.z0.shape(), {seed, Purpose::kPerturbation, update}, 0, 0.1);
      const ScorePasses passes = score_passes(batch, schedule, config);
      autograd::Tape tape;
      const Variable output = model.forward(passes.z, passes.t, RandomStream{seed, Purpose::kScoreDropout, update});
      const Variable loss = score_loss(output, batch, passes, schedule, config);
      tape.backward(loss);
      adam.step(config.learning_rate * (1 - static_cast<double>(epoch) / static_cast<double>(config.epochs)));
      model.clear_gradients();
      sum += loss.value().item();
      ++update;
    }
    losses.push_back(sum / (update - first));
  }
  return losses;
}

TEST(FitScoreModel, IsTheLoopOfThePaperBitForBit) {
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    const ScoreConfig config = small_config(variant);
    const Tensor z0 = clusters(70, 6);  // 32 + 32 + 6 rows
    nn::Initializer init(1);
    const ScoreModel expected(6, config, init);
    const std::vector<double> losses = train_by_hand(expected, z0, config, 3);
    std::vector<ScoreEpoch> history;
    EXPECT_TRUE(same_state(*fitted(z0, config, 3, &history), expected));
    ASSERT_EQ(history.size(), losses.size());
    for (std::size_t epoch = 0; epoch < losses.size(); ++epoch) EXPECT_DOUBLE_EQ(history[epoch].loss, losses[epoch]) << epoch;
  }
}

TEST(FitScoreModel, SameSeedSameBytesAndThreadsDoNotMatter) {
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    ScoreConfig config = small_config(variant);
    config.batch = 200;
    config.epochs = 2;
    const Tensor z0 = clusters(450, 150);  // products large enough to be split among threads
    const auto expected = fitted(z0, config, 3);
    EXPECT_FALSE(same_state(*fitted(z0, config, 4), *expected));
    for (const int threads : {1, 2, 3}) {
      set_num_threads(threads);
      EXPECT_TRUE(same_state(*fitted(z0, config, 3), *expected)) << threads << " threads";
    }
    set_num_threads(0);
  }
}

TEST(FitScoreModel, TakesOddSizes) {
  ScoreConfig config = small_config();
  for (const std::int64_t rows : {2, 31, 33}) {
    config.timesteps = rows == 31 ? 1 : 12;
    std::vector<ScoreEpoch> history;
    fitted(clusters(rows, 5), config, 3, &history);
    for (const ScoreEpoch& epoch : history) EXPECT_TRUE(std::isfinite(epoch.loss)) << rows;
  }
  std::vector<ScoreEpoch> history;
  fitted(clusters(1, 4), config, 3, &history);  // the variance of the published objective is over entries, not rows
  EXPECT_TRUE(std::isfinite(history.back().loss));
  fitted(clusters(4, 1), small_config(Variant::kPaper), 3, &history);
  EXPECT_TRUE(std::isfinite(history.back().loss));
}

TEST(FitScoreModel, RefusesWhatDoesNotFit) {
  const ScoreConfig config = small_config();
  nn::Initializer init(1);
  ScoreModel model(5, config, init);
  EXPECT_THROW(fit_score_model(model, clusters(10, 4), config, 3), Error);
  EXPECT_THROW(fit_score_model(model, Tensor::zeros({0, 5}), config, 3), Error);
  EXPECT_THROW(fit_score_model(model, clusters(10, 5), small_config(Variant::kPaper), 3), Error);
  ScoreConfig other = config;
  other.timesteps = 13;
  EXPECT_THROW(fit_score_model(model, clusters(10, 5), other, 3), Error);
  other = config;
  other.epochs = 0;
  EXPECT_THROW(fit_score_model(model, clusters(10, 5), other, 3), Error);
  other = config;
  other.batch = 0;
  EXPECT_THROW(fit_score_model(model, clusters(10, 5), other, 3), Error);
}

// The published objective divides by the variance of a batch's entries.
TEST(FitScoreModel, RefusesABatchOfASingleNumberBeforehand) {
  const ScoreConfig config = small_config();  // batches of 32
  const auto refusal = [&](std::int64_t rows) -> std::string {
    nn::Initializer init(1);
    ScoreModel model(1, config, init);
    try {
      fit_score_model(model, clusters(rows, 1), config, 3);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kMisuse);
      return error.what();
    }
    return "";
  };
  EXPECT_NE(refusal(33).find("33 latents of width 1 in batches of 32 leave a batch of a single number"), std::string::npos);
  EXPECT_NE(refusal(1), "");
  for (const std::int64_t rows : {2, 32, 34, 64}) EXPECT_EQ(refusal(rows), "") << rows;
  fitted(clusters(33, 1), small_config(Variant::kPublished, Objective::kEpsilon), 3);  // has no variance in it
}

TEST(FitScoreModel, SaysSoWhenItDiverges) {
  ScoreConfig config = small_config(Variant::kPaper);
  config.learning_rate = 1e6;
  config.hidden_layers = 6;
  nn::Initializer init(1);
  ScoreModel model(20, config, init);
  try {
    fit_score_model(model, clusters(100, 20), config, 3);
    FAIL() << "did not notice";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
    EXPECT_NE(std::string(error.what()).find("lower learning rate"), std::string::npos) << error.what();
  }
}

// One update: its loss is from before it.
TEST(FitScoreModel, AModelWhoseLastUpdateRanAwayIsNotKept) {
  ScoreConfig config = small_config();
  config.epochs = 1;
  config.batch = 100;
  config.learning_rate = std::numeric_limits<double>::infinity();
  nn::Initializer init(1);
  ScoreModel model(6, config, init);
  try {
    fit_score_model(model, clusters(70, 6), config, 3);
    FAIL() << "did not notice";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
    EXPECT_NE(std::string(error.what()).find("SDRM diverged in its last update: entry "), std::string::npos) << error.what();
  }
}

TEST(SavedModels, GiveTheSameSamples) {
  const tests::TempFolder folder;
  const std::filesystem::path path = folder.path() / "saved.safetensors";
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    const ScoreConfig config = small_config(variant);
    const auto model = fitted(clusters(70, 6), config, 3);
    nn::save_module(*model, path);
    nn::Initializer other(99);
    ScoreModel loaded(6, config, other);
    EXPECT_FALSE(same_state(loaded, *model));
    nn::load_module(loaded, path);
    EXPECT_TRUE(same_state(loaded, *model));
    SamplingOptions options;
    options.resolution = Resolution::kMulti;
    EXPECT_TRUE(same_bits(sample_latents(loaded, 50, options, 5), sample_latents(*model, 50, options, 5)));
  }
  VaeConfig config;
  config.hidden = 8;
  config.latent = 6;
  nn::Initializer init(1);
  const MultiVae vae(15, config, init);
  nn::save_module(vae, path);
  MultiVae loaded(15, config, init);
  nn::load_module(loaded, path);
  const Tensor z = sample_prior(20, 6, 5);
  EXPECT_TRUE(same_bits(loaded.decode(z).value(), vae.decode(z).value()));
}

}  // namespace
}  // namespace tapestry::sdrm
