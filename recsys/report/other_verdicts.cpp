#include "recsys/report/other_verdicts.h"

#include "recsys/report/improvement.h"
#include "recsys/report/names.h"
#include "recsys/report/published_similarity.h"
#include "recsys/report/sections.h"

namespace tapestry::recsys {
namespace {

VerdictCounts gain_counts(const std::vector<AverageImprovement>& gains) {
  VerdictCounts counts;
  for (const AverageImprovement& one : gains) {
    if (one.printed()) counts.add(verdict(one));
  }
  return counts;
}

std::string gain_sentence(const std::vector<Improvement>& gains) {
  VerdictCounts single;
  for (const Improvement& one : gains) {
    if (one.published) single.add(verdict(one));
  }
  if (single.printed() == 0) return "";
  const std::vector<AverageImprovement> averages = average_improvements(gains);
  const VerdictCounts average = gain_counts(averages), overall = gain_counts(overall_improvements(gains));
  std::string text = "Of the gains of SDRM over MultiVAE++: " + single.text("printed in tables 7 and 8", false);
  if (average.printed() > 0) text += "; " + average.text("means in table 6", false);
  if (overall.printed() > 0) text += "; " + overall.text("means over all cut-offs", false);
  if (const std::string fewer = fewer_combinations(averages); !fewer.empty()) {
    text += " (means are compared over the " + fewer +
            " of the paper's 12 combinations of data set and recommender that were computed)";
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
