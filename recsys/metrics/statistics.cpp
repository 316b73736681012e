#include "recsys/metrics/statistics.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint32_t kSignFlipSteps = 1u << 31;  // bootstrap samples use the steps below, sign flips those above

double squared_deviations(std::span<const double> values) {
  const double center = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - center) * (value - center);
  return sum;
}

/// The continued fraction of the incomplete beta function (Abramowitz, Stegun 26.5.8), evaluated by Lentz's method.
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto guarded = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1, d = 1 / guarded(1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m <= 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guarded(1 + even * d);
    c = guarded(1 + even / c);
    fraction *= c * d;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guarded(1 + odd * d);
    c = guarded(1 + odd / c);
    fraction *= c * d;
    if (std::abs(c * d - 1) < 1e-15) break;
  }
  return fraction;
}

/// The regularised incomplete beta function I_x(a, b); `complement` is 1 - x, given apart because near x = 1 it is the number
/// that is known accurately.
double incomplete_beta(double a, double b, double x, double complement) {
  if (x <= 0) return 0;
  if (complement <= 0) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log(complement));
  // The fraction converges fast on this side of the mean only.
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, complement) / b;
}

/// P(T > t) for t >= 0, accurate in the far tail.
double upper_tail(double t, double degrees) {
  const double square = t * t;
  return 0.5 * incomplete_beta(0.5 * degrees, 0.5, degrees / (degrees + square), square / (degrees + square));
}

/// The quantile of a distribution that is symmetric around zero, by its upper tail P(T > t), t >= 0.
template <typename UpperTail>
double quantile(double p, const UpperTail& above) {
  if (p == 0.5) return 0;
  const double tail = p < 0.5 ? p : 1 - p;
  double low = 0, high = 1;
  while (above(high) > tail) high *= 2;
  // Bisection to the last bit: sixty evaluations, and no derivative to go wrong in heavy tails.
  for (double middle = 0.5 * (low + high); middle > low && middle < high; middle = 0.5 * (low + high)) {
    (above(middle) > tail ? low : high) = middle;
  }
  return p < 0.5 ? -high : high;
}

/// Sums of differences under random signs, a bit of the stream for each, 1 for plus. Every sum of four neighbours under their
/// sixteen patterns is there beforehand, so that a pattern of thousands costs a quarter of the additions, and those not one
/// behind the other.
class SignedSums {
 public:
  explicit SignedSums(std::span<const double> differences) : words_((differences.size() + kBits - 1) / kBits) {
    fours_.resize(words_ * kFours);
    for (std::size_t i = 0; i < differences.size(); ++i) {
      Four& four = fours_[i / 4];
      for (std::size_t pattern = 0; pattern < four.size(); ++pattern) {
        four[pattern] += (pattern >> (i % 4) & 1u) ? differences[i] : -differences[i];
      }
    }
  }

  double operator()(RandomStream stream) const {
    RandomSequence random(stream);
    std::array<double, kFours> sums = {};
    for (std::size_t word = 0; word < words_; ++word) {
      const std::uint32_t bits = random.next_u32();
      for (std::size_t i = 0; i < kFours; ++i) sums[i] += fours_[word * kFours + i][bits >> (4 * i) & 15u];
    }
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  }

 private:
  static constexpr std::size_t kBits = 32, kFours = kBits / 4;
  using Four = std::array<double, 16>;
  std::size_t words_;
  std::vector<Four> fours_;
};

double signed_sum(std::span<const double> differences, std::uint64_t pattern) {
  double sum = 0;
  for (std::size_t i = 0; i < differences.size(); ++i) sum += (pattern >> i & 1u) ? differences[i] : -differences[i];
  return sum;
}

}  // namespace

double mean(std::span<const double> values) {
  if (values.empty()) return kNaN;
  // Around the first value, so that equal runs have exactly their value as mean and exactly zero spread.
  double sum = 0;
  for (const double value : values) sum += value - values[0];
  return values[0] + sum / static_cast<double>(values.size());
}

