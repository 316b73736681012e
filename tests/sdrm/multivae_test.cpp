#include "sdrm/multivae.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "tests/support/compare.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

using tests::random_tensor;
using tests::same_bits;

VaeConfig small_config() {
  VaeConfig config;
  config.hidden = 6;
  config.latent = 4;
  return config;
}

MultiVae::Posterior constant_posterior(std::int64_t rows, double mu, double log_variance) {
  return {Tensor::full({rows, 7}, mu, DType::kFloat64), Tensor::full({rows, 7}, log_variance, DType::kFloat64)};
}

TEST(KlDivergence, OfKnownGaussians) {
  EXPECT_TRUE(std::abs(kl_divergence(constant_posterior(3, 0, 0)).value().item()) <= 1e-12);
  EXPECT_NEAR(kl_divergence(constant_posterior(3, 1, 0)).value().item(), 7 / 2.0, 1e-12);
  // Per dimension 1/2 (4 - 1 - ln 4) = 0.80685.
  EXPECT_NEAR(kl_divergence(constant_posterior(5, 0, std::log(4))).value().item(), 7 * 0.8068528194400547, 1e-12);
}

TEST(KlDivergence, IsAveragedOverUsersAndItsGradientIsTheFormulas) {
  const Variable mu = Variable::parameter(random_tensor({5, 3}, 1));
  const Variable log_variance = Variable::parameter(random_tensor({5, 3}, 2));
  autograd::Tape tape;
  const Variable kl = kl_divergence({mu, log_variance});
  tape.backward(kl);
  double expected = 0;
  for (std::int64_t i = 0; i < 15; ++i) {
    const double m = mu.value().data<double>()[i];
    const double l = log_variance.value().data<double>()[i];
    expected += 0.5 * (m * m + std::exp(l) - 1 - l) / 5;
    EXPECT_NEAR(mu.gradient().data<double>()[i], m / 5, 1e-14);
    EXPECT_NEAR(log_variance.gradient().data<double>()[i], (std::exp(l) - 1) / 10, 1e-14);
  }
  EXPECT_NEAR(kl.value().item(), expected, 1e-12);
}

TEST(MultinomialLikelihood, OfUniformLogitsIsTheProfileLengthTimesLogItems) {
  const CsrMatrix x = CsrMatrix::from_rows(9, {{0, 3, 8}, {}, {1, 2, 4, 5, 6}});
  const double nll = autograd::multinomial_nll(Tensor::full({3, 9}, 0.3, DType::kFloat64), x).value().item();
  EXPECT_NEAR(nll, (3 + 0 + 5) * std::log(9) / 3, 1e-12);
}

TEST(MultinomialLikelihood, OfTwoOfThreeItemsWithItsGradient) {
  const CsrMatrix x = CsrMatrix::from_rows(3, {{0, 2}});
  for (const double shift : {0.0, 5.0}) {  // a constant added to a row changes nothing
    const Variable logits = Variable::parameter(Tensor::full({1, 3}, shift, DType::kFloat64));
    autograd::Tape tape;
    const Variable nll = autograd::multinomial_nll(logits, x);
    tape.backward(nll);
    EXPECT_NEAR(nll.value().item(), 2.19722457733622, 1e-12);
    const double* gradient = logits.gradient().data<double>();
    EXPECT_NEAR(gradient[0], -1.0 / 3, 1e-14);
    EXPECT_NEAR(gradient[1], 2.0 / 3, 1e-14);
    EXPECT_NEAR(gradient[2], -1.0 / 3, 1e-14);
  }
}

TEST(MultiVae, InitialValuesAreXavierUniformWithSmallNormalBiases) {
  VaeConfig config;
  config.hidden = 120;
  config.latent = 50;
  nn::Initializer init(9);
  const MultiVae model(300, config, init);
  EXPECT_EQ(model.parameter_count(), 300 * 120 + 120 + 120 * 100 + 100 + 50 * 120 + 120 + 120 * 300 + 300);
  std::vector<std::string> names;
  for (const nn::NamedParameter& parameter : model.named_parameters()) {
    names.push_back(parameter.name);
    const Tensor& value = parameter.variable.value();
    double squares = 0;
    double largest = 0;
    for (const float number : value.span<float>()) {
      squares += double{number} * number;
      largest = std::max(largest, std::abs(double{number}));
    }
    const double deviation = std::sqrt(squares / static_cast<double>(value.numel()));
    if (value.shape().rank() == 2) {
      const double bound = std::sqrt(6.0 / static_cast<double>(value.size(0) + value.size(1)));
      EXPECT_LE(largest, bound * 1.000001) << parameter.name;
      EXPECT_NEAR(deviation, bound / std::sqrt(3), 0.05 * bound) << parameter.name;
    } else {
      EXPECT_NEAR(deviation, 0.001, 0.0003) << parameter.name;
    }
  }
  const std::vector<std::string> expected = {"encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "encoder.1.bias",
                                             "decoder.0.weight", "decoder.0.bias", "decoder.1.weight", "decoder.1.bias"};
  EXPECT_EQ(names, expected);
  EXPECT_EQ(model.named_parameters()[0].variable.shape(), (Shape{300, 120}));
  EXPECT_EQ(model.named_parameters()[2].variable.shape(), (Shape{100, 120}));
}

