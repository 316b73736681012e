// recsys/generators/diffrec.h and diffrec_schedule.h: the schedule's numbers, the network, inference and sampling.
#include "recsys/generators/diffrec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "recsys/generators/diffrec_generator.h"
#include "sdrm/score_model.h"
#include "tensor/ops.h"
#include "tests/recsys/data/data_support.h"
#include "tests/recsys/generators/generator_support.h"
#include "tests/support/compare.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::same_bits;
using tests::error_of;

DiffRecConfig example(bool fixed = false, DiffRecTarget target = DiffRecTarget::kX0) {
  DiffRecConfig config;
  config.dims = {8};
  config.timesteps = 3;
  config.noise_scale = 0.1;
  config.noise_min = 0.1;
  config.noise_max = 0.5;
  config.beta_fixed = fixed;
  config.target = target;
  return config;
}

/// Every entry after the first (t = 0) to the digits given.
void expect_entries(const std::vector<double>& found, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size() + 1);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(std::abs(found[i + 1] - expected[i]) <= tolerance) << "t = " << i + 1 << ": " << found[i + 1];
  }
}

TEST(DiffRecSchedule, NumbersOfASmallExample) {
  const DiffRecSchedule schedule(example());
  expect_entries(schedule.alpha_bar, {0.99, 0.97, 0.95}, 1e-12);
  expect_entries(schedule.beta, {0.01, 0.0202020202, 0.0206185567}, 1e-10);
  expect_entries(schedule.weight, {1, 66.6667, 13.3333}, 1e-4);
  expect_entries(schedule.c1, {1, 0.67002521, 0.40613847}, 1e-8);
  expect_entries(schedule.c2, {0, 0.32994915, 0.59378222}, 1e-8);
  expect_entries(schedule.variance, {0, 0.006734007, 0.012371134}, 1e-9);
  EXPECT_NEAR(schedule.weight[2] + schedule.weight[3], 80, 1e-9) << "SNR_1 - SNR_T";
  const double survives = std::sqrt(0.95 / 0.99) * 0.01 / 0.05;  // the share of the initial noise that reaches x_1
  EXPECT_NEAR(schedule.c2[2] * schedule.c2[3], survives, 1e-12);
  EXPECT_NEAR(survives, 0.1959, 1e-4);
}

TEST(DiffRecSchedule, TheFirstBetaOverwritten) {
  const DiffRecSchedule schedule(example(true));
  expect_entries(schedule.alpha_bar, {0.99999, 0.97978818, 0.95958636}, 1e-8);
  expect_entries(schedule.weight, {1, 99950.52, 24.73188}, 5e-3);
  EXPECT_NEAR(schedule.weight[3], 24.73188, 1e-5);
}

TEST(DiffRecSchedule, WeightsOfTheNoiseObjectives) {
  const DiffRecSchedule exact(example(false, DiffRecTarget::kEpsExact));
  const DiffRecSchedule code(example(false, DiffRecTarget::kEpsCode));
  EXPECT_NEAR(exact.weight[2], 2.061856, 1e-6);
  EXPECT_NEAR(exact.weight[3], 0.701754, 1e-6);
  EXPECT_NEAR(code.weight[2], 306.1856, 1e-4);
  EXPECT_NEAR(code.weight[3], 56.7251, 1e-4);
  expect_entries(DiffRecSchedule(example(false, DiffRecTarget::kEpsSimple)).weight, {1, 1, 1}, 0);
}

