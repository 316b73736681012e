// What rounding the operands of matrix products does to training: the loss stays near that of float32.
#include "tensor/precision.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sdrm/score_training.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"

namespace tapestry::sdrm {
namespace {

class SdrmPrecisionOnDevice : public tests::GpuTest {
 protected:
  /// The losses of a score model's updates on latents of width 24: 4 updates an epoch, 40 in all.
  static std::vector<double> losses(MatmulPrecision precision) {
    ScoreConfig config;
    config.timesteps = 9;
    config.batch = 15;
    config.learning_rate = 1e-3;
    config.epochs = 10;
    nn::Initializer init(4, DType::kFloat32, tests::test_device());
    ScoreModel model(24, config, init);
    const Tensor z0 = random_normal({60, 24}, {5, Purpose::kTest, 0});
    const PrecisionScope scope(precision);
    std::vector<double> found;
    for (const ScoreEpoch& epoch : fit_score_model(model, z0, config, 11)) found.push_back(epoch.loss);
    return found;
  }
};

TEST_F(SdrmPrecisionOnDevice, LossesStayNearFloat32) {
  if (!tests::device_takes(MatmulPrecision::kTf32)) GTEST_SKIP() << "this GPU has float32 only";
  const std::vector<double> exact = losses(MatmulPrecision::kFloat32);
  EXPECT_EQ(losses(MatmulPrecision::kFloat32), exact);
  for (const auto& [precision, within] : {std::pair{MatmulPrecision::kTf32, 1e-2}, {MatmulPrecision::kBf16, 5e-2}}) {
    const std::vector<double> found = losses(precision);
    ASSERT_EQ(found.size(), exact.size());
    double worst = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) worst = std::max(worst, std::abs(found[i] / exact[i] - 1));
    EXPECT_TRUE(worst <= within) << name(precision) << ": " << worst;
    if (tests::device_is_emulated()) {
      EXPECT_TRUE(worst > 0) << name(precision) << " rounded nothing";
    }
    RecordProperty(name(precision), concat(worst));
    EXPECT_EQ(losses(precision), found) << name(precision) << ": another time, other bits";
  }
}

}  // namespace
}  // namespace tapestry::sdrm
