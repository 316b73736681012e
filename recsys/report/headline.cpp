#include "recsys/report/headline.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "recsys/report/improvement.h"
#include "recsys/report/names.h"
#include "recsys/report/published.h"
#include "recsys/report/text.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kNone = "original";   // the baseline without synthetic users
constexpr const char* kVae = "multivae++";  // the one of SDRM

using Filter = std::function<bool(const Comparison&)>;

struct Tally {
  int better = 0, worse = 0, all = 0;
};

using Judge = std::optional<Finding> (*)(const Comparison&);

Tally tally(std::span<const Comparison> comparisons, const Filter& filter, Judge judge = finding) {
  Tally counts;
  for (const Comparison& one : comparisons) {
    const std::optional<Finding> found = judge(one);
    if (!found || !filter(one)) continue;
    ++counts.all;
    counts.better += *found == Finding::kBetter ? 1 : 0;
    counts.worse += *found == Finding::kWorse ? 1 : 0;
  }
  return counts;
}

std::string comparisons_text(int count) { return std::to_string(count) + (count == 1 ? " comparison" : " comparisons"); }

/// The answer to "is it better?".
std::string answer_text(const Tally& counts) {
  if (counts.all == 1) {
    return std::string(counts.better > 0  ? "yes, better"
                       : counts.worse > 0 ? "no, worse"
                                          : "no difference can be shown") +
           " (1 comparison)";
  }
  const std::string all = comparisons_text(counts.all);
  const int others = counts.all - counts.better - counts.worse;
  const std::string rest =
      others == 0 ? "" : std::string("; in the other") + (others == 1 ? " one" : "s") + " no difference can be shown";
  if (counts.better + counts.worse == 0) return "no difference can be shown in any of " + all;
  if (counts.better == counts.all) return "yes, better in all " + all;
  if (counts.worse == counts.all) return "no, worse in all " + all;
  const std::string better = std::to_string(counts.better), worse = std::to_string(counts.worse);
  if (counts.worse == 0) return "in part, better in " + better + " of " + all + rest;
  if (counts.better == 0) return "no, worse in " + worse + " of " + all + rest;
  return "not always, better in " + better + " and worse in " + worse + " of " + all + rest;
}

/// The generators of the comparisons, as they are shown.
std::vector<std::string> generators_of(std::span<const Comparison> comparisons) {
  std::vector<std::string> names;
  for (const std::string& name : names_of(comparisons, &Comparison::generator)) {
    names.push_back(paper_generator(name).value_or(name));
  }
  return names;
}

std::string setting_text(const std::string& setting) {
  if (setting == "augment") return "synthetic users added to the real ones (augment)";
  if (setting == "replace") return "synthetic users in place of the real ones (replace)";
  return setting;
}

/// "question With augment: answer. With replace: answer.", then where there are folds what is left with the training users
/// counted that they share, and where the models were fitted several times what holds of the fitted ones alone. Empty when no
/// comparison passes the filter.
std::string answer_to(const std::string& question, std::span<const Comparison> comparisons, const Filter& filter) {
  std::string text;
  for (const std::string& setting : names_of(comparisons, &Comparison::setting)) {
    const Tally counts = tally(comparisons, [&](const Comparison& one) { return one.setting == setting && filter(one); });
    if (counts.all > 0) text += " With " + setting_text(setting) + ": " + answer_text(counts) + ".";
  }
  if (text.empty()) return "";
  const Tally overlap = tally(comparisons, filter, finding_with_overlap);
  if (overlap.all > 0) text += " Allowing for the training users that folds share: " + answer_text(overlap) + ".";
  const Tally these_fits = tally(
      comparisons, [&](const Comparison& one) { return one.test.fits > 1 && filter(one); }, finding_of_these_fits);
  if (these_fits.all > 0) text += " Of these fitted models alone, put before other users: " + answer_text(these_fits) + ".";
  return question + text;
}

constexpr double kSmallGain = 5;  // percent

