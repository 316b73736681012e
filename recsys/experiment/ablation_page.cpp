#include "recsys/experiment/ablation_page.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "recsys/experiment/combinations.h"
#include "recsys/experiment/selection.h"
#include "recsys/metrics/ranking.h"
#include "recsys/report/headline.h"
#include "recsys/report/text.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

using Lines = std::vector<std::vector<std::string>>;

/// derive_seed index of the searches imagined under the root seed, out of the way of the runs.
constexpr std::uint64_t kChoiceSeed = 1'000'002;

std::string signed_fixed(double value) { return (value > 0 ? "+" : "") + fixed(value, 4); }

std::string signed_interval(const Interval& interval) {
  if (std::isnan(interval.low)) return "";
  return signed_fixed(interval.low) + " to " + signed_fixed(interval.high);
}

std::string reference_is(const std::string& words) {
  if (words == "raises") return "is higher";
  if (words == "lowers") return "is lower";
  if (words == "nothing") return "is the same";
  return words == "not seen" ? "no difference seen" : words;
}

/// The effects of one ablation.
std::string effect_tables(const AblationReport& report, const Ablation& ablation) {
  std::string text = "## " + ablation.name + "\n\n" + ablation.description + " Compared with `" + ablation.reference +
                     "`; a positive difference is what the reference has more.\n\n";
  Lines lines = {{"data set", "recommender", "setting", "users from", "metric", "runs", "reference", "changed", "difference",
                  "95 % interval", "the reference"}};
  std::set<std::string> originals;
  for (const Effect& effect : report.effects) {
    if (effect.ablation != ablation.name || !is_ranking_metric_at_10(effect.metric)) continue;
    // Without synthetic users the settings are the same: once is enough.
    const bool original = effect.generator == kOriginal;
    if (original && !originals.insert(effect.dataset + effect.recommender + effect.metric).second) continue;
    lines.push_back({effect.dataset, effect.recommender, original ? "any" : effect.setting, effect.generator, effect.metric,
                     std::to_string(effect.runs), fixed(effect.reference.mean, 4), fixed(effect.changed.mean, 4),
                     signed_fixed(effect.difference.mean), signed_interval(effect.difference.interval),
                     reference_is(effect.in_words())});
  }
  return text + markdown(lines, 5) + "\n";
}

/// Whether two users have a value in every run, one for either half.
bool can_be_halved(std::span<const std::vector<double>> per_run) {
  int whole = 0;
  for (std::size_t user = 0; user < per_run.front().size(); ++user) {
    const auto missing = [&](const std::vector<double>& run) { return std::isnan(run[user]); };
    whole += std::none_of(per_run.begin(), per_run.end(), missing) ? 1 : 0;
  }
  return whole >= 2;
}

std::string lift_text(const Lift& lift) { return signed_fixed(lift.value) + " (" + signed_interval(lift.interval) + ")"; }

std::string choice_table(std::span<const Choice> choices) {
  std::string text =
      "## The best of many trials\n\n"
      "What is added to the mean of five runs when it is the best of n trials that are all equally good: chosen on the users "
      "that "
      "are reported, and chosen on one half of them and reported on the other half with the same runs. Chosen on other users and "
      "run again for the report, nothing is added. `normal` is the formula for normally distributed runs, deviation/√5 times the "
      "expected maximum of n standard normal numbers. Intervals: bootstrap over the runs.\n\n";
  Lines lines = {{"data set", "recommender", "setting", "users from", "metric", "runs", "mean", "deviation of a run", "n",
                  "on the reported users", "normal", "on other users"}};
  for (const Choice& choice : choices) {
    for (std::size_t n = 0; n < choice.on_reported.size(); ++n) {
      const Lift& lift = choice.on_reported[n];
      lines.push_back({choice.dataset, choice.recommender, choice.setting, choice.generator, choice.metric,
                       std::to_string(choice.runs), fixed(choice.mean, 4), fixed(choice.deviation, 4),
                       std::to_string(lift.trials), lift_text(lift),
                       signed_fixed(choice.deviation / std::sqrt(5.0) * expected_normal_maximum(lift.trials)),
                       choice.on_others.empty() ? "–" : lift_text(choice.on_others[n])});
    }
  }
  return text + markdown(lines, 5) + "\n";
}

