#pragma once

#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/outputs.h"
#include "recsys/report/html_report.h"

namespace tapestry::recsys {

/// A file of the results folder.
struct ReportFile {
  std::string name, text;
};

/// report.html, report.md, similarity.csv, shapes.csv, improvements.csv, under `strict` comparisons.csv, then results.csv,
/// results.json and table.md (docs/results_files.md). `content`: of these outputs.
std::vector<ReportFile> report_files(const ReportContent& content, const Outputs& outputs, const ExperimentOptions& options);

}  // namespace tapestry::recsys
