#include "recsys/report/improvement.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "recsys/metrics/ranking.h"
#include "recsys/report/published_improvement.h"

namespace tapestry::recsys {
namespace {

using Key = std::tuple<std::string, std::string, std::string, std::string>;  // data set, recommender, setting, metric

struct Means {
  std::optional<double> baseline, full, multi;
};

}  // namespace

std::vector<Improvement> improvements(std::span<const Cell> cells, const ReportOptions& options) {
  std::vector<Key> order;
  std::map<Key, Means> means;
  for (const Cell& cell : cells) {
    const std::string metric = options.compare ? printed_metric(cell.recommender, cell.metric) : cell.metric;
    if (metric.empty() || !is_ranking_metric(metric)) continue;
    const Key key = {cell.dataset, cell.recommender, cell.setting, metric};
    if (means.count(key) == 0) order.push_back(key);
    Means& found = means[key];
    if (cell.generator == "multivae++") found.baseline = mean(cell.runs);
    if (cell.generator == "f-sdrm") found.full = mean(cell.runs);
    if (cell.generator == "m-sdrm") found.multi = mean(cell.runs);
  }
  std::vector<Improvement> result;
  for (const Key& key : order) {
    const Means& found = means.at(key);
    if (!found.baseline || !found.full || !found.multi || !(*found.baseline > 0)) continue;
    if (std::isnan(*found.full) || std::isnan(*found.multi)) continue;  // a run failed: there is no better one of the two
    const auto& [dataset, recommender, setting, metric] = key;
    const double percent = 100 * (std::max(*found.full, *found.multi) / *found.baseline - 1);
    const auto published =
        options.compares(dataset) ? published_improvement(setting, recommender, dataset, metric) : std::nullopt;
    result.push_back({dataset, recommender, setting, metric, percent, published});
  }
  return result;
}

std::vector<AverageImprovement> average_improvements(std::span<const Improvement> improvements) {
  std::vector<AverageImprovement> result;
  for (const Improvement& one : improvements) {
    auto found = std::find_if(result.begin(), result.end(), [&](const AverageImprovement& average) {
      return average.setting == one.setting && average.metric == one.metric;
    });
    if (found == result.end()) {
      // The paper's means say nothing about data sets that it does not have.
      const auto published = one.published ? published_average_improvement(one.setting, one.metric) : std::nullopt;
      found = result.insert(result.end(), {one.setting, one.metric, 0, 0, published, 0.0});
    }
    found->percent += one.percent;
    ++found->combinations;
    if (!one.published) {  // nor about means over such data sets as well
      found->published.reset();
      found->published_same.reset();
    }
    if (found->published_same) *found->published_same += *one.published;
  }
  for (AverageImprovement& average : result) {
    average.percent /= average.combinations;
    if (average.published_same) *average.published_same /= average.combinations;
  }
  return result;
}

}  // namespace tapestry::recsys
