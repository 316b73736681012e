#include "recsys/metrics/statistics.h"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>

#include "tensor/error.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void expect_near(double actual, double expected, double tolerance) {
  EXPECT_FALSE(!(std::abs(actual - expected) <= tolerance)) << actual << " instead of " << expected;
}

std::vector<double> normals(std::size_t count, double center, std::uint32_t step) {
  RandomSequence random({5, Purpose::kTest, step});
  std::vector<double> values(count);
  for (double& value : values) value = center + random.normal();
  return values;
}

TEST(StatisticsTest, APercentileLiesBetweenNeighboursInProportion) {
  const std::vector<double> sorted = {1, 2, 4};
  EXPECT_EQ(percentile(sorted, 0), 1);
  EXPECT_EQ(percentile(sorted, 0.25), 1.5);
  EXPECT_EQ(percentile(sorted, 0.75), 3);
  EXPECT_EQ(percentile(sorted, 1), 4);
  EXPECT_EQ(percentile(std::vector<double>{7}, 0.3), 7);
  EXPECT_THROW(percentile(std::vector<double>{}, 0.5), Error);
}

TEST(StatisticsTest, MeanAndBothDeviations) {
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};
  EXPECT_DOUBLE_EQ(mean(values), 5.0);
  EXPECT_DOUBLE_EQ(population_std(values), 2.0);
  EXPECT_DOUBLE_EQ(sample_std(values), std::sqrt(32.0 / 7.0));
  EXPECT_TRUE(std::isnan(mean({})));
  EXPECT_TRUE(std::isnan(population_std({})));
  EXPECT_TRUE(std::isnan(sample_std(std::vector<double>{1})));
  EXPECT_EQ(population_std(std::vector<double>(5, 0.1)), 0.0);
  EXPECT_EQ(mean(std::vector<double>(5, 0.1)), 0.1);
}

TEST(StatisticsTest, StudentTQuantilesEqualTheTables) {
  // Standard tables of Student's t; one and two degrees of freedom also in closed form.
  const struct {
    double degrees, p, t;
  } table[] = {{1, .975, 12.706204736}, {2, .975, 4.302652730},  {3, .975, 3.182446305},   {4, .975, 2.776445105},
               {9, .975, 2.262157163},  {30, .975, 2.042272456}, {100, .975, 1.983971519}, {4, .95, 2.131846786},
               {4, .995, 4.604094871},  {4, .9995, 8.610301581}};
  for (const auto& row : table) {
    expect_near(student_t_quantile(row.p, row.degrees), row.t, 1e-8);
    expect_near(student_t_quantile(1 - row.p, row.degrees), -row.t, 1e-8);
  }
  for (const double p : {1e-9, 0.1, 0.3, 0.6, 0.999999}) {
    const double cauchy = std::tan(M_PI * (p - 0.5)), two = (2 * p - 1) / std::sqrt(2 * p * (1 - p));
    expect_near(student_t_quantile(p, 1) / cauchy, 1, 1e-6);
    expect_near(student_t_quantile(p, 2) / two, 1, 1e-6);
  }
  EXPECT_EQ(student_t_quantile(0.5, 7), 0.0);
  expect_near(student_t_quantile(0.975, 1e7), 1.959964, 1e-5);
  EXPECT_THROW(student_t_quantile(1, 4), Error);
  EXPECT_THROW(student_t_quantile(0.5, 0), Error);
}

TEST(StatisticsTest, StudentTCdfInvertsTheQuantile) {
  for (const double degrees : {1.0, 2.5, 4.0, 50.0, 1205.0}) {
    for (const double p : {0.001, 0.025, 0.4, 0.5, 0.8, 0.99}) {
      expect_near(student_t_cdf(student_t_quantile(p, degrees), degrees), p, 1e-12);
    }
  }
}

