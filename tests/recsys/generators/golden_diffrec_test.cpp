// tests/golden/diffrec_step.txt replayed: losses, every gradient, ten AdamW steps and the reverse process.
#include <gtest/gtest.h>

#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/generators/diffrec.h"
#include "tests/support/golden.h"
#include "tests/support/modules.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::matches_golden;

class GoldenDiffRec : public ::testing::TestWithParam<DType> {
 protected:
  GoldenDiffRec() : init_(1, GetParam()) {
    config_.dims = {3, 5};
    config_.time_width = golden_.tensor("initial.time.bias").numel();
    config_.timesteps = golden_.tensor("beta").numel();
    config_.noise_scale = golden_.scalar("scale");
    config_.noise_min = golden_.scalar("noise_min");
    config_.noise_max = golden_.scalar("noise_max");
    model_ = std::make_unique<DiffRecModel>(golden_.tensor("x_dense").cols(), config_, init_);
    tapestry::tests::load_initial(golden_, *model_, GetParam());
  }

  Tensor recorded(const std::string& name) const { return golden_.tensor(name, GetParam()); }

  DiffRecLoss loss(const std::string& suffix, DiffRecTarget target) const {
    DiffRecConfig config = config_;
    config.target = target;
    const DiffRecSchedule schedule(config);
    const DiffRecBatch batch = {recorded("x_dense"), golden_.tensor("t" + suffix, DType::kInt32), recorded("divisor" + suffix),
                                recorded("noise" + suffix)};
    const Tensor seen = binary(BinaryOp::kMultiply, noised_rows(batch, schedule), recorded("mask" + suffix));
    return diffrec_loss(*model_, batch, seen, schedule, target);
  }

  tapestry::tests::Golden golden_ = tapestry::tests::golden_file("diffrec_step.txt");
  nn::Initializer init_;
  DiffRecConfig config_;
  std::unique_ptr<DiffRecModel> model_;
};

TEST_P(GoldenDiffRec, LossAndEveryGradient) {
  autograd::Tape tape;
  const DiffRecLoss found = loss("", DiffRecTarget::kX0);
  tape.backward(found.total);
  EXPECT_TRUE(matches_golden(golden_, "by_user", found.by_user));
  EXPECT_TRUE(matches_golden(golden_, "loss", found.total.value()));
  tapestry::tests::expect_gradients(golden_, *model_);
}

TEST_P(GoldenDiffRec, OtherObjectives) {
  EXPECT_TRUE(matches_golden(golden_, "by_user_eps_code", loss("", DiffRecTarget::kEpsCode).by_user));
  EXPECT_TRUE(matches_golden(golden_, "by_user_eps_exact", loss("", DiffRecTarget::kEpsExact).by_user));
  EXPECT_TRUE(matches_golden(golden_, "by_user_eps_simple", loss("", DiffRecTarget::kEpsSimple).by_user));
}

TEST_P(GoldenDiffRec, TenTrainingSteps) {
  optim::Adam adam(model_->parameters(), {.decoupled = golden_.scalar("weight_decay")});
  std::vector<double> losses;
  for (int step = 0; step < 10; ++step) {
    autograd::Tape tape;
    const DiffRecLoss found = loss("_" + std::to_string(step), DiffRecTarget::kX0);
    tape.backward(found.total);
    adam.step(golden_.scalar("lr"));
    adam.clear_gradients();
    losses.push_back(found.total.value().item());
  }
  EXPECT_TRUE(matches_golden(golden_, "losses", Tensor::from<double>(losses, {10}).to(GetParam())));
  tapestry::tests::expect_values(golden_, *model_);
}

TEST_P(GoldenDiffRec, ReverseProcess) {
  const CsrMatrix x = tapestry::tests::rows_of(golden_.tensor("x_dense"));
  EXPECT_TRUE(matches_golden(golden_, "denoised", diffrec_scores(*model_, x, DiffRecSchedule(config_), config_, {})));
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenDiffRec, ::testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& param_info) { return std::string(name(param_info.param)); });

}  // namespace
}  // namespace tapestry::recsys
