// Training and sampling with their steps repeated as CUDA graphs, against the same loops with every step called.
#include "sdrm/sampling.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tensor/step_graph.h"
#include "tests/support/asked.h"
#include "tests/support/compare.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"
#include "tests/support/graphs_switch.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"
#include "tests/support/side_by_side.h"

namespace tapestry::sdrm {
namespace {

using tests::GraphsSwitch;
using tests::same_bits;
using tests::same_state;

class SdrmOnDeviceGraphs : public tests::GpuTest {
 protected:
  static VaeConfig vae_config() {
    VaeConfig config;
    config.hidden = 14;
    config.latent = 6;
    config.batch = 17;  // of 40 rows: the last batch is shorter
    config.learning_rate = 2e-3;
    config.max_epochs = 7;  // 21 updates
    config.kl_steps = 60;   // beta grows until the 12th
    return config;
  }
  static ScoreConfig score_config(Variant variant, Objective objective = Objective::kScore) {
    ScoreConfig config;
    config.timesteps = 9;
    config.batch = 15;
    config.learning_rate = 1e-3;
    config.epochs = 7;  // 21 updates
    config.variant = variant;
    config.objective = objective;
    return config;
  }

  struct TrainedVae {
    std::unique_ptr<MultiVae> model;
    std::vector<double> losses;
  };
  static TrainedVae trained_vae(
      const CsrMatrix& rows, DType dtype, std::uint64_t seed = 11, const std::function<void()>& on_epoch = [] {}) {
    nn::Initializer init(3, dtype, tests::test_device());
    TrainedVae trained = {std::make_unique<MultiVae>(30, vae_config(), init), {}};
    const auto validate = [](const MultiVae&, std::int64_t epoch) { return static_cast<double>(epoch); };
    const VaeFit fit = fit_vae(*trained.model, rows, vae_config(), seed, validate, [&](const VaeEpoch&) { on_epoch(); });
    for (const VaeEpoch& epoch : fit.history) trained.losses.push_back(epoch.loss);
    return trained;
  }

  struct TrainedScore {
    std::unique_ptr<ScoreModel> model;
    std::vector<double> losses;
  };
  static TrainedScore trained_score(
      const Tensor& z0, const ScoreConfig& config, std::uint64_t seed = 12, const std::function<void()>& on_epoch = [] {}) {
    nn::Initializer init(4, z0.dtype(), tests::test_device());
    TrainedScore trained = {std::make_unique<ScoreModel>(6, config, init), {}};
    for (const ScoreEpoch& epoch : fit_score_model(*trained.model, z0, config, seed, [&](const ScoreEpoch&) { on_epoch(); })) {
      trained.losses.push_back(epoch.loss);
    }
    return trained;
  }

  static Tensor latents(std::int64_t rows, DType dtype = DType::kFloat32) {
    return random_normal({rows, 6}, {8, Purpose::kTest, 0}, 0, 1, dtype);
  }

  const CsrMatrix rows_ = tests::grouped_matrix(40, 30, 3, 5);
};

TEST_F(SdrmOnDeviceGraphs, MultiVaeTrainsToTheSameBits) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const std::int64_t before = StepGraph::launches();
    const TrainedVae repeated = trained_vae(rows_, dtype);
    EXPECT_EQ(StepGraph::launches() - before, 21 - 2);  // two sizes of batch, each called once
    const GraphsSwitch off("off");
    const TrainedVae called = trained_vae(rows_, dtype);
    EXPECT_EQ(StepGraph::launches() - before, 21 - 2);
    EXPECT_EQ(repeated.losses, called.losses);
    EXPECT_TRUE(same_state(*repeated.model, *called.model)) << dtype;
  }
}

