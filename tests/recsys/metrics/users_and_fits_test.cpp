#include "recsys/metrics/users_and_fits.h"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Differences without any effect: every user has his own deviation, every fit its own, which all its users share, and the rest
/// is noise.
UserValues simulated(std::size_t users, std::size_t fits, int folds, double by_user, double by_fit, double noise,
                     std::uint32_t step) {
  RandomSequence random({5, Purpose::kTest, step});
  UserValues values;
  values.folds = folds;
  const std::size_t groups = folds == 0 ? 1 : static_cast<std::size_t>(folds);
  std::vector<std::vector<double>> user(groups, std::vector<double>(users));
  for (std::vector<double>& group : user) {
    for (double& one : group) one = by_user * random.normal();
  }
  for (std::size_t r = 0; r < fits; ++r) {
    const double shared = by_fit * random.normal();
    std::vector<double>& fit = values.fits.emplace_back();
    for (const double own : user[r % groups]) fit.push_back(own + shared + noise * random.normal());
  }
  return values;
}

TEST(MeanTestOverUsersAndFits, OfOneFitIsTheOrdinaryTTest) {
  const MeanTest test = mean_test({{{1, 2, 3, 6}}, 0});
  EXPECT_DOUBLE_EQ(test.mean, 3);
  EXPECT_DOUBLE_EQ(test.standard_error, std::sqrt(14.0 / 3 / 4));
  EXPECT_DOUBLE_EQ(test.degrees, 3);
  EXPECT_EQ(test.users, 4);
  EXPECT_EQ(test.fits, 1);
  EXPECT_DOUBLE_EQ(test.p_two_sided, 2 * student_t_cdf(-3 / std::sqrt(14.0 / 12), 3));
}

TEST(MeanTestOverUsersAndFits, OfEqualUsersIsTheTTestOverFits) {
  // Nothing but the fits varies: the interval of their means, whatever the number of users.
  const std::vector<double> fits = {0.1, 0.4, 0.2, 0.5};
  UserValues values;
  for (const double fit : fits) values.fits.emplace_back(100, fit);
  const MeanTest test = mean_test(values);
  const Interval interval = mean_interval(fits);
  EXPECT_NEAR(test.degrees, 3, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.975, test.degrees) * test.standard_error, 0.5 * (interval.high - interval.low), 1e-12);
}

TEST(MeanTestOverUsersAndFits, ByHand) {
  // User means 2, 4, 9; fit means 4, 6; mean 5. Rest: +-1/2, +-1/2, -+1 -> squares 3.
  //   V_users = 13 / 3, V_fits = 2 / 2, V_rest = 3 / (2 * 1 * 3 * 2) = 1/4, error^2 = 13/3 + 3/4 = 61/12.
  const MeanTest test = mean_test({{{1.5, 3.5, 7}, {2.5, 4.5, 11}}, 0});
  EXPECT_DOUBLE_EQ(test.mean, 5);
  EXPECT_NEAR(test.standard_error, std::sqrt(61.0 / 12), 1e-12);
  EXPECT_NEAR(test.degrees, (61.0 / 12) * (61.0 / 12) / ((13.0 / 3) * (13.0 / 3) / 2 + 1.0 + 1.0 / 16 / 2), 1e-12);
}

TEST(MeanTestOverUsersAndFits, OfEqualFoldsIsTheTTestOverFoldMeans) {
  // Two visits to each of three folds. Users' means: 1, 3 | 4, 6 | 0, 4.
  const UserValues values = {{{0, 3}, {4, 5}, {1, 4}, {2, 3}, {4, 7}, {-1, 4}}, 3};
  const std::vector<double> folds = {2, 5, 2};
  const MeanTest test = mean_test(values);
  EXPECT_DOUBLE_EQ(test.mean, 3);
  EXPECT_DOUBLE_EQ(test.degrees, 2);
  EXPECT_NEAR(test.standard_error, sample_std(folds) / std::sqrt(3.0), 1e-12);
  EXPECT_EQ(test.users, 6);
  EXPECT_EQ(test.fits, 6);
  EXPECT_EQ(user_means(values), (std::vector<double>{1, 3, 4, 6, 0, 4}));
}

