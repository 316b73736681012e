#include "sdrm/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "autograd/tape.h"
#include "tensor/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

using tests::same_bits;

constexpr std::uint64_t kSeed = 77;

ScoreConfig small_config(Variant variant, std::int64_t timesteps) {
  ScoreConfig config;
  config.timesteps = timesteps;
  config.variant = variant;
  return config;
}

/// Algorithm 2 for one synthetic user alone, as the published program does it: no tiles, no grouping, one row at a time. The
/// row is repeated to the library's 128 rows, since a BLAS may add up a product of another size in another order.
Tensor sample_one(const ScoreModel& model, std::int32_t row, std::int32_t start, const SamplingOptions& options,
                  std::uint64_t seed) {
  constexpr std::int64_t kRows = 128;
  const NoiseSchedule schedule(model.timesteps());
  const Tensor ids = tests::repeated(kRows, row);
  const Shape shape = {kRows, model.latent()};
  const auto normal = [&](Purpose purpose, std::uint32_t step, double deviation) {
    return random_normal(shape, {seed, purpose, step}, 0, deviation, model.dtype(), Device::kCpu, ids);
  };
  Tensor z = normal(Purpose::kSampleStart, 0, 1);
  for (std::int32_t t = start; t >= 1; --t) {
    const auto at = static_cast<std::size_t>(t);
    const auto step = static_cast<std::uint32_t>(t);
    const Tensor seen =
        model.variant() == Variant::kPublished ? dropout(z, options.dropout, {seed, Purpose::kSampleDropout, step}, ids) : z;
    const Tensor eps = model.forward_dropped(seen, tests::repeated(kRows, t)).value();
    const double keep = 1 / std::sqrt(schedule.alpha[at]);
    const double remove = (1 - schedule.alpha[at]) / std::sqrt(1 - schedule.alpha_bar[at]) * keep;
    double variance = schedule.beta[at];
    if (options.variance == ReverseVariance::kPosterior) {
      variance = schedule.beta[at] * (1 - schedule.alpha_bar[at - 1]) / (1 - schedule.alpha_bar[at]);
    }
    if (t > 1) {
      const Tensor n = normal(Purpose::kSampleNoise, step, std::sqrt(variance) * options.noise_scale);
      z = linear_combination({{keep, z}, {-remove, eps}, {1.0, n}});
    } else {
      z = linear_combination({{keep, z}, {-remove, eps}});
    }
  }
  return z.slice_rows(0, 1).clone();
}

std::vector<std::int32_t> starts_of(const ScoreModel& model, std::int64_t rows, Resolution resolution) {
  if (resolution == Resolution::kMulti) return multi_resolution_starts(rows, model.timesteps(), model.variant(), kSeed);
  return std::vector<std::int32_t>(static_cast<std::size_t>(rows), static_cast<std::int32_t>(model.timesteps()));
}

struct Case {
  std::int64_t latent;
  std::int64_t timesteps;
  Variant variant;
  Resolution resolution;
  DType dtype = DType::kFloat32;
};

class SampleLatents : public ::testing::TestWithParam<Case> {};

TEST_P(SampleLatents, GroupedRowsEqualRowsSampledAloneBitForBit) {
  const Case& c = GetParam();
  nn::Initializer init(3, c.dtype);
  const ScoreModel model(c.latent, small_config(c.variant, c.timesteps), init);
  SamplingOptions options;
  options.resolution = c.resolution;
  options.noise_scale = 0.6;
  constexpr std::int64_t kRows = 300;
  const Tensor all = sample_latents(model, kRows, options, kSeed);
  ASSERT_EQ(all.shape(), (Shape{kRows, c.latent}));
  const std::vector<std::int32_t> starts = starts_of(model, kRows, c.resolution);
  const std::int32_t stride = c.latent > 100 ? 11 : 1;  // wide rows alone are slow: some of them
  for (std::int32_t row = 0; row < kRows; row += stride) {
    const Tensor alone = sample_one(model, row, starts[static_cast<std::size_t>(row)], options, kSeed);
    ASSERT_TRUE(same_bits(all.slice_rows(row, row + 1), alone))
        << "row " << row << " start " << starts[static_cast<std::size_t>(row)];
  }
}

TEST_P(SampleLatents, ARowDoesNotDependOnHowManyAreSampled) {
  const Case& c = GetParam();
  nn::Initializer init(3, c.dtype);
  const ScoreModel model(c.latent, small_config(c.variant, c.timesteps), init);
  SamplingOptions options;
  options.resolution = c.resolution;
  const Tensor all = sample_latents(model, 300, options, kSeed);
  for (const std::int64_t rows : {0, 1, 5, 127, 128, 129}) {
    const Tensor some = sample_latents(model, rows, options, kSeed);
    EXPECT_TRUE(same_bits(some, all.slice_rows(0, rows))) << rows << " rows";
  }
}

