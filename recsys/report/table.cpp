#include "recsys/report/table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "recsys/metrics/ranking.h"
#include "recsys/report/headline.h"
#include "recsys/report/text.h"
#include "recsys/report/verdict.h"

namespace tapestry::recsys {
namespace {

/// Without the deviation where one of the runs has no figure.
std::string spread(double mean, double deviation, int decimals) {
  return fixed(mean, 4) + (std::isnan(deviation) ? "" : " ± " + fixed(deviation, decimals));
}

constexpr std::array<const char*, 11> kColumns = {"dataset", "recommender",   "setting", "generator",  "metric", "runs",
                                                  "ours",    "95 % interval", "printed", "difference", "verdict"};
using TableRow = std::array<std::string, kColumns.size()>;
constexpr std::size_t kTextColumns = 5;  // flush left; the others hold numbers

TableRow table_row(const Cell& cell, const ReportOptions& options) {
  const Summary summary = summarise(cell, options);
  TableRow row = {cell.dataset, cell.recommender, cell.setting, cell.generator, cell.metric, std::to_string(cell.runs.size())};
  const bool none = std::isnan(summary.mean);
  row[6] = cell.failed ? "failed" : none ? "–" : spread(summary.mean, summary.std, 4);
  row[7] = interval_text(summary.interval, "–");
  row[8] = row[9] = row[10] = "–";
  if (summary.published) {
    row[8] = spread(summary.published->mean, summary.published->std, 3);
    if (!none) row[9] = with_sign(summary.mean - summary.published->mean, 4);
  }
  if (const std::optional<Verdict> found = verdict(summary)) row[10] = to_string(*found);
  return row;
}

std::string legend(const ReportOptions& options) {
  std::string text = "Protocol `" + options.protocol + "`. Ours: mean ± population standard deviation over runs.";
  if (options.compare) {
    text +=
        " Printed: the SDRM paper, tables 3 and 4. Verdict: reproduced when the printed mean, to its four decimals, lies in our "
        "95 % interval; else within 3 sd (of the printed ones), above or below.";
  }
  return text;
}

nlohmann::ordered_json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json json_of(const Cell& cell, const ReportOptions& options) {
  const Summary summary = summarise(cell, options);
  nlohmann::ordered_json values = nlohmann::ordered_json::array();
  for (const double run : cell.runs) values.push_back(number_or_null(run));
  nlohmann::ordered_json json;
  json["dataset"] = cell.dataset;
  json["recommender"] = cell.recommender;
  json["setting"] = cell.setting;
  json["generator"] = cell.generator;
  json["metric"] = cell.metric;
  json["runs"] = cell.runs.size();
  json["mean"] = number_or_null(summary.mean);
  json["std"] = number_or_null(summary.std);
  json["ci_low"] = number_or_null(summary.interval.low);
  json["ci_high"] = number_or_null(summary.interval.high);
  json["published_mean"] = summary.published ? nlohmann::ordered_json(summary.published->mean) : nullptr;
  json["published_std"] = summary.published ? nlohmann::ordered_json(summary.published->std) : nullptr;
  json["values"] = std::move(values);
  return json;
}

nlohmann::ordered_json json_of(const Comparison& comparison) {
  nlohmann::ordered_json json;
  json["dataset"] = comparison.dataset;
  json["recommender"] = comparison.recommender;
  json["setting"] = comparison.setting;
  json["generator"] = comparison.generator;
  json["baseline"] = comparison.baseline;
  json["metric"] = comparison.metric;
  json["difference"] = number_or_null(comparison.test.mean);
  json["ci_low"] = number_or_null(comparison.interval.low);
  json["ci_high"] = number_or_null(comparison.interval.high);
  json["standard_error"] = number_or_null(comparison.test.standard_error);
  json["degrees"] = number_or_null(comparison.test.degrees);
  json["p_these_fits"] = number_or_null(comparison.p_these_fits);
  json["p_two_sided"] = number_or_null(comparison.test.p_two_sided);
  json["p_holm"] = number_or_null(comparison.p_holm);
  json["p_holm_these_fits"] = number_or_null(comparison.p_holm_these_fits);
  json["p_overlap"] = number_or_null(p_overlap(comparison));
  json["p_holm_overlap"] = number_or_null(comparison.p_holm_overlap);
  json["users"] = comparison.test.users;
  json["fits"] = comparison.test.fits;
  return json;
}

}  // namespace

const Cell* find_cell(std::span<const Cell> cells, const std::string& dataset, const std::string& recommender,
                      const std::string& setting, const std::string& generator, const std::string& metric) {
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.metric == metric && cell.generator == generator && cell.recommender == recommender && cell.setting == setting &&
           cell.dataset == dataset;
  });
  return found == cells.end() ? nullptr : &*found;
}