TEST(StatisticsTest, IntervalOfTheMean) {
  // mean 3, sample standard deviation sqrt(2.5), t(4) = 2.776445: half width 1.963243.
  const Interval interval = mean_interval(std::vector<double>{1, 2, 3, 4, 5});
  expect_near(interval.low, 3 - 1.9632432, 1e-6);
  expect_near(interval.high, 3 + 1.9632432, 1e-6);
  const Interval point = mean_interval(std::vector<double>(5, 0.31127));
  EXPECT_EQ(point.low, 0.31127);
  EXPECT_EQ(point.high, 0.31127);
  EXPECT_TRUE(std::isnan(mean_interval(std::vector<double>{0.3}).low));
  EXPECT_TRUE(std::isnan(mean_interval(std::vector<double>{0.3}).high));
}

TEST(StatisticsTest, NormalQuantiles) {
  expect_near(normal_quantile(0.975), 1.959963984540054, 1e-12);
  expect_near(normal_quantile(0.0001), -3.719016485455709, 1e-12);
  EXPECT_EQ(normal_quantile(0.5), 0);
  EXPECT_THROW(normal_quantile(1), Error);
}

TEST(StatisticsTest, IntervalsCoverTheTruthAsOftenAsTheyClaim) {
  int covered = 0;
  for (std::uint32_t trial = 0; trial < 2000; ++trial) {
    const Interval interval = mean_interval(normals(5, 1.0, trial));
    covered += interval.low <= 1.0 && 1.0 <= interval.high ? 1 : 0;
  }
  // 1900 expected, standard deviation 9.7.
  EXPECT_GT(covered, 1860);
  EXPECT_LT(covered, 1940);
}

TEST(SignFlipTest, CountsAllPatternsOfFewUsers) {
  // Differences 1, 2, 3: of the eight sums only 6 and -6 are as far from zero as 6.
  const PairedTest test = sign_flip_test(std::vector<double>{2, 4, 7}, std::vector<double>{1, 2, 4});
  EXPECT_TRUE(test.exact);
  EXPECT_EQ(test.users, 3);
  EXPECT_DOUBLE_EQ(test.difference, 2.0);
  EXPECT_DOUBLE_EQ(test.p_two_sided, 2.0 / 8);
  const PairedTest reversed = sign_flip_test(std::vector<double>{1, 2, 4}, std::vector<double>{2, 4, 7});
  EXPECT_DOUBLE_EQ(reversed.difference, -2.0);
  EXPECT_DOUBLE_EQ(reversed.p_two_sided, 2.0 / 8);
}

TEST(SignFlipTest, FindsAnImprovementAndNoneWhereThereIsNone) {
  const std::vector<double> base = normals(400, 0, 1), noise = normals(400, 0, 2);
  std::vector<double> better = base;
  for (std::size_t i = 0; i < base.size(); ++i) better[i] += 0.3 + noise[i];
  const PairedTest found = sign_flip_test(better, base);
  EXPECT_FALSE(found.exact);
  EXPECT_LT(found.p_two_sided, 0.001);
  EXPECT_LT(sign_flip_test(base, better).p_two_sided, 0.001);
  const PairedTest same = sign_flip_test(base, base);
  EXPECT_EQ(same.p_two_sided, 1.0);
}

TEST(SignFlipTest, SampledAndExactPValuesAgree) {
  const std::vector<double> a = normals(13, 0.4, 11), b(13, 0.0);
  const PairedTest exact = sign_flip_test(a, b, {.samples = 1 << 13}), sampled = sign_flip_test(a, b, {.samples = (1 << 13) - 1});
  EXPECT_TRUE(exact.exact);
  EXPECT_FALSE(sampled.exact);
  expect_near(sampled.p_two_sided, exact.p_two_sided, 0.02);
}

