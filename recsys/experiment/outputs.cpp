#include "recsys/experiment/outputs.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <map>
#include <span>
#include <tuple>
#include <utility>

#include "recsys/experiment/combinations.h"
#include "recsys/experiment/selection.h"
#include "recsys/metrics/users_and_fits.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

/// derive_seed index of the bootstrap under the root seed, out of the way of the runs.
constexpr std::uint64_t kBootstrapSeed = 1'000'000;

/// derive_seed index of the comparisons.
constexpr std::uint64_t kComparisonSeed = 1'000'001;

/// Whether a metric has values per user to compare; coverage and Gini are figures of all users together.
bool is_comparable(const Measures& measures, std::size_t metric) { return !measures.users[metric].empty(); }

UserValues user_values(const std::vector<Unit>& units, std::size_t metric, int folds) {
  UserValues values;
  // With fewer runs than folds (ExperimentOptions::fewer_runs) the first folds are all there are.
  values.folds = std::min(folds, static_cast<int>(units.size()));
  for (const Unit& unit : units) values.fits.push_back(unit.measures.users[metric]);
  return values;
}

/// Ours less theirs on the same users. A row without randomness has one unit (for each fold), which stands for all runs.
UserValues differences(const UserValues& ours, const UserValues& theirs) {
  UserValues values;
  values.folds = ours.folds;
  values.fits.resize(std::max(ours.fits.size(), theirs.fits.size()));
  for (std::size_t fit = 0; fit < values.fits.size(); ++fit) {
    const std::vector<double>& mine = ours.fits[fit % ours.fits.size()];
    const std::vector<double>& other = theirs.fits[fit % theirs.fits.size()];
    check(mine.size() == other.size(), "Experiment: ", mine.size(), " users are compared with ", other.size());
    for (std::size_t user = 0; user < mine.size(); ++user) values.fits[fit].push_back(mine[user] - other[user]);
  }
  return values;
}

