#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "recsys/experiment/deviations.h"
#include "recsys/experiment/experiment_options.h"
#include "recsys/report/table.h"

/// What each deviation of the published program does to its figures: the same experiment once as published and once without it.
namespace tapestry::recsys {

/// One way to run the experiment.
struct Ablation {
  std::string name;         ///< and of its results folder: "published", "without-tied-layers"
  std::string reference;    ///< the ablation that it is compared with; empty for one that others are compared with
  std::string description;  ///< what is changed, one sentence
  std::set<Deviation> without = {};
  sdrm::Variant variant = sdrm::Variant::kPublished;
  std::optional<NeuMfSelection> neumf_selection = {};
};

/// Those that exist for a recommender, references before what is compared with them. svd, mlp: as published, without each of
/// the deviations, and SDRM as the paper's text has it. neumf: its three rules for choosing an epoch, and the best Recall@10
/// once more on users that are not reported.
std::vector<Ablation> ablations(const std::string& recommender);

/// Those of some names ("all" for every one), with the references they need. Throws Error(kUsage) for a name the recommender has
/// not, listing those it has.
std::vector<Ablation> select_ablations(const std::string& recommender, std::span<const std::string> names);

/// The same for several recommenders, of which each gets those of the names that it has, maybe none. Throws Error(kUsage) for a
/// name that none of them has.
std::vector<std::pair<std::string, std::vector<Ablation>>> ablations_by_recommender(std::span<const std::string> recommenders,
                                                                                    std::span<const std::string> names);

/// `options` for one ablation: in the folder of its name below options.out.
ExperimentOptions options_for(const Ablation& ablation, ExperimentOptions options);

/// The cells with further ones for conclusions, in which the runs are combined one by one: setting "both" has the mean of augment
/// and replace, generator "f-, m-sdrm" the mean of the two, "m-sdrm over multivae++" the difference, as has "over original".
/// Combinations whose parts are missing are left out.
std::vector<Cell> with_conclusions(std::span<const Cell> cells);

/// A mean over runs; the interval has NaN ends where one run says nothing about spread.
struct Estimate {
  double mean = 0;
  Interval interval;
};

/// One metric of one combination in the reference and changed. Runs of the same number have the same seed and are compared with
/// each other; those without a figure in either are left out.
struct Effect {
  std::string ablation;
  std::string dataset, recommender, setting, generator, metric;
  std::size_t runs = 0;
  Estimate reference, changed;
  Estimate difference;  ///< reference - changed: what the deviation adds

  /// Whether nothing random is in it: one run says it all.
  bool is_exact() const;
  /// "raises", "lowers", "nothing" where every run is the same to the last bit, "not seen" where the interval contains zero, "one
  /// run only" where there is none.
  std::string in_words() const;
};

/// The effects on all cells that both have, in the order of `reference`.
std::vector<Effect> effects(const std::string& ablation, std::span<const Cell> reference, std::span<const Cell> changed);

}  // namespace tapestry::recsys