/// Of one metric; nothing when a run has no user for it.
std::optional<Choice> choice(const Combination& combination, std::size_t metric, std::uint64_t seed) {
  const auto& [key, asked, units] = combination;
  const BestOfManyOptions search = {.seed = derive_seed(seed, kChoiceSeed)};
  std::vector<double> means;
  std::vector<std::vector<double>> users;
  for (const Unit& unit : units) {
    means.push_back(unit.measures.means[metric]);
    users.push_back(unit.measures.users[metric]);
  }
  if (std::any_of(means.begin(), means.end(), [](double value) { return std::isnan(value); })) return std::nullopt;
  return Choice{key.dataset,
                key.recommender,
                key.setting,
                key.generator,
                units.front().measures.names[metric],
                units.size(),
                mean(means),
                sample_std(means),
                best_of_many(means, means, search),
                can_be_halved(users) ? best_of_many_on_others(users, search) : std::vector<Lift>()};
}

std::string number(double value) { return fixed(value, 10); }

/// Code in Markdown; two marks where the text has one itself.
std::string code_span(const std::string& text) {
  return text.find('`') == std::string::npos ? "`" + text + "`" : "`` " + text + " ``";
}

}  // namespace

std::vector<Choice> choices(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets) {
  std::vector<Choice> all;
  if (options.runs < kChoiceRuns) return all;
  for (const CombinationKey& key : asked_combinations(options, datasets)) {
    if (key.generator == kOriginal) continue;
    const Combination combination = read_combination(store, options, key);
    check(combination.complete(), "choices: ", combination.units.size(), " of ", combination.asked, " units of ", key.generator,
          " are finished, all are needed");
    if (combination.failed()) continue;
    const std::vector<std::string>& names = combination.units.front().measures.names;
    for (std::size_t metric = 0; metric < names.size(); ++metric) {
      if (!is_ranking_metric_at_10(names[metric])) continue;
      if (std::optional<Choice> found = choice(combination, metric, options.seed)) all.push_back(std::move(*found));
    }
  }
  return all;
}

std::string deviations_page(const AblationReport& report) {
  std::string text = "# What the deviations of the published program do to its figures\n\n";
  if (report.quick) text += "**" + quick_remark({.quick = true}) + "**\n\n";
  text += "Made with " + code_span(repaired_utf8(report.command)) +
          ". Runs of the same number have the same seed and are compared with each other; intervals are Student's t "
          "over their differences. \"both\" is the mean of the two settings. Nothing is corrected for the number of "
          "comparisons: of intervals where there is no effect, one in twenty leaves out zero by chance. All are over runs "
          "on the same reported users and do not speak of other users.\n\n";
  if (!report.failures.empty()) {
    text +=
        "## What failed\n\nThe differences leave these runs out; where no run is left there is no row. The best of many trials "
        "leaves out every combination with such a run.\n\n" +
        failure_list(report.failures) + "\n";
  }
  for (const Ablation& ablation : report.ablations) {
    if (!ablation.reference.empty()) text += effect_tables(report, ablation);
  }
  if (!report.choices.empty()) text += choice_table(report.choices);
  return text;
}

std::string deviations_csv(std::span<const Effect> effects) {
  std::string text =
      "ablation,dataset,recommender,setting,generator,metric,runs,reference_mean,reference_low,reference_high,changed_mean,"
      "changed_low,changed_high,difference,difference_low,difference_high\n";
  for (const Effect& effect : effects) {
    std::vector<std::string> fields = {effect.ablation,  effect.dataset, effect.recommender,         effect.setting,
                                       effect.generator, effect.metric,  std::to_string(effect.runs)};
    for (const Estimate& estimate : {effect.reference, effect.changed, effect.difference}) {
      for (const double value : {estimate.mean, estimate.interval.low, estimate.interval.high}) fields.push_back(number(value));
    }
    text += csv_line(fields);
  }
  return text;
}

std::string choices_csv(std::span<const Choice> choices) {
  std::string text =
      "dataset,recommender,setting,generator,metric,runs,mean,deviation,trials,chosen_on,lift,lift_low,lift_high\n";
  for (const Choice& choice : choices) {
    for (const bool reported : {true, false}) {
      for (const Lift& lift : reported ? choice.on_reported : choice.on_others) {
        text += csv_line({choice.dataset, choice.recommender, choice.setting, choice.generator, choice.metric,
                          std::to_string(choice.runs), number(choice.mean), number(choice.deviation), std::to_string(lift.trials),
                          reported ? "reported" : "others", number(lift.value), number(lift.interval.low),
                          number(lift.interval.high)});
      }
    }
  }
  return text;
}

}  // namespace tapestry::recsys
