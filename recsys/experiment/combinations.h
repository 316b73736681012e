#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/unit_store.h"

/// What is asked for, combination by combination and unit by unit, and what of it is finished. `only` is left aside: a report is
/// of everything that is asked for.
namespace tapestry::recsys {

/// One row of a report: a generator's users in one setting before one recommender.
struct CombinationKey {
  std::string dataset, recommender, setting, generator;

  bool operator==(const CombinationKey&) const = default;
};

/// Data sets are the outermost, then recommenders; within them:
enum class CombinationOrder : std::uint8_t {
  kOfReports,  ///< setting by setting, generators in each
  kOfWork,     ///< generator by generator, settings in each, since they share its users
};

/// All that is asked for on these data sets.
std::vector<CombinationKey> asked_combinations(const ExperimentOptions& options, std::span<const std::string> datasets,
                                               CombinationOrder order = CombinationOrder::kOfReports);

/// The units of a combination, in run order. A recommender without randomness on the original data has one (for each fold).
std::vector<UnitKey> unit_keys(const ExperimentOptions& options, const CombinationKey& combination);
/// Those of one run of a data set with a recommender, in the order of work.
std::vector<UnitKey> unit_keys_of_run(const ExperimentOptions& options, const std::string& dataset,
                                      const std::string& recommender, int run);
/// All that are asked for on these data sets, in the order of reports.
std::vector<UnitKey> all_unit_keys(const ExperimentOptions& options, std::span<const std::string> datasets);
/// The text of every one of these: what patterns can match.
std::vector<std::string> unit_texts(const ExperimentOptions& options, std::span<const std::string> datasets);

/// What there is of one combination.
struct Combination {
  CombinationKey key;
  std::size_t asked = 0;    ///< units
  std::vector<Unit> units;  ///< the finished ones, in run order

  bool complete() const { return units.size() == asked; }
  /// Whether one of the units did: its figures are then missing, not by chance.
  bool failed() const;
};

Combination read_combination(const UnitStore& store, const ExperimentOptions& options, const CombinationKey& key);
/// All that is asked for on these data sets, in the order of reports.
std::vector<Combination> read_combinations(const UnitStore& store, const ExperimentOptions& options,
                                           std::span<const std::string> datasets);

}  // namespace tapestry::recsys
