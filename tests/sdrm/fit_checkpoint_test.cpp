// Trainings that are broken off and go on from a checkpoint, and what a checkpoint is refused for.
#include "sdrm/fit_checkpoint.h"

#include <limits>

#include "nn/layers.h"
#include "optim/adam.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tests/support/broken_off.h"
#include "tests/support/compare.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"
#include "tests/support/temp_folder.h"

namespace tapestry::sdrm {
namespace {

using tests::BrokenOff;
using tests::expect_to_go_on;
using tests::FileCheckpoint;
using tests::Fitted;
using tests::grouped_matrix;
using tests::test_device;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

VaeConfig vae_config() {
  VaeConfig config;
  config.hidden = 14;
  config.latent = 6;
  config.batch = 17;  // of 40 rows: the last batch is shorter
  config.learning_rate = 2e-3;
  config.max_epochs = 9;
  config.patience = 3;
  config.kl_steps = 12;  // beta grows until the fourth epoch
  return config;
}

TEST(FitCheckpoint, AMultiVaeGoesOnToTheSameBits) {
  const CsrMatrix rows = grouped_matrix(40, 30, 3, 5);
  // The third epoch is the best: the fit ends four behind it, before the last.
  const auto validate = [](const MultiVae&, std::int64_t epoch) { return epoch == 2 ? 1.0 : 0.1 * static_cast<double>(epoch); };
  expect_to_go_on(7, [&](std::uint64_t first_values, FitCheckpoint* checkpoint, const std::function<void()>& after_epoch) {
    nn::Initializer init(first_values, DType::kFloat32, test_device());
    auto model = std::make_unique<MultiVae>(30, vae_config(), init);
    Fitted fitted;
    const auto on_epoch = [&](const VaeEpoch& epoch) {
      fitted.told.insert(fitted.told.end(), {static_cast<double>(epoch.epoch), epoch.loss, epoch.metric});
      after_epoch();
    };
    const VaeFit fit = fit_vae(*model, rows, vae_config(), 11, validate, on_epoch, checkpoint);
    EXPECT_EQ(fit.best_epoch, 2);
    EXPECT_EQ(fit.history.size(), 7U);
    fitted.model = std::move(model);
    return fitted;
  });
}

TEST(FitCheckpoint, AFitThatHadJustStoppedIsNotTrainedOn) {
  const CsrMatrix rows = grouped_matrix(40, 30, 3, 5);
  const auto validate = [](const MultiVae&, std::int64_t epoch) { return epoch == 2 ? 1.0 : 0.0; };
  const tests::TempFolder folder;
  const std::filesystem::path file = folder.path() / "state.safetensors";
  for (const bool again : {false, true}) {
    nn::Initializer init(3, DType::kFloat32, test_device());
    MultiVae model(30, vae_config(), init);
    FileCheckpoint checkpoint(file, 1);
    std::int64_t told = 0;
    const VaeFit fit = fit_vae(
        model, rows, vae_config(), 11, validate, [&](const VaeEpoch&) { ++told; }, &checkpoint);
    EXPECT_EQ(checkpoint.earlier_epochs(), again ? 7 : 0);
    EXPECT_EQ(fit.history.size(), 7U);
    EXPECT_EQ(told, 7);
  }
}

TEST(FitCheckpoint, AScoreModelGoesOnToTheSameBits) {
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    const Tensor z0 = random_normal({40, 6}, {5, Purpose::kTest, 0}, 0, 1);
    ScoreConfig config;
    config.timesteps = 9;
    config.batch = 15;
    config.learning_rate = 1e-3;
    config.epochs = 3;
    config.variant = variant;
    expect_to_go_on(3, [&](std::uint64_t first_values, FitCheckpoint* checkpoint, const std::function<void()>& after_epoch) {
      nn::Initializer init(first_values, DType::kFloat32, test_device());
      auto model = std::make_unique<ScoreModel>(6, config, init);
      Fitted fitted;
      const auto on_epoch = [&](const ScoreEpoch& epoch) {
        fitted.told.insert(fitted.told.end(), {static_cast<double>(epoch.epoch), epoch.loss});
        after_epoch();
      };
      EXPECT_EQ(fit_score_model(*model, z0, config, 12, on_epoch, checkpoint).size(), 3U);
      fitted.model = std::move(model);
      return fitted;
    });
  }
}

/// Something of every kind that a training may have.
struct Everything {
  explicit Everything(std::uint64_t seed)
      : init(seed, DType::kFloat32, test_device()),
        model(3, 2, init),
        adam(model.parameters()),
        best(model),
        moments(Tensor::full({2, 2}, static_cast<double>(seed), DType::kFloat64, test_device())) {}
  void add_to(FitState& state) {
    state.add("model", model);
    state.add("adam", adam);
    state.add("best", best);
    state.add("moments", moments);
    state.add("count", count);
    state.add("metric", metric);
    state.add("history", history);
  }