/// Between none and unknown: how far SDRM can be ahead of MultiVAE++, one by one and over all. Empty where that cannot be said.
std::string bounds_text(std::span<const Comparison> comparisons, std::span<const Cell> cells, const ReportOptions& options) {
  int all = 0, positive = 0, small = 0, small_with_overlap = 0;
  for (const Comparison& one : comparisons) {
    if (one.baseline != kVae || !is_sdrm(one.generator) || !finding(one)) continue;
    const Cell* vae = find_cell(cells, one.dataset, one.recommender, one.setting, kVae, one.metric);
    if (vae == nullptr || !std::isfinite(one.interval.high)) continue;
    ++all;
    positive += one.test.mean > 0 ? 1 : 0;
    const double bound = kSmallGain / 100 * summarise(*vae).mean;
    small += one.interval.high < bound ? 1 : 0;
    if (!one.overlap) continue;
    const double reach = student_t_quantile(0.975, one.overlap->degrees) * one.overlap->standard_error;
    small_with_overlap += one.overlap->mean + reach < bound ? 1 : 0;
  }
  if (all < 2) return "";
  std::string text =
      concat("SDRM's figure is above MultiVAE++'s in ", positive, " of ", comparisons_text(all), ". In ", small, " of the ", all,
             " even the upper end of the 95 % interval is a gain of less than ", fixed(kSmallGain, 0), " %");
  if (have_overlap(comparisons))
    text += concat(" (in ", small_with_overlap, " allowing for the training users that folds share)");
  text += small < all ? "; in the others more cannot be excluded." : ".";
  const std::vector<AverageImprovement> overall = overall_improvements(improvements(cells, options));
  if (overall.empty()) return text;
  text += " The mean gain over all data sets, recommenders and cut-offs is";
  std::string separator = " ";
  for (const std::string& metric : names_of(overall, &AverageImprovement::metric)) {
    std::vector<std::string> gains;
    for (const AverageImprovement& one : overall) {
      if (one.metric != metric || one.setting != overall.back().setting) continue;  // both together where there are two
      const std::string interval = std::isfinite(one.interval.low)
                                       ? concat(" (95 % ", fixed(one.interval.low, 1), " to ", fixed(one.interval.high, 1), ")")
                                       : "";
      gains.push_back(concat(with_sign(one.percent, 1), " %", interval, " for ",
                             one.of == kBetterOfTwo ? "the better of the two" : paper_generator(one.of).value_or(one.of)));
    }
    text += separator + "in " + metric + " " + and_joined(gains);
    separator = "; ";
  }
  return text + ".";
}

/// Why there is nothing to compare, by the generators that have figures.
std::string nothing_to_compare(std::span<const Cell> cells) {
  if (cells.empty()) return "There is nothing to compare: nothing that was asked for is finished yet.";
  const std::vector<std::string> names = names_of(cells, &Cell::generator);
  std::set<std::string> others(names.begin(), names.end());
  const bool none = others.erase(kNone) > 0;
  if (others.empty()) return "There is nothing to compare: it takes a generator besides original.";
  const bool only_vae = others.size() == 1 && others.contains(kVae);
  if (!none && (only_vae || !others.contains(kVae))) {
    return "There is nothing to compare " + and_joined({others.begin(), others.end()}) + " with: it takes the runs of original" +
           (only_vae ? "" : " or multivae++") + " as well.";
  }
  return "There is nothing to compare: for no data set, recommender and setting have a generator and what it is compared with "
         "finished all their runs without a failure.";
}

/// Whether a difference was shown.
bool is_found(const Comparison& one) { return finding(one).value_or(Finding::kNoDifference) != Finding::kNoDifference; }

/// A comparison that found a difference, in a sentence.
std::string sentence(const Comparison& one) {
  const std::string generator = paper_generator(one.generator).value_or(one.generator);
  const std::string baseline = paper_generator(one.baseline).value_or(one.baseline);
  const bool against_none = one.baseline == kNone;
  std::string text =
      "On " + one.dataset + " with " + paper_recommender(one.recommender).value_or(one.recommender) +
      (one.setting == "replace" ? ", replacing the real users by " + generator + "'s" : ", adding " + generator + "'s users") +
      (against_none ? "" : " instead of " + baseline + "'s") + " changes " + one.metric + " by " + with_sign(one.test.mean, 4) +
      " (95 % " + fixed(one.interval.low, 4) + " to " + fixed(one.interval.high, 4) + ", Holm p " + p_text(one.p_holm) + "): ";
  return text + to_string(*finding(one)) + " than " +
         (!against_none              ? baseline
          : one.setting == "replace" ? std::string("the real users")
                                     : std::string("no synthetic users")) +
         ".";
}

}  // namespace

std::string quick_remark(const ReportOptions& options) {
  if (!options.quick) return "";
  return "This is a quick run: its models were trained for a few epochs only. Its figures show that everything works; they mean "
         "nothing, and neither does what follows from them.";
}

