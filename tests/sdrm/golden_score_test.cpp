// The score models of tests/golden/sdrm_step_*.txt replayed: passes, loss and every gradient, then ten Adam steps; and the
// trajectories of sampling.txt.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "optim/schedule.h"
#include "sdrm/objective.h"
#include "tests/support/golden.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

using tests::Golden;
using tests::matches_golden;

ScoreConfig golden_config(const Golden& golden, Variant variant) {
  ScoreConfig config;
  config.timesteps = golden.tensor("alpha_bar").numel() - 1;
  config.hidden_layers = 2;
  config.noise_scale = golden.scalar("noise_scale");
  config.variant = variant;
  return config;
}

struct Case {
  Variant variant;
  DType dtype;
};

class GoldenScore : public ::testing::TestWithParam<Case> {
 protected:
  GoldenScore()
      : golden_(tests::golden_file(published() ? "sdrm_step_published.txt" : "sdrm_step_paper.txt")),
        config_(golden_config(golden_, GetParam().variant)),
        schedule_(config_.timesteps),
        init_(1, GetParam().dtype),
        model_(golden_.tensor("z0").cols(), config_, init_) {
    tests::load_initial(golden_, model_, GetParam().dtype);
  }

  static bool published() { return GetParam().variant == Variant::kPublished; }
  Tensor recorded(const std::string& name) const { return golden_.tensor(name, GetParam().dtype); }

  ScoreBatch batch(const std::string& suffix) const {
    ScoreBatch batch;
    batch.z0 = recorded("z0");
    batch.t = golden_.tensor("t" + suffix, DType::kInt32);
    batch.noise = recorded("eps" + suffix);
    if (!published()) batch.perturbation = recorded("nu" + suffix);
    return batch;
  }

  /// The recorded dropout masks of the passes, stacked in their order.
  Tensor masks(const std::string& suffix) const {
    std::vector<Tensor> masks = {recorded("mask_noisy" + suffix)};
    if (published()) masks.push_back(recorded("mask_clean" + suffix));
    masks.push_back(recorded("mask_perturbed" + suffix));
    return concat_rows(masks);
  }

  Variable output(const ScorePasses& passes, const std::string& suffix) const {
    return model_.forward_dropped(binary(BinaryOp::kMultiply, passes.z, masks(suffix)), passes.t);
  }

  Golden golden_;
  ScoreConfig config_;
  NoiseSchedule schedule_;
  nn::Initializer init_;
  ScoreModel model_;
};

TEST_P(GoldenScore, LossAndEveryGradient) {
  EXPECT_TRUE(matches_golden(golden_, "alpha_bar", Tensor::from<double>(schedule_.alpha_bar, {config_.timesteps + 1})));
  const Tensor table = timestep_embedding(config_.timesteps + 1, config_.timesteps, GetParam().dtype);
  EXPECT_TRUE(matches_golden(golden_, "embedding", gather_rows(table, golden_.tensor("t", DType::kInt32))));

  const ScoreBatch drawn = batch("");
  const ScorePasses passes = score_passes(drawn, schedule_, config_);
  const std::int64_t rows = drawn.z0.rows();
  EXPECT_TRUE(matches_golden(golden_, "z_t", passes.z.slice_rows(0, rows)));

  autograd::Tape tape;
  const Variable out = output(passes, "");
  const Variable loss = score_loss(out, drawn, passes, schedule_, config_);
  tape.backward(loss);
  EXPECT_TRUE(matches_golden(golden_, "noisy", out.value().slice_rows(0, rows)));
  if (published()) {
    EXPECT_TRUE(matches_golden(golden_, "clean", out.value().slice_rows(rows, 2 * rows)));
  }
  EXPECT_TRUE(matches_golden(golden_, "perturbed", out.value().slice_rows(out.value().rows() - rows, out.value().rows())));
  EXPECT_TRUE(matches_golden(golden_, "loss", loss.value()));
  tests::expect_gradients(golden_, model_);
}

