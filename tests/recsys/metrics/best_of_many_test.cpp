// recsys/metrics/best_of_many.h against closed forms.
#include "recsys/metrics/best_of_many.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

std::vector<double> normals(std::size_t count, double deviation, std::uint32_t step) {
  RandomSequence random({11, Purpose::kTest, step});
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(0.3 + deviation * random.normal());
  return values;
}

TEST(ExpectedNormalMaximum, OfFewIsKnownInClosedForm) {
  EXPECT_NEAR(expected_normal_maximum(1), 0, 1e-12);
  EXPECT_NEAR(expected_normal_maximum(2), 1 / std::sqrt(std::numbers::pi), 1e-10);
  EXPECT_NEAR(expected_normal_maximum(3), 1.5 / std::sqrt(std::numbers::pi), 1e-10);
  // David and Nagaraja, Order Statistics, 3.2: n = 5 in terms of arcsines.
  const double five = 5 / (4 * std::sqrt(std::numbers::pi)) * (1 + 6 / std::numbers::pi * std::asin(1.0 / 3));
  EXPECT_NEAR(expected_normal_maximum(5), five, 1e-10);
  EXPECT_LT(expected_normal_maximum(48), expected_normal_maximum(258));
  EXPECT_THROW(expected_normal_maximum(0), Error);
}

TEST(BestOfMany, OfNormalRunsIsTheExpectedMaximum) {
  constexpr double kDeviation = 0.01;
  const std::vector<double> runs = normals(4000, kDeviation, 1);
  const BestOfManyOptions options = {.trials = {1, 2, 18, 258}, .resamples = 20};
  const std::vector<Lift> lifts = best_of_many(runs, runs, options);
  ASSERT_EQ(lifts.size(), 4U);
  for (std::size_t n = 0; n < lifts.size(); ++n) {
    const double of_one = kDeviation / std::sqrt(5.0);
    const double expected = of_one * expected_normal_maximum(options.trials[n]);
    // Five standard errors: of the deviation that 4000 runs show (1 / sqrt(8000) of it), and of the mean over the searches that
    // could be acted out with so many trials.
    const double error = 5 * (expected / std::sqrt(8000.0) + of_one * std::sqrt(static_cast<double>(options.trials[n]) / 2e5));
    EXPECT_EQ(lifts[n].trials, options.trials[n]);
    EXPECT_TRUE(std::abs(lifts[n].value - expected) <= error) << lifts[n].value << " for " << expected;
  }
  EXPECT_TRUE(lifts[2].interval.low < lifts[2].value && lifts[2].value < lifts[2].interval.high);
}

TEST(BestOfMany, OneRunATrialFromTwoRunsIsTheStretchedGreaterOne) {
  // Of two runs 0 and 2, stretched to 1 -+ sqrt(2), the best of many is surely the greater.
  const std::vector<double> runs = {0, 2};
  const std::vector<Lift> lifts = best_of_many(runs, runs, {.trials = {60}, .runs = 1, .imagined = 1000, .resamples = 2});
  EXPECT_NEAR(lifts[0].value, std::sqrt(2.0), 1e-12);
}

TEST(BestOfMany, TheIntervalIsOfResampledRuns) {
  // Of two runs one is drawn twice half of the time, which leaves nothing to choose. A tenth lies about the middle.
  const std::vector<double> runs = {0, 2};
  const BestOfManyOptions options = {.trials = {60}, .runs = 1, .imagined = 5000, .resamples = 4000, .level = 0.1};
  const std::vector<std::vector<double>> users = {std::vector<double>(5, 0), std::vector<double>(5, 2)};
  for (const Lift& lift : {best_of_many(runs, runs, options)[0], best_of_many_on_others(users, options)[0]}) {
    EXPECT_NEAR(lift.value, std::sqrt(2.0), 1e-4) << "of halves of two and three users as of all";
    EXPECT_NEAR(lift.interval.low, 0, 1e-12);
    EXPECT_NEAR(lift.interval.high, std::sqrt(2.0), 1e-4);
  }
}

