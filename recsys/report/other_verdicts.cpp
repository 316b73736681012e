#include "recsys/report/other_verdicts.h"

#include "recsys/report/improvement.h"
#include "recsys/report/names.h"
#include "recsys/report/published_similarity.h"
#include "recsys/report/sections.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// Of the means that have a printed one beside them: the paper's own for its `whole` 12 combinations, or for fewer the mean of
/// what tables 7 and 8 print for them. That of one combination says nothing besides these tables.
VerdictCounts mean_counts(const std::vector<AverageImprovement>& gains, bool whole) {
  VerdictCounts counts;
  for (const AverageImprovement& one : gains) {
    if (one.printed() && one.whole == whole && one.combinations > 1) counts.add(verdict(one));
  }
  return counts;
}

std::string gain_sentence(const std::vector<Improvement>& gains) {
  VerdictCounts single;
  int with_zero = 0;
  for (const Improvement& one : gains) {
    if (!one.published) continue;
    single.add(verdict(one));
    const Interval interval = interval_of(one);
    with_zero += interval.low <= 0 && 0 <= interval.high ? 1 : 0;
  }
  if (single.printed() == 0) return "";
  const std::vector<AverageImprovement> averages = average_improvements(gains);
  const std::vector<AverageImprovement> overall = overall_improvements(gains);
  std::string text = "Of the gains of SDRM over MultiVAE++: " + single.text("printed in tables 7 and 8", false);
  if (with_zero > 0) text += concat("; zero lies in ", with_zero, " of our intervals for them, too");
  const auto add = [&](const VerdictCounts& counts, const std::string& means) {
    if (counts.printed() > 0) text += "; " + counts.text(means, false);
    return counts.printed() > 0;
  };
  add(mean_counts(averages, true), "means in table 6");
  add(mean_counts(overall, true), "means over all cut-offs");
  const bool some_of_these = add(mean_counts(averages, false), "means of these over data sets and recommenders");
  const bool over_cutoffs = add(mean_counts(overall, false), "means of these over all cut-offs too");
  if (some_of_these || over_cutoffs) {
    const std::string fewer = fewer_combinations(averages);
    text += " (set against the means of what tables 7 and 8 print for the same " +
            (fewer.empty() ? "figures" : fewer + " of the paper's 12 combinations of data set and recommender") +
            ", not against the paper's own)";
  }
  return text + ".";
}

std::string pairs_sentence(const ReportContent& content) {
  std::string text;
  for (const std::string& recommender : names_of(content.synthetic, &SyntheticFigures::recommender)) {
    VerdictCounts counts;
    for (const SyntheticFigures& one : content.synthetic) {
      if (one.recommender != recommender || !content.options.compares(one.dataset)) continue;
      for (int bin = 0; bin < kSimilarityBins; ++bin) {
        if (published_pairs(one.dataset, one.generator, bin)) counts.add(pairs_verdict(one, bin));
      }
    }
    if (counts.printed() == 0) continue;
    text += (text.empty() ? "" : "; ") + std::string("with the hyperparameters of ") + shown_recommender(recommender) + ", " +
            counts.text("numbers of pairs", false);
  }
  return text.empty() ? "" : "Of table 5, which does not say whose hyperparameters it was made with: " + text + ".";
}

}  // namespace

std::vector<std::string> other_verdicts(const ReportContent& content) {
  std::vector<std::string> sentences;
  if (!content.options.compare) return sentences;
  for (const std::string& one : {gain_sentence(improvements(content.cells, content.options)), pairs_sentence(content)}) {
    if (!one.empty()) sentences.push_back(one);
  }
  return sentences;
}

}  // namespace tapestry::recsys
