#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recsys/metrics/statistics.h"

/// How much choosing the best of many trials raises what is reported, although all trials are equally good: a trial is some
/// independent runs of one and the same thing, its figure their mean, and the trial with the highest figure is reported.
namespace tapestry::recsys {

/// E[max of n independent standard normals], n >= 1: 0, 1/sqrt(pi), 3/(2 sqrt(pi)), ... The lift of a normal figure of standard
/// deviation s is s times this. Throws Error(kMisuse) for n < 1.
double expected_normal_maximum(std::int64_t n);

struct BestOfManyOptions {
  /// To choose among, ascending. The paper's searches completed 4 to 56, such as 18 and 48, and started up to 300.
  std::vector<std::int64_t> trials = {18, 48, 258};
  std::int64_t runs = 5;           ///< of a trial
  std::int64_t imagined = 200000;  ///< trials drawn for the estimate; a fiftieth of them for each resample
  int resamples = 200;             ///< of the given runs, for the interval
  std::uint64_t seed = 0;
  double level = 0.95;
};

/// What choosing among `trials` adds to the mean.
struct Lift {
  std::int64_t trials = 0;
  double value = 0;
  Interval interval;  ///< percentile bootstrap over the given runs
};

/// The expected reported mean of the trial whose chosen mean is highest, less the mean of all runs. chosen[r] and reported[r] are
/// two measurements of run r, the same ones where trials are chosen on the very users that are reported; trials draw runs with
/// replacement. Deviations from the mean are stretched by sqrt(R / (R - 1)), so that what is drawn from R runs has their sample
/// variance. Runs that are all chosen alike lift nothing. One Lift for each of options.trials. Throws Error(kMisuse) unless there
/// are two runs, as many of both, and ascending positive trials.
std::vector<Lift> best_of_many(std::span<const double> chosen, std::span<const double> reported,
                               const BestOfManyOptions& options = {});

/// The same when trials are chosen on one half of the users and reported on the other: per_run[r][u] is user u in run r, halves
/// are drawn anew for every resample and the value is the mean over 50 of them. What is left of the lift is what the chosen runs
/// are better by for everybody; had they been run once more to be reported, nothing would be left. Users with a NaN in any run
/// are left out. Throws Error(kMisuse) as above and for runs with different numbers of users, or fewer than two.
std::vector<Lift> best_of_many_on_others(std::span<const std::vector<double>> per_run, const BestOfManyOptions& options = {});

}  // namespace tapestry::recsys