TEST(BestOfMany, ChosenByUnrelatedFiguresGainsNothing) {
  const std::vector<double> chosen = normals(3000, 0.01, 1), reported = normals(3000, 0.01, 2);
  const std::vector<Lift> lifts = best_of_many(chosen, reported, {.trials = {258}, .resamples = 2});
  // The sample correlation of 3000 pairs, 1 / sqrt(3000), times the lift of the same, and the mean over the searches.
  const double of_one = 0.01 / std::sqrt(5.0);
  const double error = 5 * of_one * (expected_normal_maximum(258) / std::sqrt(3000.0) + std::sqrt(258 / 2e5));
  EXPECT_TRUE(std::abs(lifts[0].value) <= error) << lifts[0].value;
  EXPECT_GT(best_of_many(chosen, chosen, {.trials = {258}, .imagined = 20000, .resamples = 2})[0].value, 2 * error);
}

TEST(BestOfMany, RunsAllChosenAlikeGainNothing) {
  // There is nothing to choose by, and above all not by what is reported.
  const std::vector<double> alike = {1, 1, 1, 1}, reported = {0, 1, 2, 5};
  for (const Lift& lift : best_of_many(alike, reported, {.trials = {1, 18, 258}, .imagined = 5000, .resamples = 10})) {
    EXPECT_EQ(lift.value, 0) << lift.trials;
    EXPECT_EQ(lift.interval.low, 0) << lift.trials;
    EXPECT_EQ(lift.interval.high, 0) << lift.trials;
  }
}

/// Runs whose users' figures are the run's quality and noise of their own.
std::vector<std::vector<double>> users_of(std::size_t runs, std::size_t users, double quality, double noise) {
  RandomSequence random({12, Purpose::kTest, 0});
  std::vector<std::vector<double>> values(runs);
  for (std::vector<double>& run : values) {
    const double own = quality * random.normal();
    for (std::size_t u = 0; u < users; ++u) run.push_back(own + noise * random.normal());
  }
  return values;
}

TEST(BestOfManyOnOthers, KeepsWhatEverybodyGainsAndLosesTheRest) {
  const BestOfManyOptions options = {.trials = {48}, .resamples = 2};
  const double most = expected_normal_maximum(48) / std::sqrt(5.0);
  // All noise: chosen on one half, the other half gains nothing. Its figures have deviation noise / sqrt(40).
  const double noise_lift = best_of_many_on_others(users_of(400, 80, 0, 1), options)[0].value;
  EXPECT_TRUE(std::abs(noise_lift) <= 0.25 * most / std::sqrt(40.0)) << noise_lift;
  // All quality: the runs are as good for the others.
  const double quality_lift = best_of_many_on_others(users_of(400, 80, 1, 0), options)[0].value;
  EXPECT_TRUE(std::abs(quality_lift - most) <= 0.2 * most) << quality_lift;
  EXPECT_GT(quality_lift, 0.8 * most);
}

TEST(BestOfManyOnOthers, LeavesUsersWithoutAFigureOut) {
  std::vector<std::vector<double>> runs = users_of(12, 20, 1, 1);
  const BestOfManyOptions options = {.trials = {3}, .imagined = 5000, .resamples = 10};
  const std::vector<Lift> before = best_of_many_on_others(runs, options);
  for (std::vector<double>& run : runs) run.push_back(0);
  runs[3].back() = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(best_of_many_on_others(runs, options)[0].value, before[0].value);
}

TEST(BestOfMany, ThreadsDoNotShow) {
  const std::vector<double> runs = normals(20, 1, 3);
  std::vector<std::vector<double>> results;
  const int usual = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    const Lift lift = best_of_many(runs, runs, {.trials = {18}, .imagined = 5000, .resamples = 30})[0];
    results.push_back({lift.value, lift.interval.low, lift.interval.high});
  }
  set_num_threads(usual);
  EXPECT_EQ(results[0], results[1]);
}

TEST(BestOfMany, SearchesAsThePaperDid) {
  EXPECT_EQ(BestOfManyOptions().trials, (std::vector<std::int64_t>{18, 48, 258}));
  EXPECT_EQ(BestOfManyOptions().runs, 5);
}

TEST(BestOfMany, RefusesWhatMakesNoSense) {
  const std::vector<double> two = {1, 2}, one = {1};
  EXPECT_THROW(best_of_many(one, one), Error);
  EXPECT_THROW(best_of_many(two, one), Error);
  EXPECT_THROW(best_of_many(two, two, {.trials = {5, 2}}), Error);
  EXPECT_THROW(best_of_many(two, two, {.trials = {0}}), Error);
  EXPECT_THROW(best_of_many_on_others(std::vector<std::vector<double>>{{1, 2}, {1}}), Error);
  EXPECT_THROW(best_of_many_on_others(std::vector<std::vector<double>>{{1}, {1}}), Error);
}

}  // namespace
}  // namespace tapestry::recsys
