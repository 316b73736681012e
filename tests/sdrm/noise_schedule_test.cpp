#include "sdrm/noise_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sdrm/objective.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

TEST(NoiseSchedule, ProductOfAlphasFor83Steps) {
  const NoiseSchedule schedule(83);
  ASSERT_EQ(schedule.alpha_bar.size(), 84u);
  EXPECT_EQ(schedule.alpha_bar[0], 1);
  EXPECT_NEAR(schedule.beta[0], 1e-4, 1e-18);
  EXPECT_NEAR(schedule.beta[83], 0.02, 1e-16);
  // By logarithms and from the other end, so that no step is shared with the code. Index 0 is a factor of all but itself.
  for (const int t : {1, 2, 40, 83}) {
    double logarithm = 0;
    for (int s = t; s >= 0; --s) logarithm += std::log1p(-(1e-4 * (83 - s) + 0.02 * s) / 83);
    EXPECT_NEAR(schedule.alpha_bar[static_cast<std::size_t>(t)], std::exp(logarithm), 1e-12) << t;
  }
  EXPECT_NEAR(schedule.alpha_bar[83], 0.42744947, 1e-7);
}

TEST(NoiseSchedule, VariantsDifferByTheRoot) {
  const NoiseSchedule schedule(10);
  for (int t = 0; t <= 10; ++t) {
    const double kept = schedule.alpha_bar[static_cast<std::size_t>(t)];
    EXPECT_NEAR(schedule.signal(t), std::sqrt(kept), 1e-15);
    EXPECT_NEAR(schedule.noise(t, Variant::kPaper), std::sqrt(1 - kept), 1e-15);
    EXPECT_NEAR(schedule.noise(t, Variant::kPublished), 1 - kept, 1e-15);
  }
}

TEST(NoiseSchedule, OfOneStepAndOfNone) {
  const NoiseSchedule schedule(1);
  EXPECT_NEAR(schedule.beta[1], 0.02, 1e-16);
  EXPECT_NEAR(schedule.alpha_bar[1], (1 - 1e-4) * 0.98, 1e-15);
  EXPECT_THROW(NoiseSchedule(0), Error);
}

TEST(ForwardProcess, MeanAndVarianceOfManyDraws) {
  constexpr std::int64_t kDraws = 100000;
  constexpr double kLatent = 1.5;
  constexpr std::int64_t kSteps = 83;
  const NoiseSchedule schedule(kSteps);
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    ScoreConfig config;
    config.timesteps = kSteps;
    config.noise_scale = 0.7;
    config.variant = variant;
    config.objective = Objective::kEpsilon;
    ScoreBatch batch;
    batch.z0 = Tensor::full({kDraws, 1}, kLatent);
    batch.t = tests::repeated(kDraws, kSteps);
    batch.noise = random_normal({kDraws, 1}, {8, Purpose::kTest, 0});
    const ScorePasses passes = score_passes(batch, schedule, config);
    double sum = 0;
    double squares = 0;
    for (const float z : passes.z.span<float>()) {
      sum += z;
      squares += double{z} * z;
    }
    const double mean = sum / kDraws;
    const double variance = squares / kDraws - mean * mean;
    const double kept = schedule.alpha_bar[kSteps];
    const double deviation = 0.7 * (variant == Variant::kPaper ? std::sqrt(1 - kept) : 1 - kept);
    EXPECT_NEAR(mean, std::sqrt(kept) * kLatent, 4 * deviation / std::sqrt(kDraws));
    EXPECT_NEAR(variance, deviation * deviation, 4 * deviation * deviation * std::sqrt(2.0 / kDraws));
  }
}

}  // namespace
}  // namespace tapestry::sdrm
