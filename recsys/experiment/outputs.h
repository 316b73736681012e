#pragma once

#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/runner.h"

namespace tapestry::recsys {

/// The units that make up one row of the report, in run order. A recommender without randomness on the original data has one.
std::vector<UnitKey> unit_keys(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender,
                               const std::string& setting, const std::string& generator);

/// Every metric of every combination asked for, read from finished units. Intervals: over runs (t) under `published`, where a
/// result without randomness is a point; bootstrap over users and runs under `strict`. Throws Error(kMisuse) when a unit is
/// missing.
std::vector<Cell> collect_cells(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets);

/// Under `strict`, for every metric: each generator against `original`, and the others against multivae++, user by user;
/// corrected for their number. Empty under `published`, whose users were chosen on.
std::vector<Comparison> collect_comparisons(const UnitStore& store, const ExperimentOptions& options,
                                            std::span<const std::string> datasets);

/// The units that failed, in the order of the report, each once, with their reasons.
std::vector<Failure> collect_failures(const UnitStore& store, const ExperimentOptions& options,
                                      std::span<const std::string> datasets);

/// The text of table.md: what the figures are, then the tables.
std::string table_text(std::span<const Cell> cells, std::span<const Comparison> comparisons, std::span<const Failure> failures,
                       const ExperimentOptions& options, const ReportOptions& report);

/// The text of manifest.json: where the figures come from.
std::string manifest_text(const UnitStore& store, const ExperimentOptions& options, std::span<const LoadedDataset> datasets,
                          double wall_seconds);

}  // namespace tapestry::recsys
