// recsys/generators/codigem.h: the networks, the noise chain, the losses and their wiring, scores and samples.
#include "recsys/generators/codigem.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <numbers>
#include <set>
#include <string>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "recsys/generators/codigem_training.h"
#include "tensor/ops.h"
#include "tests/support/compare.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::grouped_matrix;
using tapestry::tests::same_bits;

CodigemConfig small_config(CodigemVariant variant = CodigemVariant::kPublished, std::int64_t timesteps = 3) {
  CodigemConfig config;
  config.width = 6;
  config.hidden_layers = 3;
  config.timesteps = timesteps;
  config.variant = variant;
  config.beta = 0.05;
  return config;
}

std::unique_ptr<CodigemModel> model_of(std::int64_t items, const CodigemConfig& config, DType dtype = DType::kFloat64,
                                       std::uint64_t seed = 1) {
  nn::Initializer init(seed, dtype);
  return std::make_unique<CodigemModel>(items, config, init);
}

/// z_1..z_T of some users.
std::vector<Tensor> chain_of(const Tensor& x, const CodigemConfig& config, std::uint64_t seed = 3) {
  return noise_chain(x, config.beta, config.timesteps, [&](std::int64_t i) {
    return random_normal(x.shape(), {seed, Purpose::kTest, static_cast<std::uint32_t>(i)}, 0, 1, x.dtype());
  });
}

/// Gradients by parameter name after one step.
std::map<std::string, Tensor> gradients(const CodigemModel& model, const Tensor& x, std::span<const Tensor> chain,
                                        const CodigemConfig& config) {
  model.clear_gradients();
  codigem_gradients(model, x, chain, config);
  std::map<std::string, Tensor> found;
  for (const nn::NamedParameter& parameter : model.named_parameters()) found[parameter.name] = parameter.variable.gradient();
  return found;
}

/// Which networks' gradients differ: "decoder", "reverse.1", ...
std::set<std::string> changed(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  std::set<std::string> networks;
  for (const auto& [name, gradient] : a) {
    const std::size_t end = name.find(".hidden") != std::string::npos ? name.find(".hidden") : name.find(".output");
    if (!same_bits(gradient, b.at(name))) networks.insert(name.substr(0, end));
  }
  return networks;
}

using Names = std::set<std::string>;

TEST(Codigem, SizesOfThePaper) {
  const auto millions = [](std::int64_t items) {
    return static_cast<double>(model_of(items, CodigemConfig(), DType::kFloat32)->parameter_count()) / 1e6;
  };
  EXPECT_NEAR(millions(3125), 5.5, 0.06);   // ml-1m
  EXPECT_NEAR(millions(8582), 14.3, 0.06);  // amazon-digital-music
}

TEST(Codigem, RefusesWhatIsNoModelOfIt) {
  CodigemConfig config = small_config();
  config.timesteps = 1;
  EXPECT_THROW(model_of(5, config), Error);
  for (const double beta : {-0.1, 1.0}) {
    config = small_config();
    config.beta = beta;
    EXPECT_THROW(model_of(5, config), Error) << beta;
  }
  const auto model = model_of(5, small_config());  // T = 3: h_1 and h_2
  const Tensor z = Tensor::zeros({2, 5}, DType::kFloat64);
  EXPECT_EQ(model->reverse(1, z).shape(), (Shape{2, 10}));
  EXPECT_THROW(model->reverse(0, z), Error);
  EXPECT_THROW(model->reverse(3, z), Error);
}

TEST(Codigem, OnlyTheFirstReverseLayersStartTiny) {
  const auto model = model_of(300, CodigemConfig(), DType::kFloat32);
  for (const nn::NamedParameter& parameter : model->named_parameters()) {
    const Tensor& value = parameter.variable.value();
    if (parameter.name.ends_with("slope")) {
      EXPECT_EQ(value.item(), 0.25);
      continue;
    }
    const double mean_square = sum_squares(value).item() / static_cast<double>(value.numel());
    const bool first = parameter.name.find("hidden.0.") != std::string::npos;
    const bool tiny = first && parameter.name.starts_with("reverse");
    const double fan_in = first ? 300 : 200;
    const double expected = tiny ? 1e-4 : 1 / std::sqrt(3 * fan_in);  // U(-b, b) has deviation b / sqrt(3)
    // Four standard errors, a normal's being the larger.
    const double error = 4 / std::sqrt(2.0 * static_cast<double>(value.numel()));
    EXPECT_TRUE(std::abs(std::sqrt(mean_square) / expected - 1) <= error) << parameter.name << ": " << std::sqrt(mean_square);
    if (tiny || parameter.name.ends_with("bias")) continue;
    // A uniform ends at b, and a thousand draws come close to it; of a normal every tenth or so would lie further out.
    float largest = 0;
    for (const float one : value.span<float>()) largest = std::max(largest, std::abs(one));
    const double bound = 1 / std::sqrt(fan_in);
    EXPECT_TRUE(largest <= bound * (1 + 1e-6) && largest >= 0.99 * bound) << parameter.name << ": " << largest;
  }
}

