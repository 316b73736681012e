#include "recsys/report/improvement.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "recsys/metrics/ranking.h"
#include "recsys/report/names.h"
#include "recsys/report/published.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

using Key = std::tuple<std::string, std::string, std::string, std::string>;  // data set, recommender, setting, metric

/// Generator -> the values of its runs.
using Runs = std::map<std::string, std::vector<double>>;

/// The rows of tables 3 and 4 that are not SDRM's.
constexpr std::array kOthers = {"original", "multivae", "multivae++", "ctgan", "tvae", "codigem", "diffrec"};

constexpr const char* kBothSettings = "augment and replace";

/// The data set whose hyperparameters are the same for every recommender: in runs of the same number, and so of the same seed,
/// all recommenders get the users of the same MultiVAE and SDRM.
constexpr const char* kSharedUsers = "simulated";

/// The runs of every combination and metric, under the names in which the paper prints them where it is compared.
struct MetricRuns {
  std::vector<Key> order;
  std::map<Key, Runs> runs;
};

MetricRuns runs_by_metric(std::span<const Cell> cells, const ReportOptions& options) {
  MetricRuns found;
  for (const Cell& cell : cells) {
    const std::string metric = options.compare ? printed_metric(cell.recommender, cell.metric) : cell.metric;
    if (metric.empty() || !is_ranking_metric(metric)) continue;
    const Key key = {cell.dataset, cell.recommender, cell.setting, metric};
    if (found.runs.count(key) == 0) found.order.push_back(key);
    found.runs[key][cell.generator] = cell.runs;
  }
  return found;
}

/// A baseline without randomness has one run (for each fold), which stands for all.
std::vector<double> deviations_of(const std::vector<double>& runs, const std::vector<double>& baseline) {
  if (runs.size() < 2 || baseline.empty() || runs.size() % baseline.size() != 0) return {};
  const double v = mean(baseline), ratio = mean(runs) / v;
  std::vector<double> deviations;
  for (std::size_t r = 0; r < runs.size(); ++r) deviations.push_back(100 * (runs[r] - ratio * baseline[r % baseline.size()]) / v);
  return deviations;
}

/// 95 % for the mean of improvements. Those of one data set and recommender come from the same runs, in either setting: their
/// deviations are added up run by run. Combinations are independent of each other, but for those of shared runs, which are added
/// up likewise, those with fewer runs over the first ones; each has its own spread: the degrees of freedom are Welch's and
/// Satterthwaite's.
Interval mean_interval_of(double percent, std::span<const Improvement* const> some) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  struct Shared {
    std::map<std::string, std::size_t> runs;  // by recommender
    std::vector<double> errors;               // of the mean, by run
  };
  std::map<std::pair<std::string, std::string>, Shared> all;
  for (const Improvement* one : some) {
    const std::size_t runs = one->deviations.size();
    if (runs == 0) return {nan, nan};
    Shared& shared = all[{one->dataset, one->shared_runs ? "" : one->recommender}];
    if (shared.runs.emplace(one->recommender, runs).first->second != runs) return {nan, nan};
    if (shared.errors.size() < runs) shared.errors.resize(runs);
    for (std::size_t r = 0; r < runs; ++r) shared.errors[r] += one->deviations[r] / static_cast<double>(some.size() * runs);
  }
  double variance = 0, squares = 0;
  for (const auto& [combination, shared] : all) {
    const auto runs = static_cast<double>(shared.errors.size());
    double own = 0;
    for (const double error : shared.errors) own += runs / (runs - 1) * error * error;
    std::size_t fewest = shared.errors.size();
    for (const auto& [recommender, count] : shared.runs) fewest = std::min(fewest, count);
    variance += own;
    squares += own * own / static_cast<double>(fewest - 1);
  }
  if (!(variance > 0)) return {percent, percent};
  const double half = student_t_quantile(0.975, variance * variance / squares) * std::sqrt(variance);
  return {percent - half, percent + half};
}