TEST(DiffRecSchedule, ThePublishedSettings) {
  const auto range = [](double s, double low, double high, std::int64_t steps, bool fixed) {
    DiffRecConfig config;
    config.timesteps = steps;
    config.noise_scale = s;
    config.noise_min = low;
    config.noise_max = high;
    config.beta_fixed = fixed;
    return DiffRecSchedule(config);
  };
  // Amazon-book: the overwritten beta_1 is nearly the whole noise.
  EXPECT_NEAR(1 - range(1e-4, 5e-4, 5e-3, 5, true).alpha_bar[5], 1.045e-5, 1e-8);
  EXPECT_NEAR(1 - range(1e-4, 5e-4, 5e-3, 5, false).alpha_bar[5], 5e-7, 1e-12);
  EXPECT_NEAR(range(1e-4, 5e-4, 5e-3, 5, true).weight[2], 1112, 1);
  EXPECT_NEAR(range(1e-4, 5e-4, 5e-3, 5, true).weight[5], 1041, 1);
  // Yelp: Eq. 4 gives beta_1 = 1e-5 by itself.
  for (const bool fixed : {true, false}) {
    const DiffRecSchedule yelp = range(1e-2, 1e-3, 1e-2, 5, fixed);
    EXPECT_NEAR(1 - yelp.alpha_bar[1], 1e-5, 1e-12);
    EXPECT_NEAR(1 - yelp.alpha_bar[5], 1e-4, 1e-12);
    EXPECT_NEAR(yelp.weight[2], 69230.8, 0.1);
    EXPECT_NEAR(yelp.weight[5], 2903.2, 0.1);
  }
  // ML-1M, clean and noisy.
  const DiffRecSchedule clean = range(5e-3, 5e-3, 1e-2, 40, true);
  EXPECT_NEAR(1 - clean.alpha_bar[40], 3.5e-5, 1e-9);
  EXPECT_NEAR(clean.weight[2], 6024.2, 0.1);
  EXPECT_NEAR(clean.weight[40], 533.0, 0.1);
  const DiffRecSchedule noisy = range(0.5, 1e-3, 1e-2, 5, true);
  EXPECT_NEAR(noisy.weight[2], 99119, 1);
  EXPECT_NEAR(noisy.weight[5], 73.7, 0.1);
  EXPECT_NEAR(1 - noisy.alpha_bar[5], 4.51e-3, 1e-5);
}

TEST(DiffRecSchedule, RefusesWhatGivesNegativeBetas) {
  const auto refused = [](const std::function<void(DiffRecConfig&)>& change) {
    DiffRecConfig config = example();
    change(config);
    EXPECT_NE(error_of(ErrorKind::kUsage, [&] { DiffRecSchedule schedule(config); }), "");
  };
  refused([](DiffRecConfig& config) { config.noise_min = config.noise_max; });
  refused([](DiffRecConfig& config) { config.noise_min = 2 * config.noise_max; });
  refused([](DiffRecConfig& config) { config.timesteps = 1; });
  refused([](DiffRecConfig& config) { config.noise_scale = -1; });
  refused([](DiffRecConfig& config) { config.noise_scale = 3; });
  refused([](DiffRecConfig& config) {
    config.noise_scale = 0;
    config.target = DiffRecTarget::kEpsCode;
  });
}

TEST(DiffRec, TheFirstStepsEmbeddingIsOfZero) {
  const Tensor table = sdrm::timestep_embedding(2, 10, DType::kFloat64);
  const std::vector<double> expected = {
      1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0.540302, 0.987467, 0.999685, 0.999992, 1, 0.841471, 0.157827, 0.025116, 0.003981, 0.000631};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(table.span<double>()[i], expected[i], 1e-6);
  // The model looks t = 1 up as that first row: with identity layers in front the hidden unit is tanh of the cosines' sum.
  nn::Initializer init(1, DType::kFloat64);
  DiffRecConfig config = example();
  config.dims = {1};
  const DiffRecModel model(4, config, init);
  auto state = model.state();
  for (auto& [name, value] : state) {
    for (double& number : value.span<double>()) number = 0;
    if (name == "time.weight") {
      for (std::int64_t i = 0; i < 10; ++i) value.data<double>()[11 * i] = 1;
    }
    if (name == "input.weight_t") std::fill_n(value.data<double>(), 5, 0.1);
  }
  model.load_state(state);
  const Tensor hidden = model.hidden(Tensor::zeros({2, 4}, DType::kFloat64), Tensor::from<std::int32_t>({1, 2}, {2})).value();
  EXPECT_NEAR(hidden.span<double>()[0], std::tanh(0.5), 1e-12);
  EXPECT_NEAR(hidden.span<double>()[1], std::tanh(0.1 * (0.540302 + 0.987467 + 0.999685 + 0.999992 + 1)), 1e-6);
}