TEST_F(SdrmOnDeviceGraphs, TheScoreModelTrainsToTheSameBits) {
  for (const ScoreConfig& config :
       {score_config(Variant::kPublished), score_config(Variant::kPaper), score_config(Variant::kPaper, Objective::kDenoising)}) {
    const std::int64_t before = StepGraph::launches();
    const TrainedScore repeated = trained_score(latents(40), config);
    EXPECT_EQ(StepGraph::launches() - before, 21 - 2);
    const GraphsSwitch off("off");
    const TrainedScore called = trained_score(latents(40), config);
    EXPECT_EQ(repeated.losses, called.losses);
    EXPECT_TRUE(same_state(*repeated.model, *called.model)) << static_cast<int>(config.objective);
  }
}

TEST_F(SdrmOnDeviceGraphs, SamplesAreTheSameBits) {
  constexpr std::int64_t kUsers = 1100;  // two tiles, starts within a tile differ
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    nn::Initializer init(4, DType::kFloat32, tests::test_device());
    const ScoreModel model(6, score_config(variant), init);
    for (const Resolution resolution : {Resolution::kFull, Resolution::kMulti}) {
      const std::int64_t before = StepGraph::launches();
      const Tensor repeated = sample_latents(model, kUsers, {.resolution = resolution}, 21);
      EXPECT_GE(StepGraph::launches() - before, 7);
      const GraphsSwitch off("off");
      EXPECT_TRUE(
          same_bits(repeated.to(Device::kCpu), sample_latents(model, kUsers, {.resolution = resolution}, 21).to(Device::kCpu)));
    }
  }
}

TEST_F(SdrmOnDeviceGraphs, UpdatesNeedNothingOfTheHost) {
  const std::int64_t before = pool_stats(Device::kCuda).bytes_in_use;
  for (const std::int64_t rows : {40, 75}) {
    std::vector<tests::Asked> vae, score;
    trained_vae(tests::grouped_matrix(rows, 30, 3, 5), DType::kFloat32, 11, [&] { vae.push_back(tests::asked_now()); });
    trained_score(latents(rows), score_config(Variant::kPublished), 12, [&] { score.push_back(tests::asked_now()); });
    tests::expect_copies_per_epoch(vae, 4, 1);
    tests::expect_copies_per_epoch(score, 4, 1);
  }
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, before) << "memory of the graphs was not given back";
}

/// A tile is done in T steps, whatever the users in it: up to 1024 take no more launches than one.
TEST_F(SdrmOnDeviceGraphs, AFewUsersTakeNoMoreStepsThanOne) {
  nn::Initializer init(4, DType::kFloat32, tests::test_device());
  const ScoreModel model(6, score_config(Variant::kPublished), init);
  const auto sampled = [&](std::int64_t users, std::int64_t& launches, std::int64_t& to_device) {
    const std::int64_t launched = StepGraph::launches(), copied = copy_stats().to_device;
    const Tensor latents = sample_latents(model, users, {}, 21).to(Device::kCpu);
    launches = StepGraph::launches() - launched;
    to_device = copy_stats().to_device - copied;
    return latents;
  };
  std::int64_t launches = 0, launches_of_many = 0, copies = 0, copies_of_many = 0;
  const Tensor one = sampled(1, launches, copies), many = sampled(900, launches_of_many, copies_of_many);
  EXPECT_EQ(launches_of_many, launches);
  EXPECT_EQ(copies_of_many, copies);
  EXPECT_TRUE(same_bits(many.slice_rows(0, 1), one)) << "a row does not depend on how many are sampled";
}

TEST_F(SdrmOnDeviceGraphs, ModelsTrainSideBySide) {
  std::vector<TrainedVae> vaes(2);
  std::vector<TrainedScore> scores(2);
  const ScoreConfig config = score_config(Variant::kPublished);
  tests::side_by_side(4, [&](std::size_t thread) {
    const std::size_t i = thread / 2;
    if (thread % 2 == 0) {
      vaes[i] = trained_vae(rows_, DType::kFloat32, 40 + i);
    } else {
      scores[i] = trained_score(latents(40), config, 50 + i);
    }
  });
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(vaes[i].losses, trained_vae(rows_, DType::kFloat32, 40 + i).losses);
    EXPECT_EQ(scores[i].losses, trained_score(latents(40), config, 50 + i).losses);
  }
}

}  // namespace
}  // namespace tapestry::sdrm