TEST_P(SampleLatents, ThreadsDoNotChangeABit) {
  const Case& c = GetParam();
  nn::Initializer init(3, c.dtype);
  const ScoreModel model(c.latent, small_config(c.variant, c.timesteps), init);
  SamplingOptions options;
  options.resolution = c.resolution;
  const Tensor expected = sample_latents(model, 300, options, kSeed);
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    EXPECT_TRUE(same_bits(sample_latents(model, 300, options, kSeed), expected)) << threads << " threads";
  }
  set_num_threads(0);
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, SampleLatents,
    ::testing::Values(Case{4, 9, Variant::kPublished, Resolution::kFull}, Case{4, 9, Variant::kPublished, Resolution::kMulti},
                      Case{20, 5, Variant::kPublished, Resolution::kMulti}, Case{150, 6, Variant::kPublished, Resolution::kMulti},
                      Case{150, 6, Variant::kPublished, Resolution::kFull}, Case{4, 9, Variant::kPaper, Resolution::kMulti},
                      Case{20, 5, Variant::kPaper, Resolution::kFull}, Case{150, 6, Variant::kPaper, Resolution::kMulti},
                      Case{20, 5, Variant::kPublished, Resolution::kMulti, DType::kFloat64},
                      Case{4, 1, Variant::kPublished, Resolution::kMulti}, Case{4, 2, Variant::kPublished, Resolution::kMulti},
                      Case{4, 1, Variant::kPaper, Resolution::kFull}),
    [](const auto& param_info) {
      const Case& c = param_info.param;
      return concat(c.variant == Variant::kPaper ? "Paper" : "Published", c.resolution == Resolution::kFull ? "Full" : "Multi",
                    "K", c.latent, "T", c.timesteps, name(c.dtype));
    });

TEST(Sampling, PosteriorVarianceIsHosOtherChoice) {
  nn::Initializer init(3);
  const ScoreModel model(6, small_config(Variant::kPaper, 7), init);
  const SamplingOptions options = {Resolution::kFull, ReverseVariance::kPosterior, 0.9, 0.5};
  const Tensor all = sample_latents(model, 3, options, kSeed);
  for (std::int32_t row = 0; row < 3; ++row)
    EXPECT_TRUE(same_bits(all.slice_rows(row, row + 1), sample_one(model, row, 7, options, kSeed)));
  SamplingOptions other = options;
  other.variance = ReverseVariance::kBeta;
  EXPECT_FALSE(same_bits(all, sample_latents(model, 3, other, kSeed)));
}

TEST(Sampling, MakesTheRowsOfTheStepsOnce) {
  nn::Initializer init(3);
  const ScoreModel model(6, small_config(Variant::kPublished, 7), init);
  const auto recorded = [](const auto& work) {  // how many operations with a weight
    const autograd::Tape tape;
    work();
    return tape.records();
  };
  const std::size_t rows = recorded([&] { model.step_rows(); });
  const Tensor by_step = model.step_rows().value();
  const std::size_t step = recorded([&] { model.forward_dropped(Tensor::zeros({1, 6}), tests::repeated(1, 1), by_step); });
  set_num_threads(1);  // so that this thread, whose tape it is, does the steps
  EXPECT_EQ(recorded([&] { sample_latents(model, 3, {}, kSeed); }), rows + 7 * step);
  set_num_threads(0);
}

TEST(Sampling, SeesTheWeightsOfNow) {
  nn::Initializer init(3), other(4);
  const ScoreModel model(6, small_config(Variant::kPublished, 7), init), trained(6, small_config(Variant::kPublished, 7), other);
  const Tensor before = sample_latents(model, 3, {}, kSeed);
  std::vector<std::pair<std::string, Tensor>> state = model.state();
  for (auto& [name, tensor] : state) {
    for (const auto& [same, changed] : trained.state()) {
      if (name == same && (name == "time.weight" || name == "input.weight_t")) tensor = changed;
    }
  }
  model.load_state(state);
  const Tensor after = sample_latents(model, 3, {}, kSeed);
  EXPECT_FALSE(same_bits(after, before));
  for (std::int32_t row = 0; row < 3; ++row) {
    EXPECT_TRUE(same_bits(after.slice_rows(row, row + 1), sample_one(model, row, 7, {}, kSeed)));
  }
}

TEST(Sampling, SeedsDiffer) {
  nn::Initializer init(3);
  const ScoreModel model(6, small_config(Variant::kPublished, 7), init);
  EXPECT_FALSE(same_bits(sample_latents(model, 3, {}, 1), sample_latents(model, 3, {}, 2)));
}

