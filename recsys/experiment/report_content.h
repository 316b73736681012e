#pragma once

#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/journal.h"
#include "recsys/experiment/outputs.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/report/html_report.h"

namespace tapestry::recsys {

/// The generators' training curves in history/, of what was asked for, by data set, recommender and stage, then by run. A line
/// that cannot be read ends its curve.
std::vector<TrainingCurve> read_curves(const UnitStore& store, const ExperimentOptions& options,
                                       std::span<const std::string> datasets);

/// The same of the recommenders' trainings, by data set, recommender, generator, setting and run. Those that were computed before
/// histories of them were kept have none.
std::vector<TrainingCurve> read_recommender_curves(const UnitStore& store, const ExperimentOptions& options,
                                                   std::span<const std::string> datasets);

/// What stages.jsonl says of them, summed over the runs.
std::vector<StageTime> stage_times(const UnitStore& store, const ExperimentOptions& options,
                                   std::span<const std::string> datasets);

/// Everything report.html shows. Combinations without finished units are left out. `starts`: all on the folder.
ReportContent report_content(const UnitStore& store, const ExperimentOptions& options, std::span<const LoadedDataset> datasets,
                             std::span<const Start> starts, const ReportOptions& report, const Outputs& outputs);

}  // namespace tapestry::recsys
