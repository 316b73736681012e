#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "recsys/report/html_report.h"
#include "recsys/report/names.h"
#include "recsys/report/section.h"
#include "recsys/report/verdict.h"

/// The parts of the report, one function each, in the order of the report. One without content is empty.
namespace tapestry::recsys {

Section dataset_section(const ReportContent& content);     ///< table 1
Section alike_section(const ReportContent& content);       ///< figures without users whom the data have many times
Section main_section(const ReportContent& content);        ///< tables 3 and 4
Section gain_section(const ReportContent& content);        ///< Figure 2, tables 6 to 8
Section comparison_section(const ReportContent& content);  ///< paired tests over users
Section similarity_section(const ReportContent& content);  ///< table 5, nearest real users, copies
Section shape_section(const ReportContent& content);       ///< Figure 3
Section catalogue_section(const ReportContent& content);   ///< coverage, Gini, novelty, head, mid and tail
Section failure_section(const ReportContent& content);
Section training_section(const ReportContent& content);              ///< generators' curves
Section recommender_training_section(const ReportContent& content);  ///< recommenders'
Section metric_section(const ReportContent& content);                ///< every cut-off
Section time_section(const ReportContent& content);
Section origin_section(const ReportContent& content);  ///< how every number was made

std::vector<Section> report_sections(const ReportContent& content);
std::string report_title(const ReportContent& content);

// What several of them need.

/// Whether there is an NDCG-k@k: with NeuMF under `published`.
bool has_ndcg_over_k(const std::vector<Cell>& cells);

/// Adds its sign and colour to a figure's cell, if there is one.
void show(TableCell& cell, std::optional<Verdict> found);
/// "MLP" for "mlp": as the paper writes it, or the name itself.
std::string shown_recommender(const std::string& name);
std::string shown_generator(const std::string& name);

/// "4 of 5 runs" where some failed, else nothing.
std::string runs_text(const SyntheticFigures& figures);

/// SDRM and the model it is built on (SdrmFamily::has, which report/ may not include), which go into one chart; the other
/// generators into another: nine lines in one cannot be told apart.
bool is_sdrm_family(const std::string& generator);
inline constexpr int kRealUsersColour = 7;  ///< of their line, dashed, in both

/// "0.3925 ± 0.0005", without the deviation for one run or where one has no figure; for NaN "failed" where a unit did, else "–".
std::string mean_text(const Cell& cell, const Summary& summary);

}  // namespace tapestry::recsys