/// The cells of one combination, one per metric.
std::vector<Cell> combination_cells(const Combination& combination, const ExperimentOptions& options) {
  const auto& [key, asked, units] = combination;
  const bool failed = combination.failed();
  std::vector<Cell> cells;
  const Measures& first = units.front().measures;
  for (std::size_t metric = 0; metric < first.names.size(); ++metric) {
    Cell cell = {key.dataset, key.recommender, key.setting, key.generator, first.names[metric], {}, {}};
    cell.failed = failed;
    for (const Unit& unit : units) cell.runs.push_back(unit.measures.means[metric]);
    if (options.protocol == ProtocolName::kStrict && !first.users[metric].empty() && !failed) {
      const UserValues values = user_values(units, metric, options.folds);
      cell.mean = mean_test(values).mean;
      cell.interval = bootstrap_interval(values, {.seed = derive_seed(options.seed, kBootstrapSeed)});
    } else if (options.protocol == ProtocolName::kPublished && key.generator == kOriginal && is_deterministic(key.recommender)) {
      cell.interval = Interval{cell.runs.front(), cell.runs.front()};
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

/// How many users a fold reports for each one it trains on: of those that it does not report 70 to 20 train and test.
double reported_to_training(int folds) { return 9.0 / (7.0 * (folds - 1)); }

/// One combination against another on the same users, one comparison per metric. `sign_flips`: samples of the sign-flip test.
std::vector<Comparison> compare(const Combination& combination, const Combination& baseline, const ExperimentOptions& options,
                                int sign_flips) {
  const std::uint64_t seed = derive_seed(options.seed, kComparisonSeed);
  const CombinationKey& key = combination.key;
  std::vector<Comparison> comparisons;
  const Measures& first = combination.units.front().measures;
  for (std::size_t metric = 0; metric < first.names.size(); ++metric) {
    if (!is_comparable(first, metric)) continue;
    const UserValues ours = user_values(combination.units, metric, options.folds);
    const UserValues theirs = user_values(baseline.units, metric, options.folds);
    const UserValues values = differences(ours, theirs);
    comparisons.push_back(
        {key.dataset, key.recommender, key.setting, key.generator, baseline.key.generator, first.names[metric],
         bootstrap_interval(values, {.seed = seed}), mean_test(values),
         sign_flip_test(user_means(ours), user_means(theirs), {.samples = sign_flips, .seed = seed}).p_two_sided});
    Comparison& added = comparisons.back();
    if (options.folds > 0) added.overlap = with_overlap(added.test, reported_to_training(options.folds));
  }
  return comparisons;
}

using Pair = std::pair<const Combination*, const Combination*>;  // one against another

/// The samples of each sign-flip test, whose smallest p is 1 / (1 + samples): enough for one of the family to stay below 0.05
/// when it is multiplied by the family's size (holm_adjust).
int sign_flips_for(std::span<const Pair> pairs) {
  constexpr int kLeast = ResamplingOptions().samples, kForEach = 25;
  int family = 0;
  for (const Pair& pair : pairs) {
    const Measures& measures = pair.first->units.front().measures;
    for (std::size_t metric = 0; metric < measures.names.size(); ++metric) {
      family += is_primary_metric(measures.names[metric]) && is_comparable(measures, metric) ? 1 : 0;
    }
  }
  return std::max(kLeast, kForEach * family);
}

/// What a generator is compared with: no synthetic users at all, and, for SDRM, the model it is built on.
std::vector<std::string> baselines(const std::string& generator) {
  if (generator == kOriginal) return {};
  if (generator == "multivae++") return {kOriginal};
  return {kOriginal, "multivae++"};
}

/// body(0), body(1), ... side by side, since a bootstrap over thousands of users takes a second; their results in order.
template <typename Result, typename Body>
std::vector<Result> gather(std::size_t count, const std::function<void(double)>& told, const Body& body) {
  std::vector<std::vector<Result>> parts(count);
  std::atomic<std::size_t> done = 0;
  parallel_for(static_cast<std::int64_t>(count), [&](std::int64_t i) {
    parts[static_cast<std::size_t>(i)] = body(static_cast<std::size_t>(i));
    told(static_cast<double>(++done) / static_cast<double>(count));
  });
  std::vector<Result> all;
  for (std::vector<Result>& part : parts) std::move(part.begin(), part.end(), std::back_inserter(all));
  return all;
}

using Told = std::function<void(double fraction)>;

std::vector<Cell> collect_cells(const std::vector<Combination>& combinations, const ExperimentOptions& options,
                                const Told& told) {
  std::vector<const Combination*> complete;
  for (const Combination& combination : combinations) {
    if (combination.complete()) complete.push_back(&combination);
  }
  return gather<Cell>(complete.size(), told, [&](std::size_t i) { return combination_cells(*complete[i], options); });
}

std::vector<Comparison> collect_comparisons(const std::vector<Combination>& combinations, const ExperimentOptions& options,
                                            const Told& told) {
  if (options.protocol != ProtocolName::kStrict) return {};
  std::vector<const Combination*> comparable;
  for (const Combination& combination : combinations) {
    if (combination.complete() && !combination.failed()) comparable.push_back(&combination);
  }
  std::vector<Pair> pairs;
  for (const Combination* one : comparable) {
    for (const std::string& baseline : baselines(one->key.generator)) {
      CombinationKey key = one->key;
      key.generator = baseline;
      const auto other =
          std::find_if(comparable.begin(), comparable.end(), [&](const Combination* each) { return each->key == key; });
      if (other != comparable.end()) pairs.emplace_back(one, *other);
    }
  }
  const int sign_flips = sign_flips_for(pairs);
  std::vector<Comparison> comparisons = gather<Comparison>(
      pairs.size(), told, [&](std::size_t i) { return compare(*pairs[i].first, *pairs[i].second, options, sign_flips); });
  correct_for_number(comparisons);
  return comparisons;
}

/// By data set, recommender and generator. A run whose recommender failed in one setting may have its users from another.
std::vector<SyntheticFigures> collect_synthetic(const std::vector<Combination>& combinations) {
  struct Runs {
    const Combination* first;
    std::map<int, SyntheticSummary> by_run;
  };
  std::vector<Runs> all;
  for (const Combination& combination : combinations) {
    const auto same = [&ours = combination.key](const Runs& one) {
      const CombinationKey& other = one.first->key;
      return std::tie(ours.dataset, ours.recommender, ours.generator) ==
             std::tie(other.dataset, other.recommender, other.generator);
    };
    auto found = std::find_if(all.begin(), all.end(), same);
    if (found == all.end()) found = all.insert(all.end(), {&combination, {}});
    if (!combination.complete()) continue;
    for (const Unit& unit : combination.units) {
      if (unit.synthetic) found->by_run.emplace(unit.key.run, *unit.synthetic);
    }
  }
  std::vector<SyntheticFigures> figures;
  for (const auto& [first, by_run] : all) {
    std::vector<SyntheticSummary> runs;
    for (const auto& [run, summary] : by_run) runs.push_back(summary);
    const auto& [dataset, recommender, setting, generator] = first->key;
    if (!runs.empty()) figures.push_back(mean_synthetic(dataset, recommender, generator, runs, static_cast<int>(first->asked)));
  }
  return figures;
}

std::vector<Failure> collect_failures(const std::vector<Combination>& combinations) {
  std::vector<Failure> failures;
  for (const Combination& combination : combinations) {
    for (const Unit& unit : combination.units) {
      if (!unit.failure.empty()) failures.push_back({unit.key.text(), unit.failure});
    }
  }
  return failures;
}

std::vector<Unfinished> collect_unfinished(const std::vector<Combination>& combinations) {
  std::vector<Unfinished> unfinished;
  for (const Combination& combination : combinations) {
    if (combination.complete()) continue;
    const auto& [dataset, recommender, setting, generator] = combination.key;
    unfinished.push_back({dataset, recommender, setting, generator, static_cast<int>(combination.units.size()),
                          static_cast<int>(combination.asked)});
  }
  return unfinished;
}

}  // namespace

Outputs collect_outputs(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets,
                        std::span<const AlikeRows> alike, const Told& told) {
  const std::vector<Combination> combinations = read_combinations(store, options, datasets);
  Outputs outputs;
  // Half of the way each.
  outputs.cells = collect_cells(combinations, options, [&](double fraction) { told(fraction / 2); });
  outputs.comparisons = collect_comparisons(combinations, options, [&](double fraction) { told(0.5 + fraction / 2); });
  outputs.synthetic = collect_synthetic(combinations);
  outputs.alike = alike_figures(combinations, datasets, alike);
  outputs.failures = collect_failures(combinations);
  outputs.unfinished = collect_unfinished(combinations);
  return outputs;
}

}  // namespace tapestry::recsys
