#include "recsys/report/comparison.h"

#include <vector>

#include "recsys/metrics/ranking.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

using Lines = std::vector<std::vector<std::string>>;

constexpr std::size_t kTextColumns = 6;

Lines lines_of(std::span<const Comparison> comparisons, bool at_ten_only) {
  Lines lines = {
      {"dataset", "recommender", "setting", "generator", "against", "metric", "difference", "95 % interval", "p", "users"}};
  for (const Comparison& one : comparisons) {
    if (at_ten_only && !(is_ranking_metric(one.metric) && one.metric.ends_with("@10"))) continue;
    const std::string difference = fixed(one.test.difference, 4);
    lines.push_back({one.dataset, one.recommender, one.setting, one.generator, one.baseline, one.metric,
                     (difference.empty() || difference[0] == '-' ? "" : "+") + difference,
                     fixed(one.interval.low, 4) + " to " + fixed(one.interval.high, 4), fixed(one.test.p_two_sided, 4),
                     std::to_string(one.test.users)});
  }
  return lines;
}

constexpr const char* kLegend =
    "Difference: generator minus the one it is set against, each user's value averaged over the runs. Interval: bootstrap over "
    "users. p: two-sided sign-flip test over the same users; no correction for the number of comparisons.";

}  // namespace

std::string comparison_legend() { return kLegend; }

std::string comparison_table(std::span<const Comparison> comparisons) {
  if (comparisons.empty()) return "";
  return std::string(kLegend) + "\n\n" + markdown(lines_of(comparisons, false), kTextColumns);
}

std::string comparison_lines(std::span<const Comparison> comparisons) {
  if (comparisons.empty()) return "";
  return std::string(kLegend) + "\n" + aligned(lines_of(comparisons, true), kTextColumns);
}

}  // namespace tapestry::recsys
