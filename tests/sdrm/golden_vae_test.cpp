// One MultiVAE of tests/golden/vae_step.txt replayed: every output, loss and gradient, then ten Adam steps.
#include <gtest/gtest.h>

#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "sdrm/multivae.h"
#include "tests/support/golden.h"
#include "tests/support/modules.h"

namespace tapestry::sdrm {
namespace {

using tests::Golden;
using tests::matches_golden;

class GoldenVae : public ::testing::TestWithParam<DType> {
 protected:
  GoldenVae() : golden_(tests::golden_file("vae_step.txt")), init_(1, GetParam()) {
    VaeConfig config;
    config.hidden = golden_.tensor("initial.encoder.0.bias").numel();
    config.latent = golden_.tensor("eps").cols();
    dense_ = golden_.tensor("x_dense");
    x_ = tests::rows_of(dense_);
    model_ = std::make_unique<MultiVae>(dense_.cols(), config, init_);
    tests::load_initial(golden_, *model_, GetParam());
  }

  /// The normalised rows times the recorded dropout mask.
  CsrMatrix dropped(const Tensor& mask) const {
    const CsrMatrix normalized = normalize_rows(x_, DType::kFloat64);
    const Tensor values = normalized.values().clone();
    std::int64_t at = 0;
    for (std::int64_t row = 0; row < x_.rows(); ++row) {
      for (const std::int32_t col : x_.row(row)) values.data<double>()[at++] *= mask.data<double>()[row * x_.cols() + col];
    }
    return x_.with_values(values.to(GetParam()));
  }

  Tensor recorded(const std::string& name) const { return golden_.tensor(name, GetParam()); }

  Golden golden_;
  nn::Initializer init_;
  Tensor dense_;
  CsrMatrix x_;
  std::unique_ptr<MultiVae> model_;
};

TEST_P(GoldenVae, LossAndEveryGradient) {
  autograd::Tape tape;
  const MultiVae::Posterior posterior = model_->encode_normalized(dropped(golden_.tensor("mask")));
  const VaeLoss loss = vae_loss(*model_, posterior, recorded("eps"), x_, golden_.scalar("beta"));
  tape.backward(loss.total);
  EXPECT_TRUE(matches_golden(golden_, "mu", posterior.mu.value()));
  EXPECT_TRUE(matches_golden(golden_, "log_var", posterior.log_variance.value()));
  EXPECT_TRUE(matches_golden(golden_, "nll", loss.nll.value()));
  EXPECT_TRUE(matches_golden(golden_, "kl", loss.kl.value()));
  EXPECT_TRUE(matches_golden(golden_, "loss", loss.total.value()));
  tests::expect_gradients(golden_, *model_);
  const Variable sigma = autograd::exp(autograd::scale(posterior.log_variance, 0.5));
  const Variable z = autograd::add(posterior.mu, autograd::multiply(sigma, recorded("eps")));
  EXPECT_TRUE(matches_golden(golden_, "logits", model_->decode(z).value()));
}

TEST_P(GoldenVae, TenTrainingSteps) {
  optim::Adam adam(model_->parameters());
  const Tensor betas = golden_.tensor("betas");
  std::vector<double> losses;
  for (int step = 0; step < betas.numel(); ++step) {
    const std::string suffix = "_" + std::to_string(step);
    autograd::Tape tape;
    const MultiVae::Posterior posterior = model_->encode_normalized(dropped(golden_.tensor("mask" + suffix)));
    const VaeLoss loss = vae_loss(*model_, posterior, recorded("eps" + suffix), x_, betas.data<double>()[step]);
    tape.backward(loss.total);
    adam.step(golden_.scalar("lr"));
    adam.clear_gradients();
    losses.push_back(loss.total.value().item());
  }
  ASSERT_EQ(losses.size(), 10u);
  EXPECT_TRUE(matches_golden(golden_, "losses", Tensor::from<double>(losses, {10}).to(GetParam())));
  tests::expect_values(golden_, *model_);
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenVae, ::testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& param_info) { return std::string(name(param_info.param)); });

}  // namespace
}  // namespace tapestry::sdrm
