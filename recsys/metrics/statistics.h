#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Spread, intervals and tests of metrics. docs/metrics.md says which of them each protocol reports.
namespace tapestry::recsys {

struct Interval {
  double low = 0;
  double high = 0;
};

/// NaN when empty.
double mean(std::span<const double> values);
/// Standard deviation of the values themselves, divisor n: what the paper's tables print. NaN when empty.
double population_std(std::span<const double> values);
/// Estimate of the standard deviation behind the values, divisor n - 1. NaN below two values.
double sample_std(std::span<const double> values);

/// The value at share p (0 to 1) of values in rising order, linear between neighbours. At least one value.
double percentile(std::span<const double> sorted, double p);

/// P(T <= t) for Student's t with this many degrees of freedom (positive, need not be whole).
double student_t_cdf(double t, double degrees);
/// The t with student_t_cdf(t, degrees) == p, 0 < p < 1, to about 1e-12 relative.
double student_t_quantile(double p, double degrees);
/// The z below which a standard normal lies with probability p, 0 < p < 1.
double normal_quantile(double p);

/// Interval for the mean of n independent runs: mean +- t(n - 1) * sample_std / sqrt(n). A point when all runs agree; NaN ends
/// below two runs, which say nothing about spread.
Interval mean_interval(std::span<const double> runs, double level = 0.95);

struct ResamplingOptions {
  int samples = 10000;
  std::uint64_t seed = 0;
  double level = 0.95;
};

/// Throws Error(kMisuse), naming the caller, unless there are samples and the level lies between 0 and 1.
void check_resampling(const char* name, const ResamplingOptions& options);

/// The outcome of a paired comparison of A and B over the same users.
struct PairedTest {
  double difference = 0;   ///< mean over users of A - B
  double p_two_sided = 1;  ///< under no difference, the chance of a mean at least as far from zero
  std::int64_t users = 0;  ///< compared: with both values defined
  bool exact = false;      ///< all 2^users sign patterns were counted, not a sample of them
};

/// Sign-flip permutation test (Fisher 1935): if A and B do equally well, each user's difference is as likely with either sign.
/// No assumption on their distribution, which for Recall@k is a few spikes. Exact when 2^users <= samples, else p counts
/// the observed pattern among the sampled ones: (1 + hits) / (1 + samples). Pairs with a NaN are left out.
PairedTest sign_flip_test(std::span<const double> a, std::span<const double> b, const ResamplingOptions& options = {});

/// Holm's step-down correction (Holm 1979) of the p-values of one family of m tests: with p_(1) <= ... <= p_(m),
///   adjusted_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).
/// Rejecting where it is below alpha keeps the chance of any false rejection in the family below alpha, whatever the dependence
/// between the tests. In the order given. A p that is NaN stays NaN and is not counted in m.
std::vector<double> holm_adjust(std::span<const double> p);

}  // namespace tapestry::recsys