/// The test as it reads: a random sign for each difference, one after the other.
double plain_two_sided(const std::vector<double>& differences, const ResamplingOptions& options) {
  const auto size = [&](const auto& positive) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) sum += positive(i) ? differences[i] : -differences[i];
    return std::abs(sum);
  };
  double magnitude = 0;
  for (const double difference : differences) magnitude += std::abs(difference);
  const double observed = size([](std::size_t) { return true; });
  int farther = 0;
  for (int s = 0; s < options.samples; ++s) {
    RandomSequence random(RandomStream{options.seed, Purpose::kBootstrap, (1u << 31) + static_cast<std::uint32_t>(s)});
    std::uint32_t bits = 0;
    farther += size([&](std::size_t i) {
                 if (i % 32 == 0) bits = random.next_u32();
                 return (bits >> (i % 32) & 1u) != 0;
               }) >= observed - 1e-12 * magnitude
                   ? 1
                   : 0;
  }
  return (1.0 + farther) / (1.0 + options.samples);
}

TEST(SignFlipTest, IsThePlainOneForAnyNumberOfUsers) {
  for (const int users : {31, 32, 33, 63, 95, 128, 1001}) {
    std::vector<double> differences = normals(static_cast<std::size_t>(users), 0.1, static_cast<std::uint32_t>(users));
    for (double& difference : differences) difference = std::round(4 * difference) / 20;  // spikes and ties, as of Recall@20
    const ResamplingOptions options = {.samples = 2000, .seed = 5};
    const std::vector<double> zero(differences.size(), 0.0);
    EXPECT_EQ(sign_flip_test(differences, zero, options).p_two_sided, plain_two_sided(differences, options)) << users;
  }
}

TEST(SignFlipTest, RejectsAtTheNominalRateUnderNoDifference) {
  int rejected = 0;
  for (std::uint32_t trial = 0; trial < 500; ++trial) {
    rejected += sign_flip_test(normals(30, 0, trial), std::vector<double>(30, 0.0), {.samples = 999}).p_two_sided <= 0.05 ? 1 : 0;
  }
  // 25 expected, standard deviation 4.9.
  EXPECT_GT(rejected, 8);
  EXPECT_LT(rejected, 45);
}

TEST(SignFlipTest, DrawsAsManyAsTheDocumentationSays) {
  EXPECT_EQ(ResamplingOptions().samples, 10000);
  EXPECT_EQ(ResamplingOptions().level, 0.95);
}

TEST(SignFlipTest, UndefinedPairsAreLeftOutAndLengthsMustMatch) {
  const PairedTest test = sign_flip_test(std::vector<double>{1, kNaN, 2}, std::vector<double>{0, 0, kNaN});
  EXPECT_EQ(test.users, 1);
  EXPECT_DOUBLE_EQ(test.difference, 1.0);
  EXPECT_TRUE(std::isnan(sign_flip_test(std::vector<double>{kNaN}, std::vector<double>{1}).p_two_sided));
  EXPECT_THROW(sign_flip_test(std::vector<double>{1}, std::vector<double>{1, 2}), Error);
}

TEST(HolmTest, ByHand) {
  // Sorted: .01 .02 .03 .04 .2, times 5 4 3 2 1: .05 .08 .09 .08 .2, and the largest so far: .05 .08 .09 .09 .2.
  const std::vector<double> p = {0.04, 0.01, 0.2, 0.03, 0.02};
  const std::vector<double> expected = {0.09, 0.05, 0.2, 0.09, 0.08};
  const std::vector<double> found = holm_adjust(p);
  ASSERT_EQ(found.size(), p.size());
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_FALSE(!(std::abs(found[i] - expected[i]) <= 1e-15)) << i << " " << found[i];
}

TEST(HolmTest, StaysBelowOneAndLeavesOutWhatIsNoNumber) {
  const double nan = std::nan("");
  const std::vector<double> found = holm_adjust(std::vector<double>{0.6, nan, 0.01, 0.7});
  EXPECT_EQ(found[0], 1);
  EXPECT_TRUE(std::isnan(found[1]));
  EXPECT_FALSE(!(std::abs(found[2] - 0.03) <= 1e-15)) << "three tests, not four: " << found[2];
  EXPECT_EQ(found[3], 1);
  EXPECT_EQ(holm_adjust(std::vector<double>{0.03}), std::vector<double>{0.03}) << "one test needs no correction";
  EXPECT_TRUE(holm_adjust({}).empty());
}

}  // namespace
}  // namespace tapestry::recsys
