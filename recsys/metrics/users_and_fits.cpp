#include "recsys/metrics/users_and_fits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using Rows = std::vector<std::vector<double>>;

/// The fits without the users that one of them has no value for.
Rows without_undefined(const Rows& fits) {
  Rows kept(fits.size());
  for (std::size_t user = 0; user < fits.front().size(); ++user) {
    if (std::any_of(fits.begin(), fits.end(), [&](const std::vector<double>& fit) { return std::isnan(fit[user]); })) continue;
    for (std::size_t r = 0; r < fits.size(); ++r) kept[r].push_back(fits[r][user]);
  }
  return kept;
}

/// Every user's mean over the fits, NaN where one of them has no value.
std::vector<double> column_means(const Rows& fits) {
  std::vector<double> means;
  for (std::size_t user = 0; user < fits.front().size(); ++user) {
    std::vector<double> of_user;
    for (const std::vector<double>& fit : fits) of_user.push_back(fit[user]);
    means.push_back(mean(of_user));
  }
  return means;
}

std::vector<double> row_means(const Rows& rows) {
  std::vector<double> means;
  for (const std::vector<double>& row : rows) means.push_back(mean(row));
  return means;
}

/// The fits that visit a fold.
Rows visits(const UserValues& values, std::size_t fold) {
  Rows fits;
  for (std::size_t fit = fold; fit < values.fits.size(); fit += static_cast<std::size_t>(values.folds)) {
    fits.push_back(values.fits[fit]);
  }
  return fits;
}

/// [fold][user]: the users' means over the fits that visit the fold. Folds of which no user is left are left out.
Rows users_by_fold(const UserValues& values) {
  Rows means;
  for (std::size_t fold = 0; fold < static_cast<std::size_t>(values.folds); ++fold) {
    std::vector<double> users = column_means(without_undefined(visits(values, fold)));
    if (!users.empty()) means.push_back(std::move(users));
  }
  return means;
}

std::vector<double> joined(const Rows& rows) {
  std::vector<double> all;
  for (const std::vector<double>& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

void check_shape(const char* name, const UserValues& values) {
  check(!values.fits.empty() && values.folds >= 0, name, ": ", values.fits.size(), " fits, ", values.folds, " folds");
  const auto period = static_cast<std::size_t>(values.folds == 0 ? 1 : values.folds);
  check(values.fits.size() % period == 0, name, ": ", values.fits.size(), " fits do not visit ", values.folds,
        " folds equally often");
  for (std::size_t fit = period; fit < values.fits.size(); ++fit) {
    check(values.fits[fit].size() == values.fits[fit - period].size(), name, ": fits of ", values.fits[fit - period].size(),
          " and ", values.fits[fit].size(), " users");
  }
}

/// The mean squares of the two-way analysis of variance, each divided by users x fits: what it adds to the mean's variance.
struct Variances {
  double users = 0, fits = 0, rest = 0;
};

Variances variances(const Rows& fits, const std::vector<double>& by_user, const std::vector<double>& by_fit) {
  const auto users = static_cast<double>(by_user.size()), runs = static_cast<double>(by_fit.size());
  Variances found;
  found.users = sample_std(by_user) * sample_std(by_user) / users;
  if (by_fit.size() < 2) return found;
  found.fits = sample_std(by_fit) * sample_std(by_fit) / runs;
  const double center = mean(by_user);
  double squares = 0;
  for (std::size_t r = 0; r < fits.size(); ++r) {
    for (std::size_t u = 0; u < by_user.size(); ++u) {
      const double rest = fits[r][u] - by_user[u] - by_fit[r] + center;
      squares += rest * rest;
    }
  }
  found.rest = squares / ((users - 1) * (runs - 1) * users * runs);
  return found;
}

/// Completes mean, standard_error and degrees.
MeanTest with_p(MeanTest test) {
  constexpr double kRounding = 1e-12;  // of equal values' mean: the deviations from it need not be 0
  if (std::isnan(test.standard_error)) {
    test.p_two_sided = kNaN;
  } else if (test.standard_error <= kRounding * std::abs(test.mean)) {
    test.p_two_sided = test.mean == 0 ? 1 : kNaN;
  } else {
    test.p_two_sided = 2 * student_t_cdf(-std::abs(test.mean) / test.standard_error, test.degrees);
  }
  return test;
}

/// By how much deviations of n values from their mean are to be stretched, so that a percentile interval of them is as wide as
/// Student's t.
double expansion(std::size_t n, double level) {
  const auto count = static_cast<double>(n);
  return std::sqrt(count / (count - 1)) * student_t_quantile(0.5 + 0.5 * level, count - 1) / normal_quantile(0.5 + 0.5 * level);
}

/// The percentile interval of draw(random) over options.samples.
template <typename Draw>
Interval percentile_interval(const ResamplingOptions& options, const Draw& draw) {
  std::vector<double> means(static_cast<std::size_t>(options.samples));
  parallel_for(options.samples, [&](std::int64_t s) {
    RandomSequence random({options.seed, Purpose::kBootstrap, static_cast<std::uint32_t>(s)});
    means[static_cast<std::size_t>(s)] = draw(random);
  });
  std::sort(means.begin(), means.end());
  const double outside = 0.5 * (1 - options.level);
  return {percentile(means, outside), percentile(means, 1 - outside)};
}

double drawn_mean(const std::vector<double>& values, RandomSequence& random) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += values[random.below(static_cast<std::uint32_t>(values.size()))];
  return sum / static_cast<double>(values.size());
}

/// Each fold's sum of deviations from `center`.
std::vector<double> fold_sums(const Rows& folds, double center) {
  std::vector<double> sums;
  for (const std::vector<double>& fold : folds) {
    double sum = 0;
    for (const double value : fold) sum += value - center;
    sums.push_back(sum);
  }
  return sums;
}

/// Mean, error and degrees of freedom with the folds as what is independent.
MeanTest over_folds(const Rows& folds) {
  const std::vector<double> users = joined(folds);
  const auto groups = static_cast<double>(folds.size());
  MeanTest test;
  test.users = static_cast<std::int64_t>(users.size());
  test.mean = mean(users);
  double squares = 0;
  for (const double sum : fold_sums(folds, test.mean)) squares += sum * sum;
  test.degrees = groups - 1;
  test.standard_error = folds.size() < 2 ? kNaN : std::sqrt(groups / (groups - 1) * squares) / static_cast<double>(users.size());
  return test;
}

/// Of fewer folds, users or fits than these there are too few draws for the ends of an interval: Student's t instead.
constexpr std::size_t kEnoughToDraw = 5;

Interval student_interval(const MeanTest& test, double level) {
  const double reach = student_t_quantile(0.5 + 0.5 * level, test.degrees) * test.standard_error;
  return {test.mean - reach, test.mean + reach};
}

Interval bootstrap_over_folds(const Rows& folds, const ResamplingOptions& options) {
  if (folds.size() < 2) return {kNaN, kNaN};
  if (folds.size() < kEnoughToDraw) return student_interval(over_folds(folds), options.level);
  const double center = mean(joined(folds)), stretch = expansion(folds.size(), options.level);
  const std::vector<double> sums = fold_sums(folds, center);
  return percentile_interval(options, [&](RandomSequence& random) {
    double sum = 0, users = 0;
    for (std::size_t i = 0; i < folds.size(); ++i) {
      const std::size_t drawn = random.below(static_cast<std::uint32_t>(folds.size()));
      sum += sums[drawn];
      users += static_cast<double>(folds[drawn].size());
    }
    return center + stretch * sum / users;
  });
}

/// The same with the same users in every fit.
MeanTest over_fits(const Rows& fits) {
  const std::vector<double> by_user = column_means(fits);
  const auto users = static_cast<double>(by_user.size()), runs = static_cast<double>(fits.size());
  const Variances each = variances(fits, by_user, row_means(fits));
  const bool fits_vary = each.fits > each.rest;
  const double variance = each.users + (fits_vary ? each.fits - each.rest : 0);
  MeanTest test;
  test.users = static_cast<std::int64_t>(by_user.size());
  test.mean = mean(by_user);
  test.standard_error = std::sqrt(variance);
  test.degrees = users - 1;
  if (fits_vary) {
    test.degrees = variance * variance /
                   (each.users * each.users / (users - 1) + each.fits * each.fits / (runs - 1) +
                    each.rest * each.rest / ((users - 1) * (runs - 1)));
  }
  return test;
}

}  // namespace

