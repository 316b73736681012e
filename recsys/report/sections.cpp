#include "recsys/report/sections.h"

#include <cmath>

#include "recsys/metrics/ranking.h"
#include "recsys/report/published.h"
#include "recsys/report/text.h"
#include "tensor/error.h"

namespace tapestry::recsys {

std::vector<Section> report_sections(const ReportContent& content) {
  std::vector<Section> sections;
  for (const auto make : {main_section, gain_section, comparison_section, catalogue_section, similarity_section, shape_section,
                          dataset_section, alike_section, failure_section, training_section, recommender_training_section,
                          metric_section, time_section, origin_section}) {
    Section section = make(content);
    if (!section.empty()) sections.push_back(std::move(section));
  }
  return sections;
}

std::string report_title(const ReportContent& content) { return "SDRM reproduced: protocol " + content.options.protocol; }

bool has_ndcg_over_k(const std::vector<Cell>& cells) {
  return std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return cell.metric.starts_with(kNdcgOverK); });
}

void show(TableCell& cell, std::optional<Verdict> found) {
  if (!found) return;
  cell.text += std::string(" ") + mark_of(*found);
  cell.style = style_of(*found);
}

std::string shown_recommender(const std::string& name) { return paper_recommender(name).value_or(name); }
std::string shown_generator(const std::string& name) { return paper_generator(name).value_or(name); }

std::string runs_text(const SyntheticFigures& figures) {
  return figures.failed() ? concat(figures.runs, " of ", figures.asked, " runs") : "";
}

bool is_sdrm_family(const std::string& generator) {
  return generator == "multivae++" || generator == "f-sdrm" || generator == "m-sdrm";
}

std::string mean_text(const Cell& cell, const Summary& summary) {
  if (!std::isfinite(summary.mean)) return cell.failed ? "failed" : "–";
  return fixed(summary.mean, 4) + (cell.runs.size() > 1 && std::isfinite(summary.std) ? " ± " + fixed(summary.std, 4) : "");
}

}  // namespace tapestry::recsys