Headline strict_answer(std::span<const Comparison> comparisons, std::span<const Cell> cells, const ReportOptions& options) {
  Headline result;
  if (comparisons.empty()) return {{nothing_to_compare(cells)}, {}};
  const int family = family_size(comparisons);
  if (family == 0) {
    result.answer = {
        "There are too few reported users: no comparison has a p-value, which takes two of them (with folds, users of two "
        "folds) whose differences are not the same."};
    return result;
  }
  const Filter against_none = [](const Comparison& one) { return one.baseline == kNone; };
  const Filter sdrm_against_none = [](const Comparison& one) { return one.baseline == kNone && is_sdrm(one.generator); };
  const Filter sdrm_against_vae = [](const Comparison& one) { return one.baseline == kVae && is_sdrm(one.generator); };
  const bool overlap = have_overlap(comparisons);
  const bool one_fit =
      std::any_of(comparisons.begin(), comparisons.end(), [](const Comparison& one) { return one.test.fits == 1; });
  const bool others = tally(comparisons, against_none).all > tally(comparisons, sdrm_against_none).all;
  for (const std::string& paragraph :
       {answer_to("Does SDRM beat MultiVAE++?", comparisons, sdrm_against_vae), bounds_text(comparisons, cells, options),
        answer_to("Does SDRM's synthetic data beat none?", comparisons, sdrm_against_none),
        others
            ? answer_to("Does synthetic data beat none, that of " + and_joined(generators_of(comparisons)) + " counted together?",
                        comparisons, against_none)
            : ""}) {
    if (!paragraph.empty()) result.answer.push_back(paragraph);
  }
  result.answer.push_back(
      "A comparison is one generator (F-SDRM and M-SDRM apart) on one data set with one recommender, on Recall@10 or NDCG@10. "
      "Better and worse are said where the p-value is below 0.05 after Holm's correction for the " +
      comparisons_text(family) + " of this report on these two metrics. " +
      (one_fit
           ? "As there was one run only, the p-values speak of its fitted models alone: trained anew, they may differ."
           : concat("The p-values are over users and over fits: they speak of such models trained anew and put before such users",
                    overlap ? ", trained on these users though. Any two folds train on mostly the same users, so that figures of "
                              "other users would vary more: an approximation of how much (Nadeau and Bengio 2003) is in the "
                              "answers that allow for the training users that folds share, and decides nothing else"
                            : "",
                    ". Of the fitted models alone speaks a sign-flip test paired over users. All are corrected alike.")));
  const std::vector<std::string> datasets = names_of(comparisons, &Comparison::dataset);
  for (const std::string& dataset : datasets) {
    if (datasets.size() < 2) break;
    const auto on = [&](const Filter& filter) {
      return tally(comparisons, [&](const Comparison& one) { return one.dataset == dataset && filter(one); });
    };
    const Tally vae = on(sdrm_against_vae), none = on(sdrm_against_none);
    std::string text = "On " + dataset + ", SDRM";
    if (vae.all > 0) text += " against MultiVAE++: " + answer_text(vae) + (none.all > 0 ? ". A" : ".");
    if (none.all > 0) text += std::string(vae.all > 0 ? "" : " a") + "gainst no synthetic users: " + answer_text(none) + ".";
    if (vae.all + none.all > 0) result.answer.push_back(text);
  }
  result.answer.emplace_back(
      "On the paper's data sets MultiVAE++ and SDRM have the hyperparameters that the paper chose by users of the same data, "
      "some of "
      "whom are reported here: that can favour both over no synthetic users, and the one that was looked at over the other.");
  for (const Comparison& one : comparisons) {
    if (one.metric == "Recall@10" && is_sdrm(one.generator) && is_found(one)) result.details.push_back(sentence(one));
  }
  return result;
}

Headline headline(std::span<const Cell> cells, std::span<const Comparison> comparisons, const ReportOptions& options) {
  Headline result;
  if (options.compare) {
    result.answer = published_answer(cells, options);
  } else if (options.protocol.starts_with("published")) {
    result.answer = {"These figures were made with deviations of the published program left out (" + options.protocol +
                     "): they stand beside none of the paper's. What a deviation does to the figures is what --ablations shows."};
  } else {
    result = strict_answer(comparisons, cells, options);
  }
  result.remark = quick_remark(options);
  return result;
}

std::string headline_markdown(const Headline& headline) {
  std::string text = headline.remark.empty() ? "" : "**" + headline.remark + "**\n\n";
  for (const std::string& paragraph : headline.answer) {
    text += text.empty() ? "**" + paragraph + "**\n\n" : paragraph + "\n\n";
  }
  for (const std::string& detail : headline.details) text += "* " + detail + "\n";
  return text + (headline.details.empty() ? "" : "\n");
}

}  // namespace tapestry::recsys
