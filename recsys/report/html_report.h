#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "recsys/report/comparison.h"
#include "recsys/report/table.h"

namespace tapestry::recsys {

/// How one model's training went: what history/ holds.
struct TrainingCurve {
  std::string dataset, recommender, stage;  ///< "vae_fit", "sdrm_fit", ...
  int run = 1;
  std::vector<double> epoch, loss, metric;  ///< metric may be empty
};

/// What a stage took, over all runs.
struct StageTime {
  std::string dataset, recommender, stage;
  int times = 0;
  double seconds = 0;
};

/// Everything that the report shows. Parts that are empty are left out.
struct ReportContent {
  ReportOptions options;
  bool quick = false;    ///< marks the whole report as made with reduced epochs
  std::string headline;  ///< the answer in words, plain text
  std::vector<Cell> cells;
  std::vector<Comparison> comparisons;
  std::vector<Failure> failures;
  std::vector<TrainingCurve> curves;
  std::vector<StageTime> times;
  std::vector<std::pair<std::string, std::string>> origin;  ///< name and value: command, version, data, device, ...
};

/// The report as one HTML file that stands alone: the verdicts with their counts, tables 3 and 4 in the paper's layout with ours
/// over the printed figures, all cut-offs, the gain over MultiVAE++ (Figure 2 and tables 6 to 8), comparisons, training curves,
/// times and how every number was made.
std::string html_report(const ReportContent& content);

}  // namespace tapestry::recsys
