#include "recsys/report/table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace tapestry::recsys {
namespace {

constexpr double kHalfLastPrintedDigit = 0.00005;

/// Fixed notation without a locale; empty for NaN and infinities.
std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "";
  std::array<char, 400> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals).ptr;
  const std::string text(buffer.data(), end);
  const bool negative_zero = text[0] == '-' && text.find_first_not_of("-0.") == std::string::npos;
  return negative_zero ? text.substr(1) : text;
}

/// The shortest digits that give the number back: printed figures look as they were printed.
std::string shortest(double value) {
  std::array<char, 64> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

/// A CSV field, quoted when it has to be.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string spread(double mean, double std, int std_decimals) { return fixed(mean, 4) + " ± " + fixed(std, std_decimals); }

constexpr std::array<const char*, 11> kColumns = {"dataset", "recommender",   "setting", "generator",  "metric", "runs",
                                                  "ours",    "95 % interval", "printed", "difference", "inside"};
using TableRow = std::array<std::string, kColumns.size()>;

TableRow table_row(const Cell& cell, const ReportOptions& options) {
  const Summary summary = summarise(cell, options);
  const std::string low = fixed(summary.interval.low, 4), high = fixed(summary.interval.high, 4);
  TableRow row = {cell.dataset, cell.recommender, cell.setting, cell.generator, cell.metric, std::to_string(cell.runs.size())};
  row[6] = spread(summary.mean, summary.std, 4);
  row[7] = low.empty() || high.empty() ? "–" : low + " to " + high;
  row[8] = row[9] = row[10] = "–";
  if (summary.published) {
    const double difference = summary.mean - summary.published->mean;
    const std::string digits = fixed(difference, 4);
    row[8] = spread(summary.published->mean, summary.published->std, 3);
    row[9] = (digits.empty() || digits[0] == '-' ? "" : "+") + digits;
  }
  if (const std::optional<bool> inside = summary.inside()) row[10] = *inside ? "yes" : "no";
  return row;
}

std::string legend(const ReportOptions& options) {
  std::string text = "Protocol `" + options.protocol + "`. Ours: mean ± population standard deviation over runs.";
  if (options.compare) {
    text +=
        " Printed: the SDRM paper, tables 3 and 4. Inside: whether the printed mean, to its four decimals, lies in our 95 % "
        "interval.";
  }
  return text;
}

/// Characters on the screen: bytes that continue a UTF-8 sequence take no room.
std::size_t screen_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
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

}  // namespace

std::optional<bool> Summary::inside() const {
  if (!published || std::isnan(interval.low) || std::isnan(interval.high)) return std::nullopt;
  const double slack = kHalfLastPrintedDigit + 1e-12;
  return published->mean + slack >= interval.low && published->mean - slack <= interval.high;
}

Summary summarise(const Cell& cell, const ReportOptions& options) {
  Summary summary;
  summary.mean = mean(cell.runs);
  summary.std = population_std(cell.runs);
  summary.interval = cell.interval ? *cell.interval : mean_interval(cell.runs);
  if (options.compare) {
    summary.published = published_figure(cell.setting, cell.recommender, cell.dataset, cell.generator, cell.metric);
  }
  return summary;
}

std::string results_csv(std::span<const Cell> cells, const ReportOptions& options) {
  constexpr int kDecimals = 10;
  std::string text = "dataset,recommender,setting,generator,metric,runs,mean,std,ci_low,ci_high,published_mean,published_std\n";
  for (const Cell& cell : cells) {
    const Summary summary = summarise(cell, options);
    for (const std::string* name : {&cell.dataset, &cell.recommender, &cell.setting, &cell.generator, &cell.metric}) {
      text += field(*name) + ",";
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

std::string results_json(std::span<const Cell> cells, const ReportOptions& options) {
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const Cell& cell : cells) results.push_back(json_of(cell, options));
  nlohmann::ordered_json json;
  json["protocol"] = options.protocol;
  json["results"] = std::move(results);
  return json.dump(2) + "\n";
}

std::string markdown_table(std::span<const Cell> cells, const ReportOptions& options) {
  std::string text = legend(options) + "\n\n|";
  for (const char* column : kColumns) text += std::string(" ") + column + " |";
  text += "\n|";
  for (std::size_t c = 0; c < kColumns.size(); ++c) text += c < 5 ? "---|" : "---:|";
  text += "\n";
  for (const Cell& cell : cells) {
    text += "|";
    for (const std::string& value : table_row(cell, options)) text += " " + value + " |";
    text += "\n";
  }
  return text;
}

std::string terminal_table(std::span<const Cell> cells, const ReportOptions& options) {
  const auto at_ten = [](const Cell& cell) { return cell.metric.ends_with("@10"); };
  const bool all = std::none_of(cells.begin(), cells.end(), at_ten);
  std::vector<TableRow> rows(1);
  std::copy(kColumns.begin(), kColumns.end(), rows[0].begin());
  for (const Cell& cell : cells) {
    if (all || at_ten(cell)) rows.push_back(table_row(cell, options));
  }
  std::array<std::size_t, kColumns.size()> widths = {};
  for (const TableRow& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], screen_width(row[c]));
  }
  std::string text = legend(options) + "\n";
  for (const TableRow& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - screen_width(row[c]), ' ');
      line += (c > 0 ? "  " : "") + (c < 5 ? row[c] + padding : padding + row[c]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace tapestry::recsys