TEST(Codigem, TheNoiseOfTheLastStateHasItsDeviation) {
  CodigemConfig config = small_config();
  config.beta = 1e-4;
  const Tensor x = Tensor::full({100, 1000}, 1, DType::kFloat64);
  const Tensor z = chain_of(x, config).back();
  const double shift = std::pow(1 - config.beta, 1.5);
  const double deviation = std::sqrt(sum_squares(linear_combination({{1.0, z}, {-shift, x}})).item() / 1e5);
  EXPECT_TRUE(std::abs(deviation - 0.017320) <= 4 * 0.01732 / std::sqrt(2e5)) << deviation;
}

TEST(Codigem, WithoutNoiseTheDecoderIsAnAutoencoder) {
  CodigemConfig config = small_config();
  config.beta = 0;
  const auto model = model_of(8, config);
  const Tensor x = dense(grouped_matrix(4, 8, 2, 1), DType::kFloat64);
  const std::vector<Tensor> chain = chain_of(x, config);
  EXPECT_TRUE(same_bits(chain.front(), x));
  const Tensor gap = linear_combination({{1.0, x}, {-1.0, model->decode(x).value()}});
  EXPECT_NEAR(decoder_loss(*model, x, chain.front()).value().item(), 0.5 * sum_squares(gap).item() / 4, 1e-12);
}

TEST(Codigem, ConstantsOfTheDensities) {
  CodigemConfig config = small_config(CodigemVariant::kPublished, 2);
  config.beta = 1e-4;
  const double normal = 0.5 * std::log(2 * std::numbers::pi);
  const auto constant = [&](double z) {
    const std::vector<Tensor> chain(2, Tensor::full({1, 1}, z, DType::kFloat64));
    return constant_loss(Tensor::full({1, 1}, z, DType::kFloat64), chain, config);
  };
  // log N(0; 0, 1e-4) = 3.686232, and 3.686219 of z = 1 around sqrt(1 - beta); two states each.
  EXPECT_NEAR(constant(0), 3 * normal + 2 * 3.686232, 2e-6);
  EXPECT_NEAR(constant(1), 3 * normal + 0.5 + 2 * 3.686219, 2e-6);
}

TEST(Codigem, TheNetworksLearnApart) {
  for (const CodigemVariant variant : {CodigemVariant::kPublished, CodigemVariant::kCorrected}) {
    const CodigemConfig config = small_config(variant);
    const auto model = model_of(8, config);
    const Tensor x = dense(grouped_matrix(4, 8, 2, 1), DType::kFloat64);
    const std::vector<Tensor> chain = chain_of(x, config);
    const auto before = gradients(*model, x, chain, config);
    for (const std::string network : {"decoder", "reverse.1", "reverse.2"}) {
      const auto original = model->state();
      auto state = model->state();
      for (auto& [name, value] : state) {
        if (name.starts_with(network + ".") && name.ends_with("weight")) value.data<double>()[0] += 0.1;
      }
      model->load_state(state);
      EXPECT_EQ(changed(before, gradients(*model, x, chain, config)), Names{network});
      model->load_state(original);
    }
  }
}

TEST(Codigem, WhichNetworkIsScoredAgainstTheFirstState) {
  for (const CodigemVariant variant : {CodigemVariant::kPublished, CodigemVariant::kCorrected}) {
    const CodigemConfig config = small_config(variant);
    const auto model = model_of(8, config);
    const Tensor x = dense(grouped_matrix(4, 8, 2, 1), DType::kFloat64);
    std::vector<Tensor> chain = chain_of(x, config);
    const auto before = gradients(*model, x, chain, config);
    chain.front() = linear_combination({{1.1, chain.front()}});  // read by the decoder alone, a target of one h
    Names expected = {"decoder", variant == CodigemVariant::kPublished ? "reverse.2" : "reverse.1"};
    EXPECT_EQ(changed(before, gradients(*model, x, chain, config)), expected);
  }
}