TEST(OverlappingFolds, WidenTheErrorByWhatTheirTrainingSetsShare) {
  // Fold means .1, .2, .3, .4: mean .25, error .0645. One user is reported for two that train: 1 + 4 / 2 = 3 times the variance.
  const MeanTest test = mean_test({{{0.1, 0.1}, {0.2, 0.2}, {0.3, 0.3}, {0.4, 0.4}}, 4});
  EXPECT_NEAR(test.standard_error, 0.0645497, 1e-6);
  const MeanTest wider = with_overlap(test, 0.5);
  EXPECT_DOUBLE_EQ(wider.standard_error, std::sqrt(3.0) * test.standard_error);
  EXPECT_DOUBLE_EQ(wider.p_two_sided, 2 * student_t_cdf(-0.25 / wider.standard_error, 3));
  EXPECT_DOUBLE_EQ(with_overlap(test, 0).p_two_sided, test.p_two_sided);
  EXPECT_TRUE(std::isnan(with_overlap(mean_test({{{0.1, 0.1}, {0.1, 0.1}}, 2}), 0.5).p_two_sided)) << "no spread, no p";
  EXPECT_THROW(with_overlap(test, -1), Error);
}

TEST(MeanTestOverUsersAndFits, UsersWithoutAValueInAFitAreLeftOut) {
  const MeanTest with = mean_test({{{1, kNaN, 3, 2}, {1, 5, 2, 2}}, 0}), without = mean_test({{{1, 3, 2}, {1, 2, 2}}, 0});
  EXPECT_EQ(with.standard_error, without.standard_error);
  EXPECT_EQ(with.users, 3);
  const MeanTest folds = mean_test({{{1, 3}, {kNaN, 4}, {2, 6}}, 3});
  EXPECT_EQ(folds.users, 5);
  EXPECT_TRUE(std::isnan(user_means({{{1, 3}, {kNaN, 4}}, 2})[2]));
}

TEST(MeanTestOverUsersAndFits, SaysNothingWhereNothingIsKnown) {
  EXPECT_TRUE(std::isnan(mean_test({{{kNaN}}, 0}).p_two_sided));
  EXPECT_TRUE(std::isnan(mean_test({{{1.0}}, 0}).p_two_sided)) << "one user";
  EXPECT_TRUE(std::isnan(mean_test({{{1, 2}, {kNaN, kNaN}}, 2}).p_two_sided)) << "one fold";
  EXPECT_TRUE(std::isnan(mean_test({{{0.5}, {0.25}}, 0}).p_two_sided)) << "one user, whatever the fits";
  EXPECT_EQ(mean_test({{{0, 0}, {0, 0}}, 0}).p_two_sided, 1) << "the same system twice";
  EXPECT_THROW(mean_test({{}, 0}), Error);
  EXPECT_THROW(mean_test({{{1, 2}, {1}}, 0}), Error);
  EXPECT_THROW(mean_test({{{1}, {1}, {1}}, 2}), Error);
}

TEST(MeanTestOverUsersAndFits, UsersWhoAllAgreeGiveNoP) {
  // 0.1 three times has a mean that is not 0.1, and so a deviation that is not 0.
  for (const UserValues& values : {UserValues{{{0.5, 0.5}}, 0}, UserValues{{{0.1, 0.1, 0.1}}, 0}, UserValues{{{-1, -1, -1}}, 0},
                                   UserValues{{{0.5, 0.5}, {0.5, 0.5}}, 0}, UserValues{{{0.1, 0.1}, {0.1}, {0.1}}, 3}}) {
    const MeanTest test = mean_test(values);
    EXPECT_NEAR(test.standard_error, 0, 1e-15);
    EXPECT_TRUE(std::isnan(test.p_two_sided)) << test.p_two_sided << " of " << test.users << " users";
  }
  EXPECT_LT(mean_test({{{0.5, 0.5 + 1e-9}}, 0}).p_two_sided, 1e-6) << "hardly any spread is some";
}

struct Design {
  const char* name;
  std::size_t users, fits;
  int folds;
  double by_user, by_fit, noise;
};

class Coverage : public testing::TestWithParam<Design> {};

// What a test over users alone gets wrong: fits that vary. 800 trials: 5 % are 40, standard deviation 6.2.
TEST_P(Coverage, NothingIsFoundWhereThereIsNothing) {
  constexpr std::uint32_t kTrials = 800;
  const Design& of = GetParam();
  int rejected = 0, by_these_fits = 0, missed = 0;
  for (std::uint32_t trial = 0; trial < kTrials; ++trial) {
    const UserValues values = simulated(of.users, of.fits, of.folds, of.by_user, of.by_fit, of.noise, trial);
    rejected += mean_test(values).p_two_sided <= 0.05 ? 1 : 0;
    const Interval interval = bootstrap_interval(values, {.samples = 400, .seed = trial});
    missed += interval.low > 0 || interval.high < 0 ? 1 : 0;
    const std::vector<double> users = user_means(values);
    by_these_fits += sign_flip_test(users, std::vector<double>(users.size(), 0.0), {.samples = 99}).p_two_sided <= 0.05 ? 1 : 0;
  }
  EXPECT_LE(rejected, 62) << "more than 7.7 % false alarms";
  EXPECT_GE(rejected, 16) << "less than 2 %: wider than need be";
  EXPECT_LE(missed, 70);
  EXPECT_GE(missed, 16);
  if (of.by_fit > 0) {
    EXPECT_GT(by_these_fits, 2 * rejected) << "is the effect of the fits in these values at all?";
  }
}

