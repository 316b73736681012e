#pragma once

#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/ablation.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/metrics/best_of_many.h"

namespace tapestry::recsys {

/// One metric of one combination as if it were the best of many trials.
struct Choice {
  std::string dataset, recommender, setting, generator, metric;
  std::size_t runs = 0;
  double mean = 0;
  double deviation = 0;           ///< sample standard deviation of a run
  std::vector<Lift> on_reported;  ///< chosen on the users that are reported
  std::vector<Lift> on_others;    ///< chosen on half of them, reported on the other half; empty below two users
};

/// Below so many runs their spread is hardly known.
inline constexpr int kChoiceRuns = 10;

/// Of the metrics at 10, for every generator of the experiment that has one (not kOriginal), from its finished units. Nothing
/// below kChoiceRuns runs. Combinations with a failed run are left out, and metrics that a run has no user for.
std::vector<Choice> choices(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets);

/// What a page of deviations is made of.
struct AblationReport {
  std::string command;
  bool quick = false;  ///< made with reduced epochs
  std::vector<Ablation> ablations;
  std::vector<Effect> effects;
  std::vector<Choice> choices;
  std::vector<Failure> failures;  ///< units as they lie in the ablations' folders: "published/ml-100k_svd_augment_m-sdrm_run-1"
};

/// deviations.md: what failed, per ablation the effects on the metrics at 10, then what choosing the best trial does.
std::string deviations_page(const AblationReport& report);
/// deviations.csv: every effect, all metrics. Empty fields where there is no interval.
std::string deviations_csv(std::span<const Effect> effects);
/// best_of_many.csv: one line per combination, number of trials and way to choose ("reported" or "others").
std::string choices_csv(std::span<const Choice> choices);

}  // namespace tapestry::recsys