double population_std(std::span<const double> values) {
  return values.empty() ? kNaN : std::sqrt(squared_deviations(values) / static_cast<double>(values.size()));
}

double sample_std(std::span<const double> values) {
  return values.size() < 2 ? kNaN : std::sqrt(squared_deviations(values) / static_cast<double>(values.size() - 1));
}

double percentile(std::span<const double> sorted, double p) {
  check(!sorted.empty(), "percentile: no values");
  const double position = p * static_cast<double>(sorted.size() - 1);
  const std::size_t below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double student_t_cdf(double t, double degrees) {
  check(degrees > 0, "student_t_cdf: ", degrees, " degrees of freedom");
  const double tail = upper_tail(std::abs(t), degrees);
  return t < 0 ? tail : 1 - tail;
}

double student_t_quantile(double p, double degrees) {
  check(degrees > 0 && p > 0 && p < 1, "student_t_quantile: p ", p, " with ", degrees, " degrees of freedom");
  return quantile(p, [&](double t) { return upper_tail(t, degrees); });
}

double normal_quantile(double p) {
  check(p > 0 && p < 1, "normal_quantile: p ", p);
  return quantile(p, [](double z) { return 0.5 * std::erfc(z / std::sqrt(2.0)); });
}

Interval mean_interval(std::span<const double> runs, double level) {
  check(level > 0 && level < 1, "mean_interval: level ", level);
  const std::size_t n = runs.size();
  if (n < 2) return {kNaN, kNaN};
  const double quantile = student_t_quantile(0.5 + 0.5 * level, static_cast<double>(n - 1));
  const double half = quantile * sample_std(runs) / std::sqrt(static_cast<double>(n));
  return {mean(runs) - half, mean(runs) + half};
}

void check_resampling(const char* name, const ResamplingOptions& options) {
  check(options.samples > 0 && options.level > 0 && options.level < 1, name, ": samples ", options.samples, ", level ",
        options.level);
}

PairedTest sign_flip_test(std::span<const double> a, std::span<const double> b, const ResamplingOptions& options) {
  check_resampling("sign_flip_test", options);
  check(a.size() == b.size(), "sign_flip_test: ", a.size(), " and ", b.size(), " users are not pairs");
  std::vector<double> differences;
  double observed = 0, magnitude = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) || std::isnan(b[i])) continue;
    differences.push_back(a[i] - b[i]);
    observed += differences.back();
    magnitude += std::abs(differences.back());
  }
  PairedTest test;
  test.users = static_cast<std::int64_t>(differences.size());
  if (test.users == 0) return {.difference = kNaN, .p_two_sided = kNaN};
  test.difference = observed / static_cast<double>(test.users);
  test.exact = test.users < 31 && (std::int64_t{1} << test.users) <= options.samples;
  const std::int64_t patterns = test.exact ? std::int64_t{1} << test.users : options.samples;
  const double least = std::abs(observed) - 1e-12 * magnitude;  // sums that differ by rounding alone count as equal
  const SignedSums sampled(test.exact ? std::span<const double>() : differences);
  std::atomic<std::int64_t> farther = 0;  // a count: its order does not matter
  parallel_for(patterns, [&](std::int64_t s) {
    const RandomStream stream{options.seed, Purpose::kBootstrap, kSignFlipSteps + static_cast<std::uint32_t>(s)};
    const double sum = test.exact ? signed_sum(differences, static_cast<std::uint64_t>(s)) : sampled(stream);
    if (std::abs(sum) >= least) ++farther;
  });
  const double extra = test.exact ? 0 : 1;
  test.p_two_sided = (static_cast<double>(farther.load()) + extra) / (static_cast<double>(patterns) + extra);
  return test;
}

std::vector<double> holm_adjust(std::span<const double> p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!std::isnan(p[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size(), kNaN);
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(order.size() - rank) * p[order[rank]]));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

}  // namespace tapestry::recsys