INSTANTIATE_TEST_SUITE_P(, Coverage,
                         testing::Values(Design{"FitsAlike", 60, 5, 0, 1, 0, 1}, Design{"FitsVary", 60, 5, 0, 1, 0.3, 1},
                                         Design{"TenFitsVary", 60, 10, 0, 0.5, 0.3, 1}, Design{"FoldsAlike", 30, 10, 10, 1, 0, 1},
                                         Design{"FoldsVary", 30, 10, 10, 1, 0.5, 1},
                                         Design{"FoldsVisitedTwice", 30, 10, 5, 1, 0.8, 1}, Design{"FewUsers", 4, 1, 0, 1, 0, 1}),
                         [](const testing::TestParamInfo<Design>& tested) { return std::string(tested.param.name); });

TEST(BootstrapOverUsersAndFits, AgreesWithTheTTest) {
  for (const int folds : {0, 10}) {
    for (const double by_fit : {0.0, 0.1}) {
      const UserValues values = simulated(400, 10, folds, 1, by_fit, 1, 77);
      const MeanTest test = mean_test(values);
      const Interval interval = bootstrap_interval(values, {.samples = 4000});
      const double half = student_t_quantile(0.975, test.degrees) * test.standard_error;
      EXPECT_NEAR(interval.low, test.mean - half, 0.2 * half) << folds << " folds, fits " << by_fit;
      EXPECT_NEAR(interval.high, test.mean + half, 0.2 * half) << folds << " folds, fits " << by_fit;
    }
  }
}

TEST(BootstrapOverUsersAndFits, LeavesOutOneHalfOfTheRestAtEitherEnd) {
  // Of five users, one of them 1, 33 % of the drawn means are 0, 41 % are 1/5, 20 % are 2/5.
  const UserValues values = {{{0, 0, 0, 0, 1}}, 0};
  const auto interval = [&](double level) { return bootstrap_interval(values, {.samples = 20000, .level = level}); };
  const Interval inside = interval(0.28);  // 36 % outside at either end
  EXPECT_EQ(inside.low, 0.2);
  EXPECT_EQ(inside.high, 0.2);
  const Interval between = interval(0.40);
  EXPECT_EQ(between.low, 0);
  EXPECT_EQ(between.high, 0.2);
  const Interval outside = interval(0.52);
  EXPECT_EQ(outside.low, 0);
  EXPECT_EQ(outside.high, 0.4);
}

TEST(BootstrapOverUsersAndFits, FitsVaryByWhatTheRestDoesNotExplain) {
  // Six fits of six users alike but for `rest`, which takes turns of both signs and so leaves every mean as it is.
  const auto width = [](double rest) {
    UserValues values;
    for (const double fit : {1, 1, 1, -1, -1, -1}) {
      std::vector<double>& users = values.fits.emplace_back();
      for (const double sign : {1, -1, 1, -1, 1, -1}) users.push_back(fit + (values.fits.size() % 2 == 0 ? sign : -sign) * rest);
    }
    const Interval interval = bootstrap_interval(values);
    return interval.high - interval.low;
  };
  // Variances of the mean: of the fits (6 / 5) / 6, of the rest 36 / (5 5 36).
  EXPECT_NEAR(width(1), std::sqrt(1 - (1.0 / 25) / (1.0 / 5)) * width(0), 1e-9);
  EXPECT_EQ(width(3), 0) << "as much as the rest lets expect: nothing is known of the fits";
}

TEST(BootstrapOverUsersAndFits, OfFewFoldsIsStudentsT) {
  for (const int folds : {2, 3, 4}) {
    const UserValues values = simulated(40, static_cast<std::size_t>(folds), folds, 1, 0.5, 1, 5);
    const MeanTest test = mean_test(values);
    const double half = student_t_quantile(0.975, folds - 1) * test.standard_error;
    EXPECT_DOUBLE_EQ(bootstrap_interval(values).low, test.mean - half);
    EXPECT_DOUBLE_EQ(bootstrap_interval(values).high, test.mean + half);
  }
}

