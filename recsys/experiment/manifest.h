#pragma once

#include <span>
#include <string>

#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/journal.h"
#include "recsys/experiment/unit_store.h"

namespace tapestry::recsys {

/// The text of manifest.json: where the figures come from. `starts`: all on the folder, the one that writes this last.
std::string manifest_text(const UnitStore& store, const ExperimentOptions& options, std::span<const LoadedDataset> datasets,
                          std::span<const Start> starts, double wall_seconds);

}  // namespace tapestry::recsys