TEST(Codigem, TheVariantsAreOneAtTwoSteps) {
  const CodigemConfig published = small_config(CodigemVariant::kPublished, 2);
  const CodigemConfig corrected = small_config(CodigemVariant::kCorrected, 2);
  const auto model = model_of(8, published);
  const Tensor x = dense(grouped_matrix(4, 8, 2, 1), DType::kFloat64);
  const std::vector<Tensor> chain = chain_of(x, published);
  EXPECT_EQ(changed(gradients(*model, x, chain, published), gradients(*model, x, chain, corrected)), Names{});
  EXPECT_EQ(codigem_target(1, 3, CodigemVariant::kPublished), 2) << "h_1 against its own input";
}

TEST(Codigem, GradientsAreThoseOfTheLoss) {
  CodigemConfig config = small_config(CodigemVariant::kCorrected);
  const auto model = model_of(6, config);
  auto state = model->state();
  for (auto& [name, value] : state) {  // tiny first layers lie at the kink of PReLU
    if (name.starts_with("reverse") && name.find("hidden.0.") != std::string::npos && !name.ends_with("slope")) {
      for (double& number : value.span<double>()) number *= 3000;
    }
  }
  model->load_state(state);
  const Tensor x = dense(grouped_matrix(4, 6, 2, 1), DType::kFloat64);
  const std::vector<Tensor> chain = chain_of(x, config);
  const double error = tapestry::tests::worst_gradient_error(*model, [&] {
    return autograd::linear_combination({{1.0, decoder_loss(*model, x, chain.front())},
                                         {1.0, reverse_loss(*model, 1, chain, config).loss},
                                         {1.0, reverse_loss(*model, 2, chain, config).loss}});
  });
  EXPECT_TRUE(error <= 1e-6) << error;
}

TEST(Codigem, TheBestLogVarianceIsThatOfTheTarget) {
  const Tensor z = random_normal({50, 1}, {1, Purpose::kTest, 0}, 0, 3, DType::kFloat64);
  const double best = std::log(sum_squares(z).item() / 50);
  const auto slope_at = [&](double v, double clamp) {
    const Variable output = Variable::parameter(Tensor::from<double>(std::vector<double>([&] {
                                                                       std::vector<double> values;
                                                                       for (int i = 0; i < 50; ++i)
                                                                         values.insert(values.end(), {0.0, v});
                                                                       return values;
                                                                     }()),
                                                                     {50, 2}));
    autograd::Tape tape;
    tape.backward(autograd::gaussian_nll(output, z, clamp));
    const Tensor slopes = column_sum(output.gradient());
    return slopes.span<double>()[1];
  };
  EXPECT_NEAR(slope_at(best, 1e9), 0, 1e-12);
  EXPECT_LT(slope_at(best - 0.1, 1e9), 0);
  EXPECT_GT(slope_at(best + 0.1, 1e9), 0);
  EXPECT_EQ(slope_at(best + 0.1, 0.5), 0) << "clamped";
}

TEST(Codigem, ThePReluSlopesGradientIsTheSumOverNegatives) {
  const Variable h = Tensor::from<double>({1, -2, 3, -4}, {2, 2});
  const Variable slope = Variable::parameter(Tensor::full({1}, 0.25, DType::kFloat64));
  autograd::Tape tape;
  tape.backward(autograd::prelu(h, slope), Tensor::from<double>({5, 7, 11, 13}, {2, 2}));
  EXPECT_EQ(slope.gradient().item(), -2.0 * 7 - 4.0 * 13);
}

TEST(Codigem, ScoresAreInsideTheUnitIntervalAndNoisyUnlessAskedNotToBe) {
  const CodigemConfig config = small_config();
  const auto model = model_of(12, config, DType::kFloat32);
  const CsrMatrix x = grouped_matrix(5, 12, 3, 1);
  const auto scores = [&](std::optional<RandomStream> noise) { return codigem_scores(*model, x, config.beta, noise); };
  const Tensor first = scores(RandomStream{1, Purpose::kTest, 0});
  for (const float score : first.span<float>()) EXPECT_TRUE(score > -1 && score < 1) << score;
  EXPECT_FALSE(same_bits(first, scores(RandomStream{1, Purpose::kTest, 1})));
  EXPECT_TRUE(same_bits(scores({}), scores({})));
  const Tensor mean = linear_combination({{std::sqrt(1 - config.beta), dense(x, DType::kFloat32)}});
  EXPECT_TRUE(same_bits(scores({}), model->decode(mean).value()));
}