std::vector<double> user_means(const UserValues& values) {
  check_shape("user_means", values);
  if (values.folds == 0) return column_means(values.fits);
  Rows means;
  for (std::size_t fold = 0; fold < static_cast<std::size_t>(values.folds); ++fold) {
    means.push_back(column_means(visits(values, fold)));
  }
  return joined(means);
}

MeanTest mean_test(const UserValues& values) {
  check_shape("mean_test", values);
  MeanTest test = values.folds > 0 ? over_folds(users_by_fold(values)) : over_fits(without_undefined(values.fits));
  test.fits = static_cast<std::int64_t>(values.fits.size());
  return with_p(test);
}

MeanTest with_overlap(const MeanTest& over_folds, double reported_to_training) {
  check(reported_to_training >= 0, "with_overlap: ", reported_to_training, " reported users for one that trains");
  MeanTest wider = over_folds;
  wider.standard_error *= std::sqrt(1 + (over_folds.degrees + 1) * reported_to_training);
  return with_p(wider);
}

Interval bootstrap_interval(const UserValues& values, const ResamplingOptions& options) {
  check_resampling("bootstrap_interval", options);
  check_shape("bootstrap_interval", values);
  if (values.folds > 0) return bootstrap_over_folds(users_by_fold(values), options);
  const Rows fits = without_undefined(values.fits);
  const std::vector<double> by_user = column_means(fits);
  if (by_user.size() < 2) return {kNaN, kNaN};
  std::vector<double> deviations = row_means(fits);  // of the fits, from the mean of all
  const Variances each = variances(fits, by_user, deviations);
  const double center = mean(by_user);
  const bool fits_vary = each.fits > each.rest;
  if (by_user.size() < kEnoughToDraw || (fits_vary && fits.size() < kEnoughToDraw)) {
    return student_interval(over_fits(fits), options.level);
  }
  const double stretch = fits_vary ? expansion(fits.size(), options.level) * std::sqrt(1 - each.rest / each.fits) : 0;
  for (double& fit : deviations) fit = stretch * (fit - center);
  return percentile_interval(options, [&](RandomSequence& random) {
    const double users = drawn_mean(by_user, random);
    return fits_vary ? users + drawn_mean(deviations, random) : users;
  });
}

}  // namespace tapestry::recsys
