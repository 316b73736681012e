#pragma once

#include <limits>
#include <optional>
#include <span>
#include <string>

#include "recsys/metrics/users_and_fits.h"

namespace tapestry::recsys {

/// Does one generator's synthetic data serve a recommender better than another's, or than none? Over the same users and held-out
/// items, each user's difference averaged over the runs.
struct Comparison {
  std::string dataset, recommender, setting, generator, baseline, metric;
  Interval interval;        ///< 95 %, of the difference: bootstrap_interval over users and fits
  MeanTest test;            ///< of generator - baseline, for other users and other trainings of the same models
  double p_these_fits = 1;  ///< two-sided sign-flip test over users: for other users, but these very models
  /// test.p_two_sided, corrected for the number of comparisons (correct_for_number); NaN outside the family.
  double p_holm = std::numeric_limits<double>::quiet_NaN();
  double p_holm_these_fits = std::numeric_limits<double>::quiet_NaN();  ///< the same of p_these_fits
  std::optional<MeanTest> overlap = {};  ///< with folds: the test that counts the training users which they share (with_overlap)
  double p_holm_overlap = std::numeric_limits<double>::quiet_NaN();  ///< the same of its p
};

/// Recall@10 and NDCG@10: the metrics of the paper's main tables, by which the question is decided.
bool is_primary_metric(const std::string& metric);

/// Sets p_holm, p_holm_these_fits and p_holm_overlap. The family of each are all these comparisons on the primary metrics
/// together; other metrics describe, they decide nothing.
void correct_for_number(std::span<Comparison> comparisons);
/// How many comparisons the family has.
int family_size(std::span<const Comparison> comparisons);
/// Of the test with overlap; NaN without folds.
double p_overlap(const Comparison& comparison);
/// Whether one has it, so that it has a column.
bool have_overlap(std::span<const Comparison> comparisons);

enum class Finding : std::uint8_t { kBetter, kWorse, kNoDifference };
/// "better", "worse", "no difference shown".
const char* to_string(Finding finding);
/// Better or worse where p_holm is below 0.05; nothing outside the family.
std::optional<Finding> finding(const Comparison& comparison);
/// The same by p_holm_these_fits: of the trained models as they are, whatever others would have come out of the same training.
std::optional<Finding> finding_of_these_fits(const Comparison& comparison);
/// The same by p_holm_overlap: of models trained on other users too. Nothing without folds.
std::optional<Finding> finding_with_overlap(const Comparison& comparison);

/// How to read a table of comparisons: one sentence each on the difference, the interval and every p.
std::string comparison_legend();
/// A Markdown table of differences with interval and p-values, and a sentence on how to read it. Empty when there is nothing.
std::string comparison_table(std::span<const Comparison> comparisons);
/// The same for the terminal, at k = 10 only, below the answer in words (headline.h).
std::string comparison_lines(std::span<const Comparison> comparisons);

}  // namespace tapestry::recsys
