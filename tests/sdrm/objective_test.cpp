#include "sdrm/objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

using tests::random_tensor;

constexpr std::int64_t kRows = 5;
constexpr std::int64_t kLatent = 3;

struct Case {
  Objective objective;
  Variant variant;
  const char* name;
};

class ScoreObjective : public ::testing::TestWithParam<Case> {
 protected:
  ScoreObjective() : schedule_(6) {
    config_.timesteps = 6;
    config_.noise_scale = 0.8;
    config_.variant = GetParam().variant;
    config_.objective = GetParam().objective;
    batch_.z0 = random_tensor({kRows, kLatent}, 1);
    batch_.t = Tensor::from<std::int32_t>({1, 6, 3, 2, 6}, {kRows});
    batch_.noise = random_tensor({kRows, kLatent}, 2);
    batch_.perturbation = random_tensor({kRows, kLatent}, 3, -0.3, 0.3);
  }

  double z0(std::int64_t row, std::int64_t col) const { return batch_.z0.data<double>()[row * kLatent + col]; }
  double eps(std::int64_t row, std::int64_t col) const { return batch_.noise.data<double>()[row * kLatent + col]; }
  double sigma(std::int64_t row) const {
    const double kept = schedule_.alpha_bar[static_cast<std::size_t>(batch_.t.data<std::int32_t>()[row])];
    return 0.8 * (config_.variant == Variant::kPaper ? std::sqrt(1 - kept) : 1 - kept);
  }
  double z_t(std::int64_t row, std::int64_t col) const {
    const double kept = schedule_.alpha_bar[static_cast<std::size_t>(batch_.t.data<std::int32_t>()[row])];
    return std::sqrt(kept) * z0(row, col) + sigma(row) * eps(row, col);
  }

  /// The formula of the case in plain loops; `s` [P * B, K] is the network's output.
  double expected(const Tensor& s) const;
  double expected_published(const std::function<double(std::int64_t, std::int64_t, std::int64_t)>& out) const;
  double expected_paper(const std::function<double(std::int64_t, std::int64_t, std::int64_t)>& out) const;

  NoiseSchedule schedule_;
  ScoreConfig config_;
  ScoreBatch batch_;
};

double ScoreObjective::expected_published(const std::function<double(std::int64_t, std::int64_t, std::int64_t)>& out) const {
  const double n = kRows * kLatent;
  double first = 0;
  double second = 0;
  double mean = 0;
  double variance = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t col = 0; col < kLatent; ++col) {
      const double r = out(0, row, col) - z0(row, col);
      const double a = out(1, row, col);
      const double b = out(2, row, col);
      first += std::pow((b - a) / 0.01 - r, 2) / n;
      second += std::pow(r - a, 2) / n;
      mean += r / n;
    }
  }
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t col = 0; col < kLatent; ++col) variance += std::pow(out(0, row, col) - z0(row, col) - mean, 2) / (n - 1);
  }
  return 0.5 * (first + second) / (1e-8 + variance);
}

double ScoreObjective::expected_paper(const std::function<double(std::int64_t, std::int64_t, std::int64_t)>& out) const {
  double total = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    double first = 0;
    double second = 0;
    double norm = 0;
    for (std::int64_t col = 0; col < kLatent; ++col) {
      const double s = out(0, row, col);
      const double delta = s - z_t(row, col);
      first += std::pow((out(1, row, col) - s) - delta, 2);
      second += std::pow(s - delta, 2);
      norm += delta * delta;
    }
    total += (first + second) / norm / kRows;
  }
  return total;
}

double ScoreObjective::expected(const Tensor& s) const {
  const auto out = [&](std::int64_t pass, std::int64_t row, std::int64_t col) {
    return s.data<double>()[(pass * kRows + row) * kLatent + col];
  };
  if (config_.objective == Objective::kScore) {
    return config_.variant == Variant::kPublished ? expected_published(out) : expected_paper(out);
  }
  double total = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t col = 0; col < kLatent; ++col) {
      const double value = out(0, row, col);
      double error = value - eps(row, col);
      if (config_.objective == Objective::kX0) error = value - z0(row, col);
      if (config_.objective == Objective::kDenoising) error = sigma(row) * (value + eps(row, col) / sigma(row));
      total += error * error;
    }
  }
  return total / (kRows * kLatent);
}

