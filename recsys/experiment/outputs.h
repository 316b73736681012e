#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/runner.h"

namespace tapestry::recsys {

/// The units that make up one row of the report, in run order. A recommender without randomness on the original data has one.
std::vector<UnitKey> unit_keys(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender,
                               const std::string& setting, const std::string& generator);
/// The same of everything that is asked for on these data sets, `only` left aside.
std::vector<UnitKey> all_unit_keys(const ExperimentOptions& options, std::span<const std::string> datasets);

/// The names of all stages of these generators.
std::set<std::string> stages_of_all(std::span<const std::string> generators);
/// The stages of what is asked for on these data sets, whenever they were computed.
std::vector<StageRecord> asked_stages(const UnitStore& store, const ExperimentOptions& options,
                                      std::span<const std::string> datasets);

/// Every metric of every combination asked for whose units are all finished. Intervals: over runs (t) under `published`, where a
/// result without randomness is a point; bootstrap over users and fits under `strict`, which takes its time: `told` is told the
/// fraction that is done, by several threads, and what it throws ends the work.
std::vector<Cell> collect_cells(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets,
                                const std::function<void(double fraction)>& told);

/// Under `strict`, for every metric: each generator against `original`, and the others against multivae++, user by user;
/// corrected for their number. Of the combinations whose units are all finished. Empty under `published`, whose users were chosen
/// on.
std::vector<Comparison> collect_comparisons(const UnitStore& store, const ExperimentOptions& options,
                                            std::span<const std::string> datasets,
                                            const std::function<void(double fraction)>& told);

/// The units that failed, in the order of the report, each once, with their reasons.
std::vector<Failure> collect_failures(const UnitStore& store, const ExperimentOptions& options,
                                      std::span<const std::string> datasets);

/// The combinations asked for that have units which are not finished, in the order of the report.
std::vector<Unfinished> collect_unfinished(const UnitStore& store, const ExperimentOptions& options,
                                           std::span<const std::string> datasets);

/// The text of results.json; "unfinished" is in it when there are any.
std::string results_text(std::span<const Cell> cells, std::span<const Comparison> comparisons, std::span<const Failure> failures,
                         std::span<const Unfinished> unfinished, const ReportOptions& report);

/// The text of table.md: what the figures are, then the tables.
std::string table_text(std::span<const Cell> cells, std::span<const Comparison> comparisons, std::span<const Failure> failures,
                       std::span<const Unfinished> unfinished, const ExperimentOptions& options, const ReportOptions& report);

/// The text of manifest.json: where the figures come from. `starts`: all on the folder, the one that writes this last.
std::string manifest_text(const UnitStore& store, const ExperimentOptions& options, std::span<const LoadedDataset> datasets,
                          std::span<const Start> starts, double wall_seconds);

}  // namespace tapestry::recsys