TEST(DiffRec, SizesOfThePaper) {
  const auto parameters = [](std::int64_t items, std::vector<std::int64_t> dims) {
    DiffRecConfig config = example();
    config.dims = std::move(dims);
    nn::Initializer init(1);
    return DiffRecModel(items, config, init).parameter_count();
  };
  const std::int64_t time = 10 * 10 + 10;
  EXPECT_EQ(parameters(2810, {200, 600}),
            time + (2820 * 600 + 600) + (600 * 200 + 200) + (200 * 600 + 600) + (600 * 2810 + 2810));
  EXPECT_EQ(parameters(100, {1000}), time + (110 * 1000 + 1000) + (1000 * 100 + 100));
  EXPECT_THROW(parameters(100, {}), Error);
  EXPECT_THROW(parameters(100, {10, 0}), Error);
}

TEST(DiffRec, GradientsAreThoseOfTheLoss) {
  nn::Initializer init(1, DType::kFloat64);
  DiffRecConfig config = example(true);
  config.dims = {3, 4};
  const DiffRecModel model(6, config, init);
  const DiffRecSchedule schedule(config);
  const CsrMatrix x = CsrMatrix::from_rows(6, {{0, 3}, {}, {1, 2, 5}, {4}});
  const DiffRecBatch batch = {dense(x, DType::kFloat64), Tensor::from<std::int32_t>({1, 2, 3, 1}, {4}),
                              Tensor::from<double>({0.5, 1, 1.5, 2}, {4, 1}),
                              random_normal({4, 6}, {2, Purpose::kTest, 0}, 0, 1, DType::kFloat64)};
  const Tensor seen = noised_rows(batch, schedule);
  const double error = tapestry::tests::worst_gradient_error(
      model, [&] { return diffrec_loss(model, batch, seen, schedule, config.target).total; });
  EXPECT_TRUE(error <= 1e-6) << error;
}

TEST(DiffRec, RefusesAStepBeforeTheFirstAndRowsOfAnotherWidth) {
  nn::Initializer init(1);
  const DiffRecModel model(6, example(), init);
  const auto hidden = [&](std::int64_t items, std::int32_t step) {
    return model.hidden(Tensor::zeros({2, items}), tapestry::tests::repeated(2, step)).shape();
  };
  EXPECT_EQ(hidden(6, 1), (Shape{2, 8}));
  EXPECT_THROW(hidden(6, 0), Error);
  EXPECT_THROW(hidden(7, 1), Error);
}

/// A network whose output is `constant`, whatever it sees: all weights zero, the last bias the constant.
std::unique_ptr<DiffRecModel> constant_model(std::int64_t items, const DiffRecConfig& config,
                                             const std::vector<double>& constant) {
  nn::Initializer init(1, DType::kFloat64);
  auto model = std::make_unique<DiffRecModel>(items, config, init);
  auto state = model->state();
  for (auto& [name, value] : state) {
    std::fill_n(value.data<double>(), value.numel(), 0.0);
    if (name == "output.bias") std::copy(constant.begin(), constant.end(), value.data<double>());
  }
  model->load_state(state);
  return model;
}

TEST(DiffRec, AnOracleHasNoLossAndInferenceReturnsItsAnswer) {
  const CsrMatrix x = CsrMatrix::from_rows(4, {{0, 2}});
  for (const auto& [timesteps, corrupted] : {std::pair(2, 0), std::pair(2, 2), std::pair(3, 0), std::pair(3, 1), std::pair(3, 3),
                                             std::pair(5, 4), std::pair(40, 40), std::pair(100, 30)}) {
    for (const bool fixed : {false, true}) {
      DiffRecConfig config = example(fixed);
      config.timesteps = timesteps;
      config.inference_steps = corrupted;
      const DiffRecSchedule schedule(config);
      const auto oracle = constant_model(4, config, {1, 0, 1, 0});
      const DiffRecBatch batch = {dense(x, DType::kFloat64), Tensor::from<std::int32_t>({2}, {1}),
                                  Tensor::full({1, 1}, 1, DType::kFloat64), Tensor::full({1, 4}, 1, DType::kFloat64)};
      EXPECT_EQ(diffrec_loss(*oracle, batch, noised_rows(batch, schedule), schedule, config.target).total.value().item(), 0);
      const Tensor scores = diffrec_scores(*oracle, x, schedule, config, {5, Purpose::kTest, 0});
      EXPECT_TRUE(same_bits(scores, dense(x, DType::kFloat64))) << corrupted << " of " << timesteps;
    }
  }
}