TEST_P(ScoreObjective, PassesAreWhatTheObjectiveNeeds) {
  const ScorePasses passes = score_passes(batch_, schedule_, config_);
  const bool score = config_.objective == Objective::kScore;
  const std::int64_t count = !score ? 1 : config_.variant == Variant::kPublished ? 3 : 2;
  ASSERT_EQ(passes.z.shape(), (Shape{count * kRows, kLatent}));
  ASSERT_EQ(passes.t.shape(), (Shape{count * kRows}));
  for (std::int64_t pass = 0; pass < count; ++pass) {
    for (std::int64_t row = 0; row < kRows; ++row) {
      EXPECT_EQ(passes.t.data<std::int32_t>()[pass * kRows + row], batch_.t.data<std::int32_t>()[row]);
      for (std::int64_t col = 0; col < kLatent; ++col) {
        double value = z_t(row, col);
        if (pass == 1)
          value = config_.variant == Variant::kPublished ? z0(row, col)
                                                         : value + batch_.perturbation.data<double>()[row * kLatent + col];
        if (pass == 2) value = z0(row, col) + 0.1 * 0.8 * eps(row, col);
        EXPECT_NEAR(passes.z.data<double>()[(pass * kRows + row) * kLatent + col], value, 1e-14);
      }
    }
  }
}

TEST_P(ScoreObjective, LossIsTheFormula) {
  const ScorePasses passes = score_passes(batch_, schedule_, config_);
  const Tensor output = random_tensor(passes.z.shape(), 5, -1, 1);
  const double loss = score_loss(output, batch_, passes, schedule_, config_).value().item();
  EXPECT_TRUE(std::abs(loss - expected(output)) <= 1e-12 * std::abs(loss)) << loss << " " << expected(output);
}

TEST_P(ScoreObjective, GradientsThroughTheNetworkAgreeWithCentralDifferences) {
  nn::Initializer init(4, DType::kFloat64);
  const ScoreModel model(kLatent, config_, init);
  const ScorePasses passes = score_passes(batch_, schedule_, config_);
  for (const bool with_dropout : {false, true}) {
    const double error = tests::worst_gradient_error(model, [&] {
      std::optional<RandomStream> stream;
      if (with_dropout) stream = RandomStream{6, Purpose::kScoreDropout, 2};
      return score_loss(model.forward(passes.z, passes.t, stream), batch_, passes, schedule_, config_);
    });
    EXPECT_TRUE(error <= 1e-6) << error << (with_dropout ? " with dropout" : " without dropout");
  }
}

INSTANTIATE_TEST_SUITE_P(All, ScoreObjective,
                         ::testing::Values(Case{Objective::kScore, Variant::kPublished, "ScorePublished"},
                                           Case{Objective::kScore, Variant::kPaper, "ScorePaper"},
                                           Case{Objective::kEpsilon, Variant::kPublished, "EpsilonPublished"},
                                           Case{Objective::kEpsilon, Variant::kPaper, "EpsilonPaper"},
                                           Case{Objective::kX0, Variant::kPublished, "X0Published"},
                                           Case{Objective::kDenoising, Variant::kPublished, "DenoisingPublished"},
                                           Case{Objective::kDenoising, Variant::kPaper, "DenoisingPaper"}),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(ScorePasses, RefuseWhatDoesNotFit) {
  const NoiseSchedule schedule(6);
  ScoreConfig config;
  config.timesteps = 6;
  ScoreBatch batch = {Tensor::zeros({2, 3}), tests::repeated(2, 1), Tensor::zeros({2, 2}), {}};
  EXPECT_THROW(score_passes(batch, schedule, config), Error);
  batch.noise = Tensor::zeros({2, 3});
  EXPECT_NO_THROW(score_passes(batch, schedule, config));
  EXPECT_THROW(score_loss(Tensor::zeros({2, 3}), batch, score_passes(batch, schedule, config), schedule, config), Error);
  config.variant = Variant::kPaper;  // its score objective needs the perturbation
  EXPECT_THROW(score_passes(batch, schedule, config), Error);
  batch.t = tests::repeated(3, 1);
  EXPECT_THROW(score_passes(batch, schedule, config), Error);
}

}  // namespace
}  // namespace tapestry::sdrm