/// The mean of what the paper prints for some; nothing unless it prints all.
std::optional<double> published_mean(std::span<const Improvement* const> some) {
  double sum = 0;
  for (const Improvement* one : some) {
    if (!one->published) return std::nullopt;
    sum += *one->published;
  }
  return sum / static_cast<double>(some.size());
}

/// `published`: the paper's own mean, over `figures` for each combination of data set and recommender; it says nothing about data
/// sets that the paper does not have.
AverageImprovement average(const std::string& setting, const std::string& metric, std::span<const Improvement* const> some,
                           std::optional<double> published, std::size_t figures) {
  AverageImprovement result = {setting, metric, some.front()->of, 0, {}, 0, {}, published_mean(some)};
  std::map<std::pair<std::string, std::string>, int> combinations;
  for (const Improvement* one : some) {
    result.percent += one->percent / static_cast<double>(some.size());
    combinations[{one->dataset, one->recommender}] = 1;
  }
  result.combinations = static_cast<int>(combinations.size());
  result.interval = mean_interval_of(result.percent, some);
  if (result.published_same) result.published = published;
  result.whole = some.size() >= static_cast<std::size_t>(kPaperCombinations) * figures;
  return result;
}

template <typename Filter>
std::vector<const Improvement*> those(std::span<const Improvement> all, const Filter& filter) {
  std::vector<const Improvement*> some;
  for (const Improvement& one : all) {
    if (filter(one)) some.push_back(&one);
  }
  return some;
}

}  // namespace

std::vector<Improvement> improvements(std::span<const Cell> cells, const ReportOptions& options) {
  MetricRuns all = runs_by_metric(cells, options);
  std::vector<Improvement> result;
  for (const Key& key : all.order) {
    Runs& found = all.runs.at(key);
    const std::vector<double>&vae = found["multivae++"], &f = found["f-sdrm"], &m = found["m-sdrm"];
    const double baseline = mean(vae), full = mean(f), multi = mean(m);  // NaN without runs
    if (!(baseline > 0)) continue;
    if (std::isnan(full) || std::isnan(multi)) continue;  // a run failed: there is no better one of the two
    const auto& [dataset, recommender, setting, metric] = key;
    const auto published =
        options.compares(dataset) ? published_improvement(setting, recommender, dataset, metric) : std::nullopt;
    Improvement gain = {dataset, recommender, setting, metric, 0, std::nullopt};
    gain.shared_runs = options.with_folds() || dataset == kSharedUsers;
    const auto add = [&](const std::string& of, const std::vector<double>& sdrm, const std::optional<double>& printed) {
      gain.of = of;
      gain.percent = 100 * (mean(sdrm) / baseline - 1);
      gain.published = printed;
      gain.deviations = deviations_of(sdrm, vae);
      result.push_back(gain);
    };
    add(kBetterOfTwo, full > multi ? f : m, published);
    add("f-sdrm", f, std::nullopt);
    add("m-sdrm", m, std::nullopt);
  }
  return result;
}

std::optional<double> AverageImprovement::printed() const { return whole ? published : published_same; }

std::vector<AverageImprovement> average_improvements(std::span<const Improvement> improvements) {
  std::vector<AverageImprovement> result;
  for (const Improvement& first : improvements) {
    const auto same = [&](const auto& one) {
      return one.setting == first.setting && one.metric == first.metric && one.of == first.of;
    };
    if (std::any_of(result.begin(), result.end(), same)) continue;
    result.push_back(average(first.setting, first.metric, those(improvements, same),
                             published_average_improvement(first.setting, first.metric), 1));
  }
  return result;
}

