#include "recsys/metrics/best_of_many.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

constexpr int kHalvings = 50;
constexpr int kShare = 50;  // of the imagined trials, for each resample

/// Two measurements of every run, centred and stretched.
struct Runs {
  std::vector<double> chosen, reported;
};

std::vector<double> stretched(std::span<const double> values) {
  const double center = mean(values);
  const auto n = static_cast<double>(values.size());
  std::vector<double> out;
  for (const double value : values) out.push_back((value - center) * std::sqrt(n / (n - 1)));
  return out;
}

void check_options(const BestOfManyOptions& options, std::size_t runs) {
  check(runs >= 2, "best_of_many: ", runs, " runs say nothing about their spread");
  check(!options.trials.empty() && options.trials.front() > 0 && std::is_sorted(options.trials.begin(), options.trials.end()),
        "best_of_many: the numbers of trials must ascend and be positive");
  check(options.runs > 0 && options.imagined >= kShare && options.resamples > 0 && options.level > 0 && options.level < 1,
        "best_of_many: runs ", options.runs, ", imagined ", options.imagined, ", resamples ", options.resamples, ", level ",
        options.level);
}

/// The expected reported figure of the best of n trials, for each n of options.trials. M = `imagined` trials are drawn; the i-th
/// lowest of them is the best of n drawn from them with probability (i / M)^n - ((i - 1) / M)^n: no search has to be acted out.
std::vector<double> expected_lifts(const Runs& runs, const BestOfManyOptions& options, std::int64_t imagined, std::uint64_t seed,
                                   std::uint32_t step) {
  // Sorting breaks ties by what is reported; where all runs are tied, that would be choosing by it.
  const auto [lowest, highest] = std::minmax_element(runs.chosen.begin(), runs.chosen.end());
  if (*lowest == *highest) return std::vector<double>(options.trials.size(), 0.0);
  RandomSequence random({seed, Purpose::kBootstrap, step});
  std::vector<std::pair<double, double>> trials;  // sums of chosen and reported
  for (std::int64_t trial = 0; trial < imagined; ++trial) {
    auto& [chosen, reported] = trials.emplace_back(0, 0);
    for (std::int64_t r = 0; r < options.runs; ++r) {
      const std::size_t run = random.below(static_cast<std::uint32_t>(runs.chosen.size()));
      chosen += runs.chosen[run];
      reported += runs.reported[run];
    }
  }
  std::sort(trials.begin(), trials.end());
  std::vector<double> lifts;
  for (const std::int64_t n : options.trials) {
    double sum = 0, below = 0;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const double up_to = std::pow(static_cast<double>(i + 1) / static_cast<double>(trials.size()), static_cast<double>(n));
      sum += (up_to - below) * trials[i].second;
      below = up_to;
    }
    lifts.push_back(sum / static_cast<double>(options.runs));
  }
  return lifts;
}

/// As many runs drawn with replacement.
std::vector<std::size_t> draw_runs(std::size_t count, RandomSequence& random) {
  std::vector<std::size_t> drawn(count);
  for (std::size_t& run : drawn) run = random.below(static_cast<std::uint32_t>(count));
  return drawn;
}

/// Means of `runs` of per_run over one half of the users, drawn at random, and over the other.
Runs halved(std::span<const std::vector<double>> per_run, const std::vector<std::size_t>& runs, RandomSequence& random) {
  std::vector<std::size_t> users(per_run[0].size());
  std::iota(users.begin(), users.end(), 0);
  for (std::size_t i = users.size() - 1; i > 0; --i) std::swap(users[i], users[random.below(static_cast<std::uint32_t>(i + 1))]);
  const std::size_t half = users.size() / 2;
  std::vector<double> first, second;
  for (const std::size_t run : runs) {
    double a = 0, b = 0;
    for (std::size_t i = 0; i < users.size(); ++i) (i < half ? a : b) += per_run[run][users[i]];
    first.push_back(a / static_cast<double>(half));
    second.push_back(b / static_cast<double>(users.size() - half));
  }
  return {stretched(first), stretched(second)};
}

