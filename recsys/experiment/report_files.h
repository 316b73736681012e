#pragma once

#include <string>
#include <vector>

#include "recsys/experiment/experiment_options.h"
#include "recsys/report/html_report.h"

namespace tapestry::recsys {

/// A file of the results folder.
struct ReportFile {
  std::string name, text;
};

/// report.html, report.md, similarity.csv, shapes.csv, improvements.csv, under `strict` comparisons.csv, then results.csv,
/// results.json and table.md (docs/results_files.md).
std::vector<ReportFile> report_files(const ReportContent& content, const ExperimentOptions& options);

}  // namespace tapestry::recsys