TEST(DiffRec, AnOracleOfTheNoiseGivesTheSameAnswer) {
  // x_T is x_0 with the noise that the network always names; every reverse mean then keeps the same x_0 and noise.
  DiffRecConfig config = example(false, DiffRecTarget::kEpsExact);
  config.timesteps = 2;
  const DiffRecSchedule schedule(config);
  const auto oracle = constant_model(4, config, {1, -1, 0.5, 2});
  const DiffRecBatch batch = {dense(CsrMatrix::from_rows(4, {{0, 2}}), DType::kFloat64), Tensor::from<std::int32_t>({2}, {1}),
                              Tensor::full({1, 1}, 1, DType::kFloat64), Tensor::from<double>({1, -1, 0.5, 2}, {1, 4})};
  EXPECT_EQ(diffrec_loss(*oracle, batch, noised_rows(batch, schedule), schedule, config.target).total.value().item(), 0);
  // By hand from a clean row, T' = 0: x_2 = x_0, x^_0 = (x_2 - sqrt(1 - abar_2) e) / sqrt(abar_2), x_1 = c1 x^_0 + c2 x_2, ...
  const double e[] = {1, -1, 0.5, 2}, x0[] = {1, 0, 1, 0};
  const Tensor scores = diffrec_scores(*oracle, CsrMatrix::from_rows(4, {{0, 2}}), schedule, config, {});
  for (std::size_t i = 0; i < 4; ++i) {
    const auto clean = [&](double x, std::size_t t) {
      return (x - std::sqrt(1 - schedule.alpha_bar[t]) * e[i]) / std::sqrt(schedule.alpha_bar[t]);
    };
    const double x1 = schedule.c1[2] * clean(x0[i], 2) + schedule.c2[2] * x0[i];
    EXPECT_NEAR(scores.span<double>()[i], clean(x1, 1), 1e-12);
  }
}

TEST(DiffRec, AnOracleOfTheNoiseTakesAwayWhatTheCorruptionAdded) {
  // What the network names is what the row was corrupted with, drawn from the same stream: at t = T x_0 comes back. The mean of
  // x_1 then has all of its signal, and less noise than the network goes on naming.
  const RandomStream stream = {5, Purpose::kTest, 0};
  const Tensor noise = random_normal({1, 4}, stream, 0, 1, DType::kFloat64);
  DiffRecConfig config = example(false, DiffRecTarget::kEpsExact);
  config.timesteps = 2;
  config.inference_steps = 2;
  const DiffRecSchedule schedule(config);
  const auto oracle = constant_model(4, config, {noise.span<double>().begin(), noise.span<double>().end()});
  const Tensor scores = diffrec_scores(*oracle, CsrMatrix::from_rows(4, {{0, 2}}), schedule, config, stream);
  const double kept = schedule.c2[2] * std::sqrt(1 - schedule.alpha_bar[2]), named = std::sqrt(1 - schedule.alpha_bar[1]);
  const double x0[] = {1, 0, 1, 0};
  for (std::size_t i = 0; i < 4; ++i) {
    const double expected = x0[i] + (kept - named) / std::sqrt(schedule.alpha_bar[1]) * noise.span<double>()[i];
    EXPECT_NEAR(scores.span<double>()[i], expected, 1e-12) << i;
  }
}

TEST(DiffRec, InferenceIsDeterministicUnlessItCorrupts) {
  nn::Initializer init(1);
  DiffRecConfig config = example(true);
  const DiffRecModel model(12, config, init);
  const DiffRecSchedule schedule(config);
  const CsrMatrix x = tapestry::tests::grouped_matrix(5, 12, 3, 1);
  const auto scores = [&](std::uint32_t step) { return diffrec_scores(model, x, schedule, config, {5, Purpose::kTest, step}); };
  EXPECT_TRUE(same_bits(scores(0), scores(1)));
  config.inference_steps = 2;
  EXPECT_TRUE(same_bits(scores(0), scores(0)));
  EXPECT_FALSE(same_bits(scores(0), scores(1)));
  config.inference_steps = 4;
  EXPECT_THROW(scores(0), Error);
}

