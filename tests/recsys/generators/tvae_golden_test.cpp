// One TVAE of tests/golden/tvae_step.txt, which PyTorch computed on dense one-hot rows, replayed on marks and differences.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "autograd/category.h"
#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/generators/tvae.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/modules.h"

namespace tapestry::recsys {
namespace {

using tests::Golden;
using tests::matches_golden;

TvaeConfig recorded_config(const Golden& golden) {
  TvaeConfig config;
  config.hidden = golden.tensor("initial.encoder.0.bias").numel();
  config.latent = golden.tensor("noise").cols();
  config.loss_factor = golden.scalar("loss_factor");
  return config;
}

class GoldenTvae : public ::testing::TestWithParam<DType> {
 protected:
  GoldenTvae()
      : golden_(tests::golden_file("tvae_step.txt")),
        config_(recorded_config(golden_)),
        init_(1, GetParam()),
        model_(tests::kGoldenPlanes, config_, init_),
        marks_(tests::marks_of(tests::kGoldenPlanes, tests::integers(golden_, "table"))) {
    tests::load_initial(golden_, model_, GetParam());
  }

  Tensor recorded(const std::string& name) const { return golden_.tensor(name, GetParam()); }

  Golden golden_;
  TvaeConfig config_;
  nn::Initializer init_;
  Tvae model_;
  CsrMatrix marks_;
};

TEST_P(GoldenTvae, LossAndEveryGradient) {
  autograd::Tape tape;
  const TvaeLoss loss = tvae_loss(model_, marks_, recorded("noise"), config_.loss_factor);
  tape.backward(loss.total);
  EXPECT_TRUE(matches_golden(golden_, "reconstruction", loss.reconstruction.value()));
  EXPECT_TRUE(matches_golden(golden_, "kl", loss.kl.value()));
  EXPECT_TRUE(matches_golden(golden_, "loss", loss.total.value()));
  tapestry::tests::expect_gradients(golden_, model_);
}

TEST_P(GoldenTvae, PosteriorAndLogits) {
  const Tvae::Posterior posterior = model_.encode(marks_);
  EXPECT_TRUE(matches_golden(golden_, "mu", posterior.mu.value()));
  EXPECT_TRUE(matches_golden(golden_, "log_variance", posterior.log_variance.value()));
  const Tensor sigma = unary(UnaryOp::kExp, linear_combination({{0.5, posterior.log_variance.value()}}));
  const Tensor z = binary(BinaryOp::kAdd, posterior.mu.value(), binary(BinaryOp::kMultiply, sigma, recorded("noise")));
  const Tensor logits = model_.logits(z);
  EXPECT_TRUE(matches_golden(golden_, "logits", logits));
  const Tensor differences = autograd::difference_columns(tests::kGoldenPlanes, logits).value();
  EXPECT_LE(tests::relative_error(model_.decode(z).value(), differences), GetParam() == DType::kFloat64 ? 1e-12 : 1e-5);
}

TEST_P(GoldenTvae, TenTrainingSteps) {
  optim::Adam adam(model_.parameters(), {.l2 = golden_.scalar("l2")});
  std::vector<double> losses;
  for (int step = 0; step < 10; ++step) {
    autograd::Tape tape;
    const TvaeLoss loss = tvae_loss(model_, marks_, recorded("noise_" + std::to_string(step)), config_.loss_factor);
    tape.backward(loss.total);
    adam.step(golden_.scalar("lr"));
    adam.clear_gradients();
    losses.push_back(loss.total.value().item());
  }
  EXPECT_TRUE(matches_golden(golden_, "losses", Tensor::from<double>(losses, {10}).to(GetParam())));
  tapestry::tests::expect_values(golden_, model_);
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenTvae, ::testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& param_info) { return std::string(name(param_info.param)); });

}  // namespace
}  // namespace tapestry::recsys
