#include "recsys/experiment/combinations.h"

#include <algorithm>
#include <utility>

#include "recsys/experiment/selection.h"

namespace tapestry::recsys {
namespace {

/// Those of a data set with a recommender.
std::vector<CombinationKey> combinations_of(const ExperimentOptions& options, const std::string& dataset,
                                            const std::string& recommender, CombinationOrder order) {
  std::vector<CombinationKey> all;
  if (order == CombinationOrder::kOfReports) {
    for (const std::string& setting : options.settings) {
      for (const std::string& generator : options.generators) all.push_back({dataset, recommender, setting, generator});
    }
  } else {
    for (const std::string& generator : options.generators) {
      for (const std::string& setting : options.settings) all.push_back({dataset, recommender, setting, generator});
    }
  }
  return all;
}

}  // namespace

std::vector<CombinationKey> asked_combinations(const ExperimentOptions& options, std::span<const std::string> datasets,
                                               CombinationOrder order) {
  std::vector<CombinationKey> all;
  for (const std::string& dataset : datasets) {
    for (const std::string& recommender : options.recommenders) {
      for (CombinationKey& key : combinations_of(options, dataset, recommender, order)) all.push_back(std::move(key));
    }
  }
  return all;
}

std::vector<UnitKey> unit_keys(const ExperimentOptions& options, const CombinationKey& combination) {
  const auto& [dataset, recommender, setting, generator] = combination;
  // Without randomness one run per fold says it all.
  const bool once = generator == kOriginal && is_deterministic(recommender);
  const int asked = runs_of(options, dataset, recommender);
  const int runs = once ? std::min(std::max(1, options.folds), asked) : asked;
  std::vector<UnitKey> keys;
  for (int run = 1; run <= runs; ++run) keys.push_back({dataset, recommender, setting, generator, run});
  return keys;
}

std::vector<UnitKey> unit_keys_of_run(const ExperimentOptions& options, const std::string& dataset,
                                      const std::string& recommender, int run) {
  std::vector<UnitKey> of_run;
  for (const CombinationKey& combination : combinations_of(options, dataset, recommender, CombinationOrder::kOfWork)) {
    for (UnitKey& key : unit_keys(options, combination)) {
      if (key.run == run) of_run.push_back(std::move(key));
    }
  }
  return of_run;
}

std::vector<UnitKey> all_unit_keys(const ExperimentOptions& options, std::span<const std::string> datasets) {
  std::vector<UnitKey> all;
  for (const CombinationKey& combination : asked_combinations(options, datasets)) {
    for (UnitKey& key : unit_keys(options, combination)) all.push_back(std::move(key));
  }
  return all;
}

std::vector<std::string> unit_texts(const ExperimentOptions& options, std::span<const std::string> datasets) {
  std::vector<std::string> texts;
  for (const UnitKey& key : all_unit_keys(options, datasets)) texts.push_back(key.text());
  return texts;
}

bool Combination::failed() const {
  return std::any_of(units.begin(), units.end(), [](const Unit& unit) { return !unit.failure.empty(); });
}

Combination read_combination(const UnitStore& store, const ExperimentOptions& options, const CombinationKey& key) {
  const std::vector<UnitKey> asked = unit_keys(options, key);
  Combination combination = {key, asked.size(), {}};
  for (const UnitKey& unit_key : asked) {
    if (std::optional<Unit> unit = store.read(unit_key)) combination.units.push_back(std::move(*unit));
  }
  return combination;
}

std::vector<Combination> read_combinations(const UnitStore& store, const ExperimentOptions& options,
                                           std::span<const std::string> datasets) {
  std::vector<Combination> all;
  for (const CombinationKey& key : asked_combinations(options, datasets)) all.push_back(read_combination(store, options, key));
  return all;
}

}  // namespace tapestry::recsys
