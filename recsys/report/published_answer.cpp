#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "recsys/report/headline.h"
#include "recsys/report/names.h"
#include "recsys/report/published.h"
#include "recsys/report/text.h"
#include "recsys/report/verdict.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr std::size_t kPaperRuns = 5;

/// How far the figures lie from the printed ones, and how many an exact repetition could be expected to reproduce. Empty where
/// nothing printed stands beside them.
std::string distance_text(std::span<const Cell> cells, const ReportOptions& options) {
  constexpr double kNear = 10;  // percent
  std::vector<double> percents;
  std::size_t runs = 0;
  for (const Cell& cell : cells) {
    const Summary summary = summarise(cell, options);
    if (!summary.published || !(summary.published->mean > 0) || !std::isfinite(summary.mean)) continue;
    percents.push_back(100 * std::abs(summary.mean / summary.published->mean - 1));
    if (!cell.interval) runs = std::max(runs, cell.runs.size());
  }
  if (percents.size() < 2) return "";
  std::sort(percents.begin(), percents.end());
  const auto near = std::upper_bound(percents.begin(), percents.end(), kNear) - percents.begin();
  std::string text = concat("Half of our figures lie within ", fixed(percentile(percents, 0.5), 1), " % of the printed ones, ",
                            near, " of ", percents.size(), " within ", fixed(kNear, 0), " %.");
  if (runs < 2) return text;
  // Two means of so many and of the paper's runs, of one distribution, against the interval of the one.
  const auto ours = static_cast<double>(runs);
  const double reach = student_t_quantile(0.975, ours - 1) / std::sqrt(1 + ours / static_cast<double>(kPaperRuns));
  return text + concat(" If what is printed varied as ours does and nobody had chosen it, ", runs,
                       " more runs of the paper's own program would find about ",
                       fixed(100 * (1 - 2 * student_t_cdf(-reach, ours - 1)), 0),
                       " % of the figures that vary reproduced; of figures that were chosen from many trials fewer.");
}

/// CTGAN and TVAE, drawn from in whatever way, are fitted for a given number of epochs and stop on nobody's users.
constexpr std::array kNeverStopped = {"ctgan", "tvae"};

/// Why `published` does not say what is better: ": ... on the very users that are reported", or nothing.
std::string chosen_on_reported_users(std::span<const Cell> cells, const ReportOptions& options) {
  std::set<std::string> others;  // whose training was not stopped, as they are shown
  const auto is_stopped = [&](const std::string& generator) {
    for (const char* name : kNeverStopped) {
      if (!generator.starts_with(name)) continue;
      others.insert(paper_generator(name).value_or(name));
      return false;
    }
    return generator != "original";
  };
  bool stopped = false;
  for (const Cell& cell : cells) {
    const bool generator = is_stopped(cell.generator);
    stopped = stopped || generator || cell.recommender == "mlp" || (cell.recommender == "neumf" && options.neumf_by_recall);
  }
  // The paper's search was for MultiVAE++ and SDRM: nothing of the other generators or the recommenders comes from it.
  const bool searched = std::any_of(cells.begin(), cells.end(), [&](const Cell& cell) {
    return (cell.generator == "multivae++" || is_sdrm(cell.generator)) && options.compares(cell.dataset) &&
           published_dataset(cell.dataset).has_value();
  });
  if (!stopped && !searched) return "";
  const std::string but_for = others.empty() ? "" : " (but for that of " + and_joined({others.begin(), others.end()}) + ")";
  return std::string(": ") + (stopped ? "the training" + but_for + " was stopped" : "") + (stopped && searched ? ", and " : "") +
         (searched ? "the paper's hyperparameters were chosen" : "") + (stopped && searched ? "," : "") +
         " on the very users that are reported";
}

}  // namespace

std::vector<std::string> published_answer(std::span<const Cell> cells, const ReportOptions& options) {
  const VerdictCounts counts = count_verdicts(cells, options);
  const bool any = counts.printed() > 0;
  std::vector<std::string> answer = {
      any                          ? counts.text("printed figures", true) + "."
      : cells.empty()              ? "Nothing that was asked for is finished yet, so that there are no figures."
      : options.other_data.empty() ? "The paper printed none of these figures, so that there is nothing to set them against."
                                   : "No printed figure stands beside these."};
  if (const std::string text = distance_text(cells, options); !text.empty()) answer.push_back(text);
  for (const std::string& name : options.other_data) {
    answer.push_back(
        "The content of " + name +
        " is not that of the paper's data set of this name (docs/formats.md has its digest): none of the paper's figures "
        "stands beside its own.");
  }
  answer.push_back(
      "This protocol follows the paper's evaluation and cannot answer whether SDRM beats MultiVAE++ or synthetic data beats "
      "none" +
      chosen_on_reported_users(cells, options) + ". The strict protocol answers it (--protocol strict).");
  std::size_t runs = 0;  // of what is random: the rest needs one
  for (const Cell& cell : cells) runs = std::max(runs, cell.interval ? 0 : cell.runs.size());
  if (any && runs > 0 && runs < kPaperRuns) {
    answer.push_back("The paper's figures are means of " + std::to_string(kPaperRuns) + " runs, these of " +
                     std::to_string(runs) +
                     (runs == 1 ? ", which has no interval: nothing random can be found reproduced."
                                : ": the interval of so few is wide, so that a printed mean in it says little."));
  }
  return answer;
}

}  // namespace tapestry::recsys