TEST(Codigem, SamplesRunTheReverseNetworksBackToTheDecoder) {
  constexpr std::int64_t kRows = 300;  // a tile of 256 and a shorter one
  for (const bool squash : {false, true}) {
    CodigemConfig config = small_config();
    config.tanh_means = squash;
    const auto model = model_of(9, config);
    const auto normal = [](Purpose purpose, std::int64_t i) {
      return random_normal({kRows, 9}, {7, purpose, static_cast<std::uint32_t>(i)}, 0, 1, DType::kFloat64);
    };
    Tensor z = normal(Purpose::kSampleStart, 0);
    for (const std::int64_t i : {2, 1}) {
      const Tensor output = model->reverse(i, z).value();
      const Tensor eps = normal(Purpose::kSampleNoise, i);
      const Tensor next = Tensor::empty({kRows, 9}, DType::kFloat64);
      for (std::int64_t row = 0; row < kRows; ++row) {
        for (std::int64_t item = 0; item < 9; ++item) {
          const double m = output.data<double>()[18 * row + item], v = output.data<double>()[18 * row + 9 + item];
          next.data<double>()[9 * row + item] =
              (squash ? std::tanh(m) : m) + std::exp(v / 2) * eps.data<double>()[9 * row + item];
        }
      }
      z = next;
    }
    const Tensor expected = model->decode(z).value();
    const auto expect_rows = [&](const sdrm::LogitMatrix& samples, std::int64_t begin, std::int64_t end) {
      const Tensor ours = unary(UnaryOp::kTanh, samples.tile(begin, end));
      EXPECT_TRUE(tapestry::tests::relative_error(ours, expected.slice_rows(begin, end)) <= 1e-12) << begin;
    };
    expect_rows(codigem_samples(*model, config, 5, 7), 0, 5);
    const sdrm::LogitMatrix many = codigem_samples(*model, config, kRows, 7);
    expect_rows(many, 0, 5);
    expect_rows(many, 250, kRows);
  }
}

/// A model whose reverse networks give each item this mean and this log-variance, whatever they read.
std::unique_ptr<CodigemModel> model_of_constant_networks(const CodigemConfig& config, float mean, float log_variance) {
  auto model = model_of(9, config, DType::kFloat32);
  auto state = model->state();
  for (auto& [name, value] : state) {
    if (!name.starts_with("reverse") || name.find("output") == std::string::npos) continue;
    const bool bias = name.ends_with("bias");
    const std::size_t half = value.span<float>().size() / 2;
    for (std::size_t i = 0; i < 2 * half; ++i) value.span<float>()[i] = !bias ? 0 : i < half ? mean : log_variance;
  }
  model->load_state(state);
  return model;
}

/// The largest score of 200 users in absolute value; all of them have to be finite.
double largest_score(const CodigemModel& model, const CodigemConfig& config) {
  double largest = 0;
  const Tensor scores = codigem_samples(model, config, 200, 7).tile(0, 200);
  for (const float score : scores.span<float>()) {
    EXPECT_TRUE(std::isfinite(score)) << score;
    largest = std::max(largest, std::abs(static_cast<double>(score)));
  }
  return largest;
}

TEST(Codigem, LogVariancesAreHeldWhileSamplingSoThatNoScoreIsInfinite) {
  CodigemConfig config = small_config();
  const double held = largest_score(*model_of_constant_networks(config, 0, 160), config);
  EXPECT_GT(held, 1e30);
  // 500: e^{v/2} is infinite. 1e30: what a network makes of a state that exploded.
  for (const float far : {161.0F, 500.0F, 1e30F}) {
    EXPECT_EQ(largest_score(*model_of_constant_networks(config, 0, far), config), held) << far;
  }
  EXPECT_LT(largest_score(*model_of_constant_networks(config, 0, 159), config), held) << "below, they are what they are";
  config.clamp = 20;
  const double clamped = largest_score(*model_of_constant_networks(config, 0, 500), config);
  EXPECT_EQ(clamped, largest_score(*model_of_constant_networks(config, 0, 20), config));
  EXPECT_LT(clamped, 1e6);
}

TEST(Codigem, AMeanThatIsNoNumberIsStillAFailure) {
  const CodigemConfig config = small_config();
  const auto model = model_of_constant_networks(config, std::numeric_limits<float>::quiet_NaN(), 0);
  EXPECT_THROW(sdrm::binarize_at_density(codigem_samples(*model, config, 5, 7), 0.2), Error);
  const auto unsure = model_of_constant_networks(config, 0, std::numeric_limits<float>::quiet_NaN());
  EXPECT_THROW(sdrm::binarize_at_density(codigem_samples(*unsure, config, 5, 7), 0.2), Error);
}

}  // namespace
}  // namespace tapestry::recsys