TEST(BootstrapOverUsersAndFits, OfFewFitsThatVaryIsStudentsT) {
  for (const std::size_t fits : {2U, 3U, 4U}) {
    const UserValues values = simulated(40, fits, 0, 1, 3, 0.1, 5);
    const MeanTest test = mean_test(values);
    const double half = student_t_quantile(0.975, test.degrees) * test.standard_error;
    EXPECT_DOUBLE_EQ(bootstrap_interval(values).low, test.mean - half);
    EXPECT_DOUBLE_EQ(bootstrap_interval(values).high, test.mean + half);
  }
  const std::vector<double> users = {0, 0, 0, 0, 1};
  const Interval alike = bootstrap_interval({{users, users}, 0}, {.samples = 20000, .level = 0.52});
  EXPECT_TRUE(alike.low == 0 && alike.high == 0.4) << "of fits alike the users are drawn, as of one";
}

TEST(BootstrapOverUsersAndFits, OfFewUsersIsStudentsT) {
  const Interval two = bootstrap_interval({{{0.1, 0.2}}, 0});
  EXPECT_NEAR(two.low, 0.15 - 12.7062 * 0.05, 1e-5) << "drawn from the two it would not leave their range";
  EXPECT_NEAR(two.high, 0.15 + 12.7062 * 0.05, 1e-5);
  for (const std::size_t users : {2U, 3U, 4U}) {
    const UserValues values = simulated(users, 6, 0, 1, 0.5, 1, 5);
    const MeanTest test = mean_test(values);
    const double half = student_t_quantile(0.975, test.degrees) * test.standard_error;
    EXPECT_DOUBLE_EQ(bootstrap_interval(values).low, test.mean - half);
    EXPECT_DOUBLE_EQ(bootstrap_interval(values).high, test.mean + half);
  }
}

TEST(BootstrapOverUsersAndFits, OfOneFitAgreesWithTheNormalInterval) {
  const UserValues values = simulated(2000, 1, 0, 1, 0, 0, 1);
  const Interval interval = bootstrap_interval(values, {.samples = 4000});
  const double center = mean(values.fits[0]), half = normal_quantile(0.975) * population_std(values.fits[0]) / std::sqrt(2000.0);
  EXPECT_NEAR(interval.low, center - half, 0.1 * half);
  EXPECT_NEAR(interval.high, center + half, 0.1 * half);
}

TEST(BootstrapOverUsersAndFits, SameSeedSameBitsForAnyNumberOfThreads) {
  for (const int folds : {0, 2}) {
    const UserValues values = simulated(100, folds == 0 ? 5U : 2U, folds, 1, 0.5, 1, 9);
    const int before = num_threads();
    set_num_threads(1);
    const Interval alone = bootstrap_interval(values, {.samples = 500, .seed = 3});
    set_num_threads(3);
    const Interval three = bootstrap_interval(values, {.samples = 500, .seed = 3});
    set_num_threads(before);
    const Interval other = bootstrap_interval(values, {.samples = 500, .seed = 4});
    EXPECT_EQ(alone.low, three.low);
    EXPECT_EQ(alone.high, three.high);
    if (folds == 0) {
      EXPECT_NE(alone.low, other.low);
    }
  }
}

TEST(BootstrapOverUsersAndFits, UndefinedUsersAreLeftOut) {
  const Interval with = bootstrap_interval({{{1, kNaN, 3, 2, 5, 4}, {1, kNaN, 2, 2, 6, 4}}, 0});
  const Interval without = bootstrap_interval({{{1, 3, 2, 5, 4}, {1, 2, 2, 6, 4}}, 0});
  EXPECT_EQ(with.low, without.low);
  EXPECT_EQ(with.high, without.high);
  EXPECT_TRUE(std::isnan(bootstrap_interval({{{kNaN}}, 0}).low));
  EXPECT_TRUE(std::isnan(bootstrap_interval({{{0.5, kNaN}, {0.25, 1}}, 0}).low)) << "one user";
  EXPECT_TRUE(std::isnan(bootstrap_interval({{{0.5}}, 0}).high)) << "one user";
  EXPECT_TRUE(std::isnan(bootstrap_interval({{{1, 2}, {kNaN, kNaN}}, 2}).low)) << "one fold";
  EXPECT_THROW(bootstrap_interval({{{1, 2}, {1}}, 0}), Error);
  EXPECT_THROW(bootstrap_interval({{}, 0}), Error);
  EXPECT_THROW(bootstrap_interval({{{1, 2}}, 0}, {.samples = 0}), Error);
}

}  // namespace
}  // namespace tapestry::recsys