bool ReportOptions::compares(const std::string& dataset) const {
  return compare && std::find(other_data.begin(), other_data.end(), dataset) == other_data.end();
}

std::string printed_metric(const std::string& recommender, const std::string& metric) {
  if (recommender != "neumf" || metric.starts_with("Recall")) return metric;
  const std::string over_k = kNdcgOverK;
  return metric.starts_with(over_k) ? "NDCG@" + metric.substr(over_k.size()) : "";
}

std::optional<bool> Summary::inside() const {
  if (!published || std::isnan(interval.low) || std::isnan(interval.high)) return std::nullopt;
  return published->mean + kHalfDigitOfMean >= interval.low && published->mean - kHalfDigitOfMean <= interval.high;
}

Summary summarise(const Cell& cell, const ReportOptions& options) {
  Summary summary;
  summary.mean = cell.mean ? *cell.mean : mean(cell.runs);
  summary.std = population_std(cell.runs);
  summary.interval = cell.interval ? *cell.interval : mean_interval(cell.runs);
  if (options.compares(cell.dataset)) {
    summary.published = published_figure(cell.setting, cell.recommender, cell.dataset, cell.generator,
                                         printed_metric(cell.recommender, cell.metric));
  }
  return summary;
}

std::string results_csv(std::span<const Cell> cells, const ReportOptions& options) {
  constexpr int kDecimals = 10;
  std::string text = "dataset,recommender,setting,generator,metric,runs,mean,std,ci_low,ci_high,published_mean,published_std\n";
  for (const Cell& cell : cells) {
    const Summary summary = summarise(cell, options);
    for (const std::string* name : {&cell.dataset, &cell.recommender, &cell.setting, &cell.generator, &cell.metric}) {
      text += csv_field(*name) + ",";
    }
    text += std::to_string(cell.runs.size());
    for (const double value : {summary.mean, summary.std, summary.interval.low, summary.interval.high}) {
      text.append(",").append(fixed(value, kDecimals));
    }
    text.append(",").append(summary.published ? shortest(summary.published->mean) : "");
    text.append(",").append(summary.published ? shortest(summary.published->std) : "").append("\n");
  }
  return text;
}

std::string results_json(std::span<const Cell> cells, const ReportOptions& options, std::span<const Comparison> comparisons,
                         std::span<const Failure> failures, std::span<const Unfinished> unfinished) {
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const Cell& cell : cells) results.push_back(json_of(cell, options));
  nlohmann::ordered_json json;
  json["protocol"] = options.protocol;
  json["results"] = std::move(results);
  for (const Comparison& comparison : comparisons) json["comparisons"].push_back(json_of(comparison));
  for (const Failure& failure : failures) json["failures"].push_back({{"unit", failure.unit}, {"reason", failure.reason}});
  for (const Unfinished& one : unfinished) {
    json["unfinished"].push_back({{"dataset", one.dataset},
                                  {"recommender", one.recommender},
                                  {"setting", one.setting},
                                  {"generator", one.generator},
                                  {"finished", one.finished},
                                  {"asked", one.asked}});
  }
  return json.dump(2) + "\n";
}

std::string failure_list(std::span<const Failure> failures) {
  std::string text;
  for (const Failure& failure : failures) text += "* `" + failure.unit + "`: " + failure.reason + "\n";
  return text;
}

std::string markdown_table(std::span<const Cell> cells, const ReportOptions& options) {
  std::vector<std::vector<std::string>> lines = {{kColumns.begin(), kColumns.end()}};
  for (const Cell& cell : cells) {
    const TableRow row = table_row(cell, options);
    lines.emplace_back(row.begin(), row.end());
  }
  return legend(options) + "\n\n" + markdown(lines, kTextColumns);
}

std::string terminal_table(std::span<const Cell> cells, const ReportOptions& options) {
  const auto at_ten = [](const Cell& cell) { return is_ranking_metric_at_10(cell.metric); };
  const bool all = std::none_of(cells.begin(), cells.end(), at_ten);
  std::vector<TableRow> rows(1);
  std::copy(kColumns.begin(), kColumns.end(), rows[0].begin());
  for (const Cell& cell : cells) {
    if (all || at_ten(cell)) rows.push_back(table_row(cell, options));
  }
  std::vector<std::vector<std::string>> lines;
  for (const TableRow& row : rows) lines.emplace_back(row.begin(), row.end());
  std::string text = options.quick ? quick_remark(options) + "\n" : "";
  text += legend(options) + "\n" + aligned(lines, kTextColumns);
  if (!options.compare) return text;  // what `strict` says comes from its comparisons: comparison_lines
  for (const std::string& sentence : published_answer(cells, options)) text += sentence + "\n";
  return text;
}

}  // namespace tapestry::recsys