TEST(DiffRec, WithoutNoiseTheNetworkIsAppliedTTimes) {
  nn::Initializer init(1);
  DiffRecConfig config = example();
  config.noise_scale = 0;
  const DiffRecModel model(12, config, init);
  const DiffRecSchedule schedule(config);
  const CsrMatrix x = tapestry::tests::grouped_matrix(5, 12, 3, 1);
  Tensor expected = dense(x, DType::kFloat32);
  for (const std::int32_t t : {3, 2, 1}) expected = model.forward(expected, tapestry::tests::repeated(5, t)).value();
  EXPECT_TRUE(same_bits(diffrec_scores(model, x, schedule, config, {}), expected));
}

/// The samples as a matrix.
Tensor sampled(const DiffRecModel& model, const DiffRecConfig& config, std::int64_t rows, std::uint64_t seed = 9) {
  return diffrec_samples(model, config, rows, seed).tile(0, rows);
}

TEST(DiffRec, SamplesAreTheReverseProcessOfNoise) {
  constexpr std::int64_t kRows = 300;  // a tile of 256 and a shorter one
  for (const DiffRecTarget target : {DiffRecTarget::kX0, DiffRecTarget::kEpsCode}) {
    for (const bool noise : {false, true}) {
      nn::Initializer init(1, DType::kFloat64);
      DiffRecConfig config = example(true, target);
      config.sampling_noise = noise;
      const DiffRecModel model(12, config, init);
      const DiffRecSchedule schedule(config);
      Tensor x = random_normal({kRows, 12}, {9, Purpose::kSampleStart, 0}, 0, 1, DType::kFloat64);
      for (const std::int32_t t : {3, 2, 1}) {
        const auto at = static_cast<std::size_t>(t);
        Tensor x0 = model.forward(x, tapestry::tests::repeated(kRows, t)).value();
        if (target != DiffRecTarget::kX0) {
          const double bar = schedule.alpha_bar[at];
          x0 = linear_combination({{1 / std::sqrt(bar), x}, {-std::sqrt((1 - bar) / bar), x0}});
        }
        x = linear_combination({{schedule.c1[at], x0}, {schedule.c2[at], x}});
        if (noise && t > 1) {
          const RandomStream stream = {9, Purpose::kSampleNoise, static_cast<std::uint32_t>(t)};
          const Tensor more = random_normal({kRows, 12}, stream, 0, std::sqrt(schedule.variance[at]), DType::kFloat64);
          x = linear_combination({{1, x}, {1, more}});
        }
      }
      const auto expect_rows = [&](const sdrm::LogitMatrix& samples, std::int64_t begin, std::int64_t end) {
        const Tensor expected = x.slice_rows(begin, end);
        EXPECT_TRUE(tapestry::tests::relative_error(samples.tile(begin, end), expected) <= 1e-12) << noise << " " << begin;
      };
      expect_rows(diffrec_samples(model, config, 5, 9), 0, 5);
      const sdrm::LogitMatrix many = diffrec_samples(model, config, kRows, 9);
      expect_rows(many, 0, 5);
      expect_rows(many, 250, kRows);
    }
  }
}

TEST(DiffRec, ASyntheticUserDoesNotDependOnHowManyThereAre) {
  nn::Initializer init(1, DType::kFloat64);
  const DiffRecConfig config = example(true);
  const DiffRecModel model(12, config, init);
  const Tensor many = sampled(model, config, 300);  // more than a tile
  EXPECT_TRUE(tapestry::tests::relative_error(sampled(model, config, 4), many.slice_rows(0, 4)) <= 1e-12);
  EXPECT_FALSE(same_bits(sampled(model, config, 4, 10), sampled(model, config, 4)));
  const sdrm::LogitMatrix matrix = diffrec_samples(model, config, 300, 9);
  EXPECT_TRUE(tapestry::tests::relative_error(matrix.tile(255, 258), many.slice_rows(255, 258)) <= 1e-12);
}

}  // namespace
}  // namespace tapestry::recsys