  struct Record {
    std::int64_t epoch;
    double loss;
  };
  nn::Initializer init;
  nn::Linear model;
  optim::Adam adam;
  nn::Snapshot best;
  Tensor moments;
  std::int64_t count = 0;
  double metric = 0;
  std::vector<Record> history;
};

bool same(const Tensor& a, const Tensor& b) { return tests::same_bits(a.to(Device::kCpu), b.to(Device::kCpu)); }

TEST(FitState, EveryKindOfPartComesBack) {
  const tests::TempFolder folder;
  const std::filesystem::path file = folder.path() / "state.safetensors";
  Everything first(1);
  first.model.parameters().front().slot().accumulate(Tensor::full({2, 3}, 0.5, DType::kFloat32, test_device()));
  first.adam.step(0.1);
  first.best.take();
  first.adam.step(0.1);
  first.count = -5;
  first.metric = kNaN;
  first.history = {{0, 0.25}, {1, std::numeric_limits<double>::infinity()}};
  {
    FileCheckpoint checkpoint(file, 1);
    FitState state(&checkpoint);
    first.add_to(state);
    EXPECT_EQ(state.resume(), 0) << "there is none yet";
    state.epoch_made(2);
  }
  Everything second(2);
  FileCheckpoint checkpoint(file, 1);
  std::int64_t also = 0;
  FitState state(&checkpoint);
  second.add_to(state);
  EXPECT_EQ(state.resume(), 2);
  EXPECT_EQ(checkpoint.earlier_epochs(), 2);
  EXPECT_TRUE(tests::same_state(second.model, first.model));
  EXPECT_EQ(second.adam.steps(), 2);
  for (std::size_t i = 0; i < first.adam.moments().size(); ++i) {
    EXPECT_TRUE(same(second.adam.moments()[i].second, first.adam.moments()[i].second)) << i;
  }
  EXPECT_TRUE(second.best.taken());
  second.best.restore();
  first.best.restore();
  EXPECT_TRUE(tests::same_state(second.model, first.model));
  EXPECT_TRUE(same(second.moments, first.moments));
  EXPECT_EQ(second.count, -5);
  EXPECT_TRUE(std::isnan(second.metric));
  ASSERT_EQ(second.history.size(), 2U);
  EXPECT_EQ(second.history[1].epoch, 1);
  EXPECT_EQ(second.history[1].loss, std::numeric_limits<double>::infinity());

  // A file whose epochs are not those that it tells of.
  nn::TensorFile wrong = nn::load_tensors(file);
  wrong.tensors.at("epochs").data<std::int64_t>()[0] = 3;
  nn::save_tensors(file, wrong);
  Everything fourth(4);
  FitState torn(&checkpoint);
  fourth.add_to(torn);
  EXPECT_EQ(torn.resume(), 0);
  EXPECT_EQ(checkpoint.refused, "'history' has 2 rows after 3 epochs");

  // With one part more it is another training's, and nothing of it is taken up.
  Everything third(3);
  FitState other(&checkpoint);
  third.add_to(other);
  other.add("also", also);
  EXPECT_EQ(other.resume(), 0);
  EXPECT_NE(checkpoint.refused.find("tensors where"), std::string::npos) << checkpoint.refused;
  EXPECT_EQ(third.count, 0);
  EXPECT_EQ(third.adam.steps(), 0);
}

TEST(FitState, AFileThatDoesNotFitIsRefusedWithTheReason) {
  const tests::TempFolder folder;
  const std::filesystem::path file = folder.path() / "state.safetensors";
  const auto refused_for = [&](const std::map<std::string, Tensor>& tensors) {
    nn::save_tensors(file, {tensors, {}});
    FileCheckpoint checkpoint(file, 1);
    FitState state(&checkpoint);
    const Tensor own = Tensor::zeros({2, 3});
    std::int64_t number = 8;
    state.add("own", own);
    state.add("number", number);
    EXPECT_EQ(state.resume(), 0);
    EXPECT_EQ(number, checkpoint.refused.empty() ? 0 : 8);
    return checkpoint.refused;
  };
  const auto word = [](std::int64_t count) { return Tensor::zeros({count, 1}, DType::kInt64); };
  EXPECT_EQ(refused_for({{"own", Tensor::zeros({2, 3})}}), "1 tensors where 3 were expected");
  EXPECT_EQ(refused_for({{"own", Tensor::zeros({3, 2})}, {"number", word(1)}, {"epochs", word(1)}}),
            "'own' is float32 [3, 2], not float32 [2, 3]");
  EXPECT_EQ(refused_for({{"own", Tensor::zeros({2, 3}, DType::kFloat64)}, {"number", word(1)}, {"epochs", word(1)}}),
            "'own' is float64 [2, 3], not float32 [2, 3]");
  EXPECT_EQ(refused_for({{"owns", Tensor::zeros({2, 3})}, {"number", word(1)}, {"epochs", word(1)}}), "\"owns\" is unknown");
  EXPECT_EQ(refused_for({{"own", Tensor::zeros({2, 3})}, {"number", word(2)}, {"epochs", word(1)}}), "'number' is int64 [2, 1]");
  EXPECT_EQ(refused_for({{"own", Tensor::zeros({2, 3})}, {"number", Tensor::zeros({1, 1})}, {"epochs", word(1)}}),
            "'number' is float32 [1, 1]");
  EXPECT_EQ(refused_for({{"own", Tensor::zeros({2, 3})}, {"number", word(1)}, {"epochs", word(1)}}), "");
}

TEST(FitState, NamesComeOnce) {
  FitState state(nullptr);
  std::int64_t number = 0;
  state.add("number", number);
  EXPECT_THROW(state.add("number", number), Error);
  EXPECT_THROW(state.add("number", Tensor::zeros({1})), Error);
  EXPECT_THROW(state.add("epochs", Tensor::zeros({1})), Error);
  EXPECT_EQ(state.resume(), 0);
  state.epoch_made(1);
}

}  // namespace
}  // namespace tapestry::sdrm