TEST(Sampling, TheSamplingDropoutIsTheOptionNotTheModels) {
  ScoreConfig config = small_config(Variant::kPublished, 7);
  nn::Initializer init(3);
  const ScoreModel model(16, config, init);
  SamplingOptions none;
  none.dropout = 0;
  const Tensor without = sample_latents(model, 2, none, kSeed);
  EXPECT_TRUE(same_bits(without.slice_rows(1, 2), sample_one(model, 1, 7, none, kSeed)));
  EXPECT_FALSE(same_bits(without, sample_latents(model, 2, {}, kSeed)));
}

TEST(Sampling, DropoutWhileSamplingIsSwitchedAlone) {
  nn::Initializer init(3), same(3);
  ScoreConfig config = small_config(Variant::kPublished, 7);
  const ScoreModel published(16, config, init);
  config.sampling_dropout = false;
  const ScoreModel dry(16, config, same);
  EXPECT_TRUE(published.drops_while_sampling() && !dry.drops_while_sampling());
  EXPECT_EQ(dry.parameter_count(), published.parameter_count());
  // Without it the published model samples as it does with a dropout of none, and M-SDRM's rows start where they did.
  for (const Resolution resolution : {Resolution::kFull, Resolution::kMulti}) {
    SamplingOptions options = {.resolution = resolution}, none = options;
    none.dropout = 0;
    EXPECT_TRUE(same_bits(sample_latents(dry, 5, options, kSeed), sample_latents(published, 5, none, kSeed)));
    EXPECT_FALSE(same_bits(sample_latents(dry, 5, options, kSeed), sample_latents(published, 5, options, kSeed)));
  }
}

TEST(Sampling, ThatRemovesNoNoiseIsThatOfAZeroNetwork) {
  nn::Initializer init(3), same(3);
  const ScoreModel model(5, small_config(Variant::kPublished, 7), init), zero(5, small_config(Variant::kPublished, 7), same);
  for (const Variable& parameter : zero.parameters()) {
    std::memset(parameter.value().raw_data(), 0, static_cast<std::size_t>(parameter.value().bytes()));
  }
  for (const Resolution resolution : {Resolution::kFull, Resolution::kMulti}) {
    SamplingOptions silent = {.resolution = resolution}, usual = silent;
    silent.removes_noise = false;
    EXPECT_TRUE(same_bits(sample_latents(model, 6, silent, kSeed), sample_latents(zero, 6, usual, kSeed)));
    EXPECT_FALSE(same_bits(sample_latents(model, 6, silent, kSeed), sample_latents(model, 6, usual, kSeed)));
  }
}

TEST(Sampling, WithoutNoiseAndWithAZeroNetworkItDividesByTheRootsOfAlpha) {
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      constexpr std::int64_t kSteps = 83;
      nn::Initializer init(3, dtype);
      const ScoreModel model(5, small_config(variant, kSteps), init);
      for (const Variable& parameter : model.parameters()) {
        std::memset(parameter.value().raw_data(), 0, static_cast<std::size_t>(parameter.value().bytes()));
      }
      SamplingOptions options;
      options.noise_scale = 0;
      const Tensor z = sample_latents(model, 40, options, kSeed).to(DType::kFloat64);
      const Tensor start = random_normal({40, 5}, {kSeed, Purpose::kSampleStart, 0}, 0, 1, dtype).to(DType::kFloat64);
      double product = 1;
      for (std::int64_t t = 1; t <= kSteps; ++t) product *= 1 - (1e-4 + (0.02 - 1e-4) * static_cast<double>(t) / kSteps);
      const double tolerance = dtype == DType::kFloat32 ? 83 * 6e-8 : 83 * 2e-16;  // one rounding a step
      for (std::int64_t i = 0; i < z.numel(); ++i) {
        const double expected = start.data<double>()[i] / std::sqrt(product);
        EXPECT_TRUE(std::abs(z.data<double>()[i] - expected) <= tolerance * std::abs(expected))
            << z.data<double>()[i] << " " << expected;
      }
    }
  }
}

