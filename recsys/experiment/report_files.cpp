#include "recsys/experiment/report_files.h"

#include "recsys/experiment/unfinished.h"
#include "recsys/report/csv_files.h"
#include "recsys/report/headline.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// The text of table.md: what the figures are, then the tables. It holds none of the figures that `content` adds sentences on.
std::string table_text(const ReportContent& content, const ExperimentOptions& options) {
  std::string text = concat("# Results\n\nVariant `", to_string(options.variant), "`, seed ", options.seed, ".");
  text += "\n\n" + headline_markdown(headline(content.cells, content.comparisons, content.options));
  if (!content.unfinished.empty()) {
    text += "## Not finished\n\nLeft out of everything below, since not all of their units are finished:\n\n";
    for (const std::string& line : unfinished_lines(content.unfinished)) text += "* " + line + "\n";
    text += "\n";
  }
  text += markdown_table(content.cells, content.options);
  if (!content.comparisons.empty()) text += "\n## Compared user by user\n\n" + comparison_table(content.comparisons);
  if (!content.failures.empty()) text += "\n## What failed\n\n" + failure_list(content.failures);
  return text;
}

}  // namespace

std::vector<ReportFile> report_files(const ReportContent& content, const ExperimentOptions& options) {
  const ReportOptions& report = content.options;
  std::vector<ReportFile> files = {{"report.html", html_report(content)},
                                   {"report.md", markdown_report(content)},
                                   {"similarity.csv", similarity_csv(content.datasets, content.synthetic, report)},
                                   {"shapes.csv", shapes_csv(content.datasets, content.synthetic)},
                                   {"alike.csv", alike_csv(content.alike)},
                                   {"improvements.csv", improvements_csv(improvements(content.cells, report))}};
  if (report.protocol.starts_with("strict")) files.push_back({"comparisons.csv", comparisons_csv(content.comparisons)});
  files.push_back({"results.csv", results_csv(content.cells, report)});
  files.push_back(
      {"results.json", results_json(content.cells, report, content.comparisons, content.failures, content.unfinished)});
  files.push_back({"table.md", table_text(content, options)});
  return files;
}

}  // namespace tapestry::recsys
