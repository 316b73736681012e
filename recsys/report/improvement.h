#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "recsys/report/table.h"
#include "recsys/report/verdict.h"

/// The gain of SDRM over MultiVAE++, as tables 6 to 8 and Figure 2 of the SDRM paper state it.
///
/// Its interval comes from the spread over runs. With s the mean over runs of the better of F-SDRM and M-SDRM and v that of
/// MultiVAE++, the gain s / v - 1 changes to first order by (s_r - (s / v) v_r) / v with run r, whose VAE both share; these
/// deviations sum to zero and are as independent as the runs. That one of two was picked because it came out better is not in it:
/// the gain of F-SDRM and that of M-SDRM by themselves, which the paper does not print, stand beside it.
namespace tapestry::recsys {

/// Improvement::of where it is neither "f-sdrm" nor "m-sdrm".
inline constexpr const char* kBetterOfTwo = "better of two";

/// 100 (max(F-SDRM, M-SDRM) / MultiVAE++ - 1), each a mean over runs: "the percentage increase of max Recall and NDCG value
/// between M-SDRM and F-SDRM against MultiVAE++ from the same runs". Taking the better of two noisy figures and setting it
/// against one gives a gain above zero even where all three are alike. Of one of the two by itself, likewise without the max.
struct Improvement {
  std::string dataset, recommender, setting, metric;
  double percent = 0;
  std::optional<double> published;      ///< of the better of the two
  std::vector<double> deviations = {};  ///< in percent, by run; none of a single run, or where the runs do not fit
  std::string of = kBetterOfTwo;        ///< whose gain: or "f-sdrm", "m-sdrm"
  /// Whether a run's luck is the same for every recommender of the data set: with folds, where all recommenders report the same
  /// users in the same run, and where they get the users of the same MultiVAE and SDRM.
  bool shared_runs = false;
};

/// Three for every combination whose three cells are there and whose MultiVAE++ is positive, of Recall and NDCG, in the
/// order of the cells: the better of the two, then each by itself.
std::vector<Improvement> improvements(std::span<const Cell> cells, const ReportOptions& options = {});

/// A mean of improvements over data sets and recommenders.
struct AverageImprovement {
  std::string setting, metric, of;
  double percent = 0;
  Interval interval;                     ///< 95 %; NaN ends without deviations
  int combinations = 0;                  ///< of data set and recommender
  std::optional<double> published;       ///< the paper's mean, over all of its 12
  std::optional<double> published_same;  ///< the mean of the paper's figures for the same, if it has all of them
  bool whole = false;                    ///< whether all of the paper's figures are among them: settings and cut-offs too

  /// What stands beside it: the mean over the same figures where some of the paper's are missing.
  std::optional<double> printed() const;
};
inline constexpr int kPaperCombinations = 12;

/// Over how many combinations, fewer than the paper's 12, the means are that stand beside printed ones: "11", or "3 to 5" where
/// they differ. Empty when all are over 12, or none has a printed one.
std::string fewer_combinations(std::span<const AverageImprovement> averages);

inline constexpr double kGainDigit = 0.01;  ///< the step in which gains are printed

/// By setting, metric and whose gain (of the better of two: table 6).
std::vector<AverageImprovement> average_improvements(std::span<const Improvement> improvements);
/// Over all cut-offs as well, as the paper's abstract and the caption of Figure 2 have it: "Recall@k" and "NDCG@k" in each
/// setting, and in both, "augment and replace", by whose gain.
std::vector<AverageImprovement> overall_improvements(std::span<const Improvement> improvements);

/// How far the better of F-SDRM and M-SDRM is ahead of the best of all other rows of its table, the original users' too, at 10:
/// as Improvement, with that best row in the place of MultiVAE++. `published` is the same of the printed figures. One for every
/// combination all of whose nine rows are there. Taking the better of two against the best of seven is no fair race either.
std::vector<Improvement> leads(std::span<const Cell> cells, const ReportOptions& options = {});
/// By setting and metric, beside what the captions of tables 3 and 4 call "average overall improvement".
std::vector<AverageImprovement> average_leads(std::span<const Improvement> leads);

/// 95 % interval of one: NaN ends without deviations.
Interval interval_of(const Improvement& one);
std::optional<Verdict> verdict(const Improvement& one);
std::optional<Verdict> verdict(const AverageImprovement& one);

}  // namespace tapestry::recsys