/// One step from z_1 by the posterior of Ho et al. 2020, Eq. 11, with eps worked out from the output as each objective defines
/// it.
TEST(Sampling, TheObjectiveSaysWhatTheOutputIs) {
  constexpr std::int64_t kRows = 128;
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    nn::Initializer init(3, DType::kFloat64);
    const ScoreModel model(4, small_config(variant, 1), init);
    const NoiseSchedule schedule(1);
    SamplingOptions options;
    options.noise_scale = 0.7;
    options.dropout = 0;
    const Tensor z = random_normal({kRows, 4}, {kSeed, Purpose::kSampleStart, 0}, 0, 1, DType::kFloat64);
    const Tensor output = model.forward_dropped(z, tests::repeated(kRows, 1)).value();
    const double sigma = 0.7 * schedule.noise(1, variant);
    for (const Objective objective : {Objective::kScore, Objective::kEpsilon, Objective::kX0, Objective::kDenoising}) {
      options.objective = objective;
      const Tensor sampled = sample_latents(model, kRows, options, kSeed);
      for (std::int64_t i = 0; i < z.numel(); ++i) {
        const double latent = z.data<double>()[i];
        const double out = output.data<double>()[i];
        const double eps = objective == Objective::kX0          ? (latent - schedule.signal(1) * out) / sigma
                           : objective == Objective::kDenoising ? -sigma * out
                                                                : out;
        const double expected =
            (latent - eps * (1 - schedule.alpha[1]) / std::sqrt(1 - schedule.alpha_bar[1])) / std::sqrt(schedule.alpha[1]);
        EXPECT_NEAR(sampled.data<double>()[i], expected, 1e-12) << static_cast<int>(objective);
      }
    }
    options.objective = Objective::kX0;
    options.noise_scale = 0;
    EXPECT_THROW(sample_latents(model, 1, options, kSeed), Error);
  }
}

TEST(Sampling, IsDoneWithWhatTheModelWasTrainedWith) {
  ScoreConfig config;
  config.noise_scale = 0.3;
  config.dropout = 0.2;
  config.removes_noise = false;
  config.objective = Objective::kX0;
  for (const Resolution resolution : {Resolution::kFull, Resolution::kMulti}) {
    const SamplingOptions options = sampling_options(config, resolution);
    EXPECT_EQ(options.resolution, resolution);
    EXPECT_EQ(options.variance, ReverseVariance::kBeta);
    EXPECT_EQ(options.noise_scale, 0.3);
    EXPECT_EQ(options.dropout, 0.2);
    EXPECT_FALSE(options.removes_noise);
    EXPECT_EQ(options.objective, Objective::kX0);
  }
  config.removes_noise = true;
  EXPECT_TRUE(sampling_options(config, Resolution::kFull).removes_noise);
}

TEST(MultiResolutionStarts, AreUniformOverTheVariantsRange) {
  constexpr std::int64_t kRows = 20000;
  constexpr std::int64_t kSteps = 10;
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    const std::int64_t highest = variant == Variant::kPublished ? kSteps - 1 : kSteps;
    std::vector<double> seen(kSteps + 2, 0);
    for (const std::int32_t start : multi_resolution_starts(kRows, kSteps, variant, 5)) {
      ASSERT_GE(start, 1);
      ASSERT_LE(start, highest);
      ++seen[static_cast<std::size_t>(start)];
    }
    const double expected = static_cast<double>(kRows) / static_cast<double>(highest);
    double chi_square = 0;
    for (std::int64_t t = 1; t <= highest; ++t) {
      const double difference = seen[static_cast<std::size_t>(t)] - expected;
      chi_square += difference * difference / expected;
    }
    EXPECT_TRUE(chi_square <= 33.7) << chi_square;  // 9 degrees of freedom: exceeded once in 10^4 seeds
  }
}

TEST(MultiResolutionStarts, DependOnTheRowAlone) {
  const auto many = multi_resolution_starts(100, 50, Variant::kPublished, 5);
  const auto few = multi_resolution_starts(7, 50, Variant::kPublished, 5);
  EXPECT_EQ(few, std::vector<std::int32_t>(many.begin(), many.begin() + 7));
  EXPECT_NE(many, multi_resolution_starts(100, 50, Variant::kPublished, 6));
  EXPECT_EQ(multi_resolution_starts(3, 1, Variant::kPublished, 5), std::vector<std::int32_t>(3, 1));
  EXPECT_EQ(multi_resolution_starts(3, 1, Variant::kPaper, 5), std::vector<std::int32_t>(3, 1));
  EXPECT_TRUE(multi_resolution_starts(0, 9, Variant::kPaper, 5).empty());
}

TEST(Sampling, ReportsProgressAndCanBeCancelled) {
  nn::Initializer init(3);
  const ScoreModel model(4, small_config(Variant::kPublished, 3), init);
  std::int64_t last = 0;
  sample_latents(model, 300, {}, kSeed, [&](std::int64_t done, std::int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, 300);
    last = done;
  });
  EXPECT_EQ(last, 300);
  EXPECT_THROW(sample_latents(model, 300, {}, kSeed, [](std::int64_t, std::int64_t) { fail(ErrorKind::kUsage, "stop"); }), Error);
  EXPECT_THROW(sample_latents(model, -1, {}, kSeed), Error);
}

TEST(Sampling, PriorRowsDependOnTheRowAlone) {
  const Tensor z = sample_prior(9, 3, 4);
  EXPECT_EQ(z.shape(), (Shape{9, 3}));
  EXPECT_TRUE(same_bits(sample_prior(5, 3, 4), z.slice_rows(0, 5)));
}

}  // namespace
}  // namespace tapestry::sdrm