/// The lifts of the runs as given, with the interval from resampled ones. `given(step)` are they (their step-th halving),
/// `resampled(step)` another draw.
template <typename Given, typename Resampled>
std::vector<Lift> with_intervals(const BestOfManyOptions& options, int givens, const Given& given, const Resampled& resampled) {
  const auto total = static_cast<std::size_t>(givens) + static_cast<std::size_t>(options.resamples);
  std::vector<std::vector<double>> all(total);  // each from a stream of its own, whatever thread it falls to
  parallel_for(static_cast<std::int64_t>(total), [&](std::int64_t i) {
    const auto step = static_cast<std::uint32_t>(i);
    const std::int64_t imagined = options.imagined / (i < givens ? givens : kShare);
    all[static_cast<std::size_t>(i)] =
        expected_lifts(i < givens ? given(step) : resampled(step), options, imagined, derive_seed(options.seed, 1), step);
  });
  std::vector<Lift> lifts;
  for (std::size_t n = 0; n < options.trials.size(); ++n) {
    Lift lift = {options.trials[n], 0, {}};
    std::vector<double> others;
    for (std::size_t i = 0; i < total; ++i) {
      if (i < static_cast<std::size_t>(givens)) {
        lift.value += all[i][n] / givens;
      } else {
        others.push_back(all[i][n]);
      }
    }
    std::sort(others.begin(), others.end());
    const double outside = 0.5 * (1 - options.level);
    lift.interval = {percentile(others, outside), percentile(others, 1 - outside)};
    lifts.push_back(lift);
  }
  return lifts;
}

}  // namespace

double expected_normal_maximum(std::int64_t n) {
  check(n >= 1, "expected_normal_maximum: of ", n, " numbers");
  // E[max] = int_0^inf (1 - Phi^n) dx - int_-inf^0 Phi^n dx, by the trapezoidal rule, which converges fast for smooth tails. Phi
  // and 1 - Phi come from erfc on either side, so that neither loses its digits.
  constexpr double kStep = 1.0 / 256, kEnd = 12;
  const auto power = static_cast<double>(n);
  double sum = 0;
  for (int i = 0; i <= static_cast<int>(kEnd / kStep); ++i) {
    const double x = i * kStep;
    const double tail = 0.5 * std::erfc(x / std::sqrt(2.0));  // 1 - Phi(x) = Phi(-x)
    const double above = -std::expm1(power * std::log1p(-tail));
    const double below = std::pow(tail, power);
    sum += (i == 0 ? 0.5 : 1) * (above - below);
  }
  return sum * kStep;
}

std::vector<Lift> best_of_many(std::span<const double> chosen, std::span<const double> reported,
                               const BestOfManyOptions& options) {
  check(chosen.size() == reported.size(), "best_of_many: ", chosen.size(), " and ", reported.size(), " runs are not pairs");
  check_options(options, chosen.size());
  const auto resampled = [&](std::uint32_t step) {
    RandomSequence random({options.seed, Purpose::kBootstrap, step});
    std::vector<double> first, second;
    for (const std::size_t run : draw_runs(chosen.size(), random)) {
      first.push_back(chosen[run]);
      second.push_back(reported[run]);
    }
    return Runs{stretched(first), stretched(second)};
  };
  return with_intervals(
      options, 1,
      [&](std::uint32_t) {
        return Runs{stretched(chosen), stretched(reported)};
      },
      resampled);
}

std::vector<Lift> best_of_many_on_others(std::span<const std::vector<double>> per_run, const BestOfManyOptions& options) {
  check_options(options, per_run.size());
  std::vector<std::vector<double>> defined(per_run.size());
  for (std::size_t user = 0; user < per_run[0].size(); ++user) {
    bool whole = true;
    for (const std::vector<double>& run : per_run) {
      check(run.size() == per_run[0].size(), "best_of_many: runs of ", per_run[0].size(), " and ", run.size(), " users");
      whole = whole && !std::isnan(run[user]);
    }
    for (std::size_t r = 0; whole && r < per_run.size(); ++r) defined[r].push_back(per_run[r][user]);
  }
  check(defined[0].size() >= 2, "best_of_many: ", defined[0].size(), " users cannot be halved");
  std::vector<std::size_t> as_given(per_run.size());
  std::iota(as_given.begin(), as_given.end(), 0);
  const auto given = [&](std::uint32_t step) {
    RandomSequence random({options.seed, Purpose::kBootstrap, step});
    return halved(defined, as_given, random);
  };
  const auto resampled = [&](std::uint32_t step) {
    RandomSequence random({options.seed, Purpose::kBootstrap, step});
    const std::vector<std::size_t> runs = draw_runs(defined.size(), random);
    return halved(defined, runs, random);
  };
  return with_intervals(options, kHalvings, given, resampled);
}

}  // namespace tapestry::recsys
