#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/unit_store.h"

namespace tapestry::recsys {

/// The names of all stages of these generators.
std::set<std::string> stages_of_all(std::span<const std::string> generators);
/// Of those the fits of which there is one for all recommenders, logged under the one that came first.
std::set<std::string> shared_fits(std::span<const std::string> generators);
/// The stages of what is asked for on these data sets, whenever they were computed; the fit of a generator that is the same for
/// every recommender also where it stands under one that is not asked for.
std::vector<StageRecord> asked_stages(const UnitStore& store, const ExperimentOptions& options,
                                      std::span<const std::string> datasets);

}  // namespace tapestry::recsys