TEST(MultiVae, EvaluationIsDeterministicAndTrainingPassesDiffer) {
  nn::Initializer init(9);
  const MultiVae model(20, small_config(), init);
  const CsrMatrix x = tests::grouped_matrix(8, 20, 2, 3);
  EXPECT_TRUE(same_bits(model.encode(x).mu.value(), model.encode(x).mu.value()));
  const RandomStream stream = {5, Purpose::kVaeDropout, 0};
  EXPECT_TRUE(same_bits(model.encode(x, stream).mu.value(), model.encode(x, stream).mu.value()));
  EXPECT_FALSE(same_bits(model.encode(x, stream).mu.value(), model.encode(x, stream.at(1)).mu.value()));
  EXPECT_FALSE(same_bits(model.encode(x, stream).mu.value(), model.encode(x).mu.value()));
}

TEST(MultiVae, DropoutActsOnTheNormalisedRow) {
  // Four ones become 0.5 each; with p = 0.5 the kept ones are 1.
  const CsrMatrix x = CsrMatrix::from_rows(10, {{1, 4, 5, 9}});
  const CsrMatrix normalized = normalize_rows(x, DType::kFloat32);
  for (const float value : normalized.values().span<float>()) EXPECT_EQ(value, 0.5f);
  nn::Initializer init(9, DType::kFloat64);
  const MultiVae model(10, small_config(), init);
  int kept = 0;
  for (std::uint32_t step = 0; step < 20; ++step) {
    const RandomStream stream = {5, Purpose::kVaeDropout, step};
    const CsrMatrix dropped = dropout(normalize_rows(x, DType::kFloat64), 0.5, stream);
    for (const double value : dropped.values().span<double>()) {
      EXPECT_TRUE(value == 0 || value == 1) << value;
      kept += value == 1;
    }
    EXPECT_TRUE(same_bits(model.encode(x, stream).mu.value(), model.encode_normalized(dropped).mu.value()));
  }
  EXPECT_GT(kept, 20);
  EXPECT_LT(kept, 60);
}

TEST(MultiVae, AnEmptyRowEncodesTheBiases) {
  nn::Initializer init(9);
  const MultiVae model(20, small_config(), init);
  const Tensor mu = model.encode(CsrMatrix::from_rows(20, {{}, {2, 3}})).mu.value();
  const Tensor empty = mu.slice_rows(0, 1);
  for (const float value : empty.span<float>()) EXPECT_TRUE(std::abs(value) <= 0.02f) << value;
}

TEST(MultiVae, WithoutNoiseATrainingPassIsThePassOfMu) {
  nn::Initializer init(9, DType::kFloat64);
  const MultiVae model(20, small_config(), init);
  const CsrMatrix x = tests::grouped_matrix(8, 20, 2, 3);
  const MultiVae::Posterior posterior = model.encode(x);
  const VaeLoss loss = vae_loss(model, posterior, Tensor::zeros({8, 4}, DType::kFloat64), x, 0);
  EXPECT_NEAR(loss.total.value().item(), autograd::multinomial_nll(model.decode(posterior.mu), x).value().item(), 1e-12);
}

TEST(MultiVae, LatentsOfManyRowsAreThoseOfTheirRows) {
  nn::Initializer init(9, DType::kFloat64);
  const MultiVae model(20, small_config(), init);
  const CsrMatrix x = tests::grouped_matrix(2100, 20, 2, 3);  // more than two of the tiles it works in
  const Tensor all = model.latents(x);
  ASSERT_EQ(all.shape(), (Shape{2100, 4}));
  for (const std::int64_t row : {0, 1023, 1024, 2047, 2048, 2099}) {
    const Tensor own = model.encode(x.slice_rows(row, row + 1)).mu.value();
    EXPECT_TRUE(tests::relative_error(all.slice_rows(row, row + 1), own) <= 1e-12) << row;
  }
  EXPECT_EQ(model.latents(x.slice_rows(0, 0)).shape(), (Shape{0, 4}));
}

TEST(MultiVae, GradientsAgreeWithCentralDifferences) {
  nn::Initializer init(9, DType::kFloat64);
  const MultiVae model(13, small_config(), init);
  std::vector<std::vector<std::int32_t>> rows = tests::random_pattern(6, 13, 0.4, 3);  // its row 1 is empty
  const CsrMatrix x = CsrMatrix::from_rows(13, rows);
  const Tensor noise = random_normal({6, 4}, {5, Purpose::kVaeLatent, 0}, 0, 1, DType::kFloat64);
  for (const double beta : {0.0, 0.2, 3.0}) {
    const double error = tests::worst_gradient_error(model, [&] {
      return vae_loss(model, model.encode(x, RandomStream{5, Purpose::kVaeDropout, 0}), noise, x, beta).total;
    });
    EXPECT_TRUE(error <= 1e-6) << error << " at beta " << beta;
  }
}

TEST(MultiVae, RefusesWhatDoesNotFit) {
  nn::Initializer init(9);
  EXPECT_THROW(MultiVae(0, small_config(), init), Error);
  VaeConfig flat = small_config();
  flat.latent = 0;
  EXPECT_THROW(MultiVae(5, flat, init), Error);
  const MultiVae model(20, small_config(), init);
  EXPECT_THROW(model.encode(CsrMatrix::from_rows(19, {{0}})), Error);
}

}  // namespace
}  // namespace tapestry::sdrm
