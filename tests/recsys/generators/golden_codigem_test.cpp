// tests/golden/codigem_step.txt replayed, published and corrected: the loss, every gradient and ten Adamax steps.
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "optim/adamax.h"
#include "recsys/generators/codigem_training.h"
#include "tests/support/golden.h"
#include "tests/support/modules.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::matches_golden;

class GoldenCodigem : public ::testing::TestWithParam<std::tuple<DType, CodigemVariant>> {
 protected:
  GoldenCodigem() : init_(1, dtype()) {
    config_.timesteps = 4;
    config_.beta = golden_.scalar("beta");
    config_.width = golden_.tensor("initial.decoder.hidden.0.bias").numel();
    config_.hidden_layers = 2;
    config_.variant = std::get<1>(GetParam());
    model_ = std::make_unique<CodigemModel>(golden_.tensor("x_dense").cols(), config_, init_);
    tapestry::tests::load_initial(golden_, *model_, dtype());
  }

  static DType dtype() { return std::get<0>(GetParam()); }
  std::string prefix() const { return config_.variant == CodigemVariant::kPublished ? "published." : "corrected."; }

  double step(int index) const {
    const Tensor x = golden_.tensor("x_dense", dtype());
    const auto noise = [&](std::int64_t i) { return golden_.tensor(concat("noise_", index, ".", i), dtype()); };
    std::vector<double> terms;
    for (const Tensor& term : codigem_gradients(*model_, x, noise_chain(x, config_.beta, config_.timesteps, noise), config_)) {
      terms.push_back(term.item());
    }
    return codigem_loss(terms, x.shape(), config_);
  }

  tapestry::tests::Golden golden_ = tapestry::tests::golden_file("codigem_step.txt");
  nn::Initializer init_;
  CodigemConfig config_;
  std::unique_ptr<CodigemModel> model_;
};

TEST_P(GoldenCodigem, EveryGradient) {
  step(0);
  tapestry::tests::expect_gradients(golden_, *model_, prefix() + "grad.");
}

TEST_P(GoldenCodigem, TenTrainingSteps) {
  optim::Adamax adamax(model_->parameters());
  std::vector<double> losses;
  for (int index = 0; index < 10; ++index) {
    losses.push_back(step(index));
    adamax.step(golden_.scalar("lr"));
    adamax.clear_gradients();
  }
  EXPECT_TRUE(matches_golden(golden_, prefix() + "losses", Tensor::from<double>(losses, {10}).to(dtype())));
  tapestry::tests::expect_values(golden_, *model_, prefix() + "final.");
}

INSTANTIATE_TEST_SUITE_P(TypesAndVariants, GoldenCodigem,
                         ::testing::Combine(::testing::Values(DType::kFloat32, DType::kFloat64),
                                            ::testing::Values(CodigemVariant::kPublished, CodigemVariant::kCorrected)),
                         [](const auto& param_info) {
                           const bool published = std::get<1>(param_info.param) == CodigemVariant::kPublished;
                           return concat(name(std::get<0>(param_info.param)), published ? "Published" : "Corrected");
                         });

}  // namespace
}  // namespace tapestry::recsys
