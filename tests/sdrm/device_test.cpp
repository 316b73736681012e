// Training and sampling on a GPU against the same on the CPU: same seeds, so that both see the same batches, masks and noise.
#include <cmath>
#include <filesystem>

#include "nn/safetensors.h"
#include "sdrm/binarize.h"
#include "sdrm/sampling.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tests/support/compare.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"
#include "tests/support/temp_folder.h"

namespace tapestry::sdrm {
namespace {

namespace fs = std::filesystem;

/// Of numbers that went through some tens of updates; sums run in another order on each device.
double tolerance(DType dtype) { return dtype == DType::kFloat32 ? 1e-4 : 1e-10; }

class SdrmOnDevice : public tests::GpuTest {
 protected:
  static VaeConfig vae_config() {
    VaeConfig config;
    config.hidden = 14;
    config.latent = 6;
    config.batch = 17;  // of 40 rows: the last batch is shorter
    config.learning_rate = 2e-3;
    config.max_epochs = 17;  // 51 updates
    return config;
  }
  static ScoreConfig score_config(Variant variant, Objective objective = Objective::kScore) {
    ScoreConfig config;
    config.timesteps = 9;
    config.hidden_layers = 2;
    config.batch = 15;
    config.learning_rate = 1e-3;
    config.epochs = 10;
    config.variant = variant;
    config.objective = objective;
    return config;
  }

  /// A model on a device with the weights of the seed: drawn there, the same bits as on the CPU.
  static std::unique_ptr<MultiVae> vae(DType dtype, Device device) {
    nn::Initializer init(3, dtype, device);
    return std::make_unique<MultiVae>(30, vae_config(), init);
  }
  static std::unique_ptr<ScoreModel> score(const ScoreConfig& config, DType dtype, Device device) {
    nn::Initializer init(4, dtype, device);
    return std::make_unique<ScoreModel>(6, config, init);
  }

  static void expect_close(const Tensor& ours, const Tensor& expected, double within) {
    ASSERT_EQ(ours.shape(), expected.shape());
    const double error = tests::relative_error(ours.to(Device::kCpu), expected);
    EXPECT_TRUE(error <= within) << error;
  }

  const CsrMatrix rows_ = tests::grouped_matrix(40, 30, 3, 5);
};

TEST_F(SdrmOnDevice, InitialWeightsAreTheSameBits) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const auto ours = vae(dtype, tests::test_device());
    const auto expected = vae(dtype, Device::kCpu);
    const auto on_device = ours->state(), on_host = expected->state();
    ASSERT_EQ(on_device.size(), on_host.size());
    for (std::size_t i = 0; i < on_host.size(); ++i) {
      EXPECT_EQ(on_device[i].second.device(), tests::test_device()) << on_host[i].first;
      EXPECT_TRUE(tests::same_bits(on_device[i].second.to(Device::kCpu), on_host[i].second)) << on_host[i].first;
    }
  }
}

TEST_F(SdrmOnDevice, MultiVaeTrainsAlike) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    std::vector<VaeFit> fits;
    std::vector<Tensor> latents;
    for (const Device device : {Device::kCpu, tests::test_device()}) {
      const auto model = vae(dtype, device);
      const auto validate = [&](const MultiVae& fitted, std::int64_t) {
        const Tensor logits = fitted.decode(fitted.encode(rows_.to(device)).mu).value().to(Device::kCpu).to(DType::kFloat64);
        return logits.data<double>()[7];
      };
      fits.push_back(fit_vae(*model, rows_, vae_config(), 11, validate));
      latents.push_back(model->latents(rows_));
      EXPECT_EQ(latents.back().device(), device);
    }
    ASSERT_EQ(fits[1].history.size(), fits[0].history.size());
    double worst = 0;
    for (std::size_t i = 0; i < fits[0].history.size(); ++i) {
      const double expected = fits[0].history[i].loss, difference = std::abs(fits[1].history[i].loss - expected) / expected;
      EXPECT_TRUE(difference <= tolerance(dtype)) << "epoch " << i;
      worst = std::max(worst, difference);
    }
    RecordProperty(concat("loss_of_multivae_", name(dtype)), concat(worst));
    EXPECT_EQ(fits[1].best_epoch, fits[0].best_epoch);
    expect_close(latents[1], latents[0], 10 * tolerance(dtype));
  }
}

TEST_F(SdrmOnDevice, TheScoreModelTrainsAlike) {
  const Tensor z0 = random_normal({40, 6}, {8, Purpose::kTest, 0});
  double worst = 0;
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    for (const Objective objective : {Objective::kScore, Objective::kEpsilon, Objective::kX0, Objective::kDenoising}) {
      const ScoreConfig config = score_config(variant, objective);
      std::vector<std::vector<ScoreEpoch>> histories;
      for (const Device device : {Device::kCpu, tests::test_device()}) {
        const auto model = score(config, DType::kFloat32, device);
        histories.push_back(fit_score_model(*model, z0, config, 12));
      }
      for (std::size_t i = 0; i < histories[0].size(); ++i) {
        const double expected = histories[0][i].loss, difference = std::abs(histories[1][i].loss / expected - 1);
        EXPECT_TRUE(difference <= 1e-4) << static_cast<int>(variant) << " " << static_cast<int>(objective) << " epoch " << i;
        worst = std::max(worst, difference);
      }
    }
  }
  RecordProperty("loss_of_score_model_float32", concat(worst));
}

TEST_F(SdrmOnDevice, SamplesAreAlikeAndACheckpointGoesFromOneDeviceToTheOther) {
  const tests::TempFolder folder;
  const fs::path file = folder.path() / "model.safetensors";
  const ScoreConfig config = score_config(Variant::kPublished);
  const auto trained = score(config, DType::kFloat32, Device::kCpu);
  fit_score_model(*trained, random_normal({40, 6}, {8, Purpose::kTest, 0}), config, 12);
  nn::save_module(*trained, file);
  const auto there = score(config, DType::kFloat32, tests::test_device());
  nn::load_module(*there, file);
  nn::save_module(*there, folder.path() / "again.safetensors");
  const auto back = score(config, DType::kFloat32, Device::kCpu);
  nn::load_module(*back, folder.path() / "again.safetensors");
  EXPECT_TRUE(tests::same_state(*back, *trained));

  for (const Resolution resolution : {Resolution::kFull, Resolution::kMulti}) {
    const Tensor expected = sample_latents(*trained, 1100, {.resolution = resolution}, 21);  // two tiles
    const Tensor ours = sample_latents(*there, 1100, {.resolution = resolution}, 21);
    EXPECT_EQ(ours.device(), tests::test_device());
    expect_close(ours, expected, 1e-4);
  }
}

TEST_F(SdrmOnDevice, DecodedRowsAreCutAtTheSamePlaces) {
  const auto host = vae(DType::kFloat32, Device::kCpu), there = vae(DType::kFloat32, tests::test_device());
  const Tensor z = sample_prior(25, 6, 31), on_device = sample_prior(25, 6, 31, tests::test_device());
  expect_close(on_device, z, 1e-6);
  const Binarized expected = binarize_at_density({25, 30, decoded_rows(*host, z)}, 0.2);
  const Binarized ours = binarize_at_density({25, 30, decoded_rows(*there, on_device)}, 0.2);
  EXPECT_TRUE(std::abs(ours.threshold - expected.threshold) <= 1e-5);
  EXPECT_EQ(ours.ones.nnz(), expected.ones.nnz());
}

}  // namespace
}  // namespace tapestry::sdrm