std::vector<AverageImprovement> overall_improvements(std::span<const Improvement> improvements) {
  std::vector<std::string> settings = names_of(improvements, &Improvement::setting);
  if (settings.size() > 1) settings.emplace_back(kBothSettings);
  std::vector<AverageImprovement> result;
  const std::vector<std::string> whose = names_of(improvements, &Improvement::of);
  for (const std::string& setting : settings) {
    for (const std::string& of : whose) {
      for (const char* kind : {"Recall@", "NDCG@"}) {
        const std::vector<const Improvement*> some = those(improvements, [&](const Improvement& one) {
          return one.of == of && one.metric.starts_with(kind) && (setting == kBothSettings || one.setting == setting);
        });
        if (some.empty()) continue;
        const std::size_t figures = kCutoffs.size() * (setting == kBothSettings ? 2U : 1U);
        result.push_back(average(setting, std::string(kind) + "k", some, published_overall_improvement(setting, kind), figures));
      }
    }
  }
  return result;
}

std::vector<Improvement> leads(std::span<const Cell> cells, const ReportOptions& options) {
  MetricRuns all = runs_by_metric(cells, options);
  std::vector<Improvement> result;
  for (const Key& key : all.order) {
    const auto& [dataset, recommender, setting, metric] = key;
    if (!is_ranking_metric_at_10(metric)) continue;
    Runs& found = all.runs.at(key);
    const auto printed = [&, dataset = dataset, recommender = recommender, setting = setting, metric = metric](const char* row) {
      const auto figure = options.compares(dataset) ? published_figure(setting, recommender, dataset, row, metric) : std::nullopt;
      return figure ? figure->mean : std::numeric_limits<double>::quiet_NaN();
    };
    const std::vector<double>& sdrm = mean(found["f-sdrm"]) > mean(found["m-sdrm"]) ? found["f-sdrm"] : found["m-sdrm"];
    bool complete = std::isfinite(mean(found["f-sdrm"]) + mean(found["m-sdrm"]));
    const std::vector<double>* best = &found[kOthers.front()];
    double best_printed = 0;
    for (const char* other : kOthers) {
      const std::vector<double>& row = found[other];
      complete = complete && std::isfinite(mean(row));
      if (mean(row) > mean(*best)) best = &row;
      best_printed = std::max(best_printed, printed(other));
    }
    if (!complete || !(mean(*best) > 0)) continue;
    const double lead_printed = 100 * (std::max(printed("f-sdrm"), printed("m-sdrm")) / best_printed - 1);
    result.push_back({dataset, recommender, setting, metric, 100 * (mean(sdrm) / mean(*best) - 1),
                      std::isfinite(lead_printed) ? std::optional(lead_printed) : std::nullopt, deviations_of(sdrm, *best),
                      kBetterOfTwo, options.with_folds() || dataset == kSharedUsers});
  }
  return result;
}

std::vector<AverageImprovement> average_leads(std::span<const Improvement> leads) {
  std::vector<AverageImprovement> result;
  for (const std::string& setting : names_of(leads, &Improvement::setting)) {
    for (const std::string& metric : names_of(leads, &Improvement::metric)) {
      const std::vector<const Improvement*> some =
          those(leads, [&](const Improvement& one) { return one.setting == setting && one.metric == metric; });
      if (!some.empty()) result.push_back(average(setting, metric, some, published_average_lead(setting, metric), 1));
    }
  }
  return result;
}

std::string fewer_combinations(std::span<const AverageImprovement> averages) {
  int least = kPaperCombinations, most = 0;
  for (const AverageImprovement& one : averages) {
    if (!one.published_same) continue;
    least = std::min(least, one.combinations);
    most = std::max(most, one.combinations);
  }
  if (most == 0 || least == kPaperCombinations) return "";
  return least == most ? std::to_string(most) : concat(least, " to ", most);
}

Interval interval_of(const Improvement& one) {
  const std::array<const Improvement*, 1> alone = {&one};
  return mean_interval_of(one.percent, alone);
}

std::optional<Verdict> verdict(const Improvement& one) {
  return verdict(one.percent, interval_of(one), one.published, kGainDigit);
}

std::optional<Verdict> verdict(const AverageImprovement& one) {
  return verdict(one.percent, one.interval, one.printed(), kGainDigit);
}

}  // namespace tapestry::recsys