TEST_P(GoldenScore, TenTrainingSteps) {
  optim::Adam adam(model_.parameters(), {.l2 = golden_.scalar("weight_decay")});
  std::vector<double> losses;
  for (int step = 0; step < 10; ++step) {
    const std::string suffix = "_" + std::to_string(step);
    const ScoreBatch drawn = batch(suffix);
    const ScorePasses passes = score_passes(drawn, schedule_, config_);
    autograd::Tape tape;
    const Variable loss = score_loss(output(passes, suffix), drawn, passes, schedule_, config_);
    tape.backward(loss);
    adam.step(optim::linear_rate(golden_.scalar("lr"), step, 10));
    adam.clear_gradients();
    losses.push_back(loss.value().item());
  }
  EXPECT_TRUE(matches_golden(golden_, "losses", Tensor::from<double>(losses, {10}).to(GetParam().dtype)));
  tests::expect_values(golden_, model_);
}

INSTANTIATE_TEST_SUITE_P(Variants, GoldenScore,
                         ::testing::Values(Case{Variant::kPublished, DType::kFloat32}, Case{Variant::kPublished, DType::kFloat64},
                                           Case{Variant::kPaper, DType::kFloat32}, Case{Variant::kPaper, DType::kFloat64}),
                         [](const auto& param_info) {
                           return std::string(param_info.param.variant == Variant::kPaper ? "Paper" : "Published") +
                                  name(param_info.param.dtype);
                         });

/// The library draws its own noise and masks (sampling_test.cpp compares that loop with this one), so the recorded ones go
/// through Algorithm 2 as written here: this checks the model and the schedule step by step.
class GoldenSampling : public ::testing::TestWithParam<DType> {};

TEST_P(GoldenSampling, FullAndMultipleResolution) {
  const Golden golden = tests::golden_file("sampling.txt");
  const ScoreConfig config = golden_config(golden, Variant::kPublished);
  const NoiseSchedule schedule(config.timesteps);
  EXPECT_TRUE(matches_golden(golden, "beta", Tensor::from<double>(schedule.beta, {config.timesteps + 1})));
  nn::Initializer init(1, GetParam());
  const Tensor start = golden.tensor("z_start", GetParam());
  const ScoreModel model(start.cols(), config, init);
  tests::load_initial(golden, model, GetParam());
  const Tensor first_step = golden.tensor("first_step", DType::kInt32);

  Tensor full = start;
  const Tensor multiple = start.clone();
  for (std::int64_t t = config.timesteps; t >= 1; --t) {
    const auto at = static_cast<std::size_t>(t);
    const Tensor noise = golden.tensor("noise_" + std::to_string(t), GetParam());
    const Tensor mask = golden.tensor("mask_" + std::to_string(t), GetParam());
    const Tensor steps = tests::repeated(start.rows(), static_cast<std::int32_t>(t));
    const auto next = [&](const Tensor& z) {
      const Tensor eps = model.forward_dropped(binary(BinaryOp::kMultiply, z, mask), steps).value();
      const double alpha = schedule.alpha[at];
      const double removed = (1 - alpha) / std::sqrt(1 - schedule.alpha_bar[at]);
      const double added = t > 1 ? std::sqrt(schedule.beta[at]) * config.noise_scale : 0;
      return linear_combination({{1 / std::sqrt(alpha), z}, {-removed / std::sqrt(alpha), eps}, {added, noise}});
    };
    full = next(full);
    EXPECT_TRUE(matches_golden(golden, "z_full_" + std::to_string(t), full));
    const Tensor moved = next(multiple);
    for (std::int64_t row = 0; row < start.rows(); ++row) {
      if (first_step.data<std::int32_t>()[row] < t) continue;
      copy_bytes(multiple.slice_rows(row, row + 1).raw_data(), Device::kCpu, moved.slice_rows(row, row + 1).raw_data(),
                 Device::kCpu, static_cast<std::size_t>(start.cols() * size_of(GetParam())));
    }
  }
  EXPECT_TRUE(matches_golden(golden, "z_full", full));
  EXPECT_TRUE(matches_golden(golden, "z_multiple", multiple));
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenSampling, ::testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& param_info) { return std::string(name(param_info.param)); });

}  // namespace
}  // namespace tapestry::sdrm
