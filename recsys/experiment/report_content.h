#pragma once

#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/outputs.h"
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
                             std::span<const Start> starts, const ReportOptions& report, std::vector<Cell> cells,
                             std::vector<Comparison> comparisons, std::vector<Failure> failures);

/// A file of the results folder.
struct ReportFile {
  std::string name, text;
};

/// report.html, report.md, similarity.csv, shapes.csv, improvements.csv and, under `strict`, comparisons.csv.
std::vector<ReportFile> report_files(const ReportContent& content);

}  // namespace tapestry::recsys
