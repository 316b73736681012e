#include "recsys/report/comparison.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "recsys/metrics/ranking.h"
#include "recsys/report/headline.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

using Lines = std::vector<std::vector<std::string>>;

constexpr std::size_t kTextColumns = 6;
constexpr double kLevel = 0.05;

Lines lines_of(std::span<const Comparison> comparisons, bool at_ten_only) {
  Lines lines = {{"dataset", "recommender", "setting", "generator", "against", "metric", "difference", "95 % interval",
                  "p, these fits", "p"}};
  const bool overlap = have_overlap(comparisons);
  const auto end_line = [&](const std::string& p, const std::vector<std::string>& rest) {
    if (overlap) lines.back().push_back(p);
    lines.back().insert(lines.back().end(), rest.begin(), rest.end());
  };
  end_line("p, overlap", {"Holm p", "finding", "users"});
  for (const Comparison& one : comparisons) {
    if (at_ten_only && !is_ranking_metric_at_10(one.metric)) continue;
    const std::optional<Finding> found = finding(one);
    lines.push_back({one.dataset, one.recommender, one.setting, one.generator, one.baseline, one.metric,
                     with_sign(one.test.mean, 4), interval_text(one.interval, "–"), p_text(one.p_these_fits),
                     p_text(one.test.p_two_sided)});
    end_line(p_text(p_overlap(one)),
             {found ? p_text(one.p_holm) : "–", found ? to_string(*found) : "–", std::to_string(one.test.users)});
  }
  return lines;
}

std::optional<Finding> finding_by(double p_holm, const Comparison& comparison) {
  if (std::isnan(p_holm)) return std::nullopt;
  if (!(p_holm < kLevel)) return Finding::kNoDifference;
  return comparison.test.mean > 0 ? Finding::kBetter : Finding::kWorse;
}

constexpr const char* kLegend =
    "Difference: generator minus the one it is set against, each user's difference averaged over the runs. Interval: bootstrap "
    "over users and over fits (trainings of generator and recommender; with folds over folds, whose users share a fit), or "
    "Student's t below five folds, or five fits that vary; of this difference alone. p, these fits: two-sided sign-flip test "
    "over users, which speaks of these trained models. p: two-sided t-test over users and fits, which speaks of such models "
    "trained anew. p, overlap (with folds): the same with the error widened for the training users that folds have in common "
    "(Nadeau and Bengio 2003), an approximation for other training users. Holm p: p corrected for all comparisons of this report "
    "on "
    "Recall@10 and NDCG@10, which are one "
    "family; better and worse are said where it is below 0.05.";

}  // namespace

bool is_primary_metric(const std::string& metric) { return metric == "Recall@10" || metric == "NDCG@10"; }

void correct_for_number(std::span<Comparison> comparisons) {
  std::vector<double> p, p_these_fits, p_with_overlap;
  for (const Comparison& one : comparisons) {
    const bool primary = is_primary_metric(one.metric);
    p.push_back(primary ? one.test.p_two_sided : std::numeric_limits<double>::quiet_NaN());
    p_these_fits.push_back(primary ? one.p_these_fits : std::numeric_limits<double>::quiet_NaN());
    p_with_overlap.push_back(primary ? p_overlap(one) : std::numeric_limits<double>::quiet_NaN());
  }
  const std::vector<double> adjusted = holm_adjust(p), adjusted_these_fits = holm_adjust(p_these_fits),
                            adjusted_overlap = holm_adjust(p_with_overlap);
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    comparisons[i].p_holm = adjusted[i];
    comparisons[i].p_holm_these_fits = adjusted_these_fits[i];
    comparisons[i].p_holm_overlap = adjusted_overlap[i];
  }
}

int family_size(std::span<const Comparison> comparisons) {
  int size = 0;
  for (const Comparison& one : comparisons) size += std::isnan(one.p_holm) ? 0 : 1;
  return size;
}

double p_overlap(const Comparison& comparison) {
  return comparison.overlap ? comparison.overlap->p_two_sided : std::numeric_limits<double>::quiet_NaN();
}

bool have_overlap(std::span<const Comparison> comparisons) {
  return std::any_of(comparisons.begin(), comparisons.end(), [](const Comparison& one) { return one.overlap.has_value(); });
}

const char* to_string(Finding finding) {
  constexpr std::array kNames = {"better", "worse", "no difference shown"};
  return kNames[static_cast<std::size_t>(finding)];
}

std::optional<Finding> finding(const Comparison& comparison) { return finding_by(comparison.p_holm, comparison); }

std::optional<Finding> finding_of_these_fits(const Comparison& comparison) {
  return finding_by(comparison.p_holm_these_fits, comparison);
}

std::optional<Finding> finding_with_overlap(const Comparison& comparison) {
  return finding_by(comparison.p_holm_overlap, comparison);
}

std::string comparison_legend() { return kLegend; }

std::string comparison_table(std::span<const Comparison> comparisons) {
  if (comparisons.empty()) return "";
  return std::string(kLegend) + "\n\n" + markdown(lines_of(comparisons, false), kTextColumns);
}

std::string comparison_lines(std::span<const Comparison> comparisons) {
  if (comparisons.empty()) return "";
  std::string text;
  for (const std::string& sentence : strict_answer(comparisons).answer) text += sentence + "\n";
  return text + "\n" + kLegend + "\n" + aligned(lines_of(comparisons, true), kTextColumns);
}

}  // namespace tapestry::recsys
