#include "recsys/report/html_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>

#include "recsys/metrics/ranking.h"
#include "recsys/report/html_page.h"
#include "recsys/report/improvement.h"
#include "recsys/report/published.h"
#include "recsys/report/svg_chart.h"
#include "recsys/report/text.h"
#include "recsys/report/verdict.h"

namespace tapestry::recsys {
namespace {

using Row = std::vector<HtmlCell>;
using Names = std::vector<std::string>;

/// The different values of a member, in the order in which they come.
template <typename Item>
Names names_of(const std::vector<Item>& items, std::string Item::*member) {
  Names names;
  for (const Item& item : items) {
    if (std::find(names.begin(), names.end(), item.*member) == names.end()) names.push_back(item.*member);
  }
  return names;
}

const Cell* find(const std::vector<Cell>& cells, const std::string& dataset, const std::string& recommender,
                 const std::string& setting, const std::string& generator, const std::string& metric) {
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.dataset == dataset && cell.recommender == recommender && cell.setting == setting && cell.generator == generator &&
           cell.metric == metric;
  });
  return found == cells.end() ? nullptr : &*found;
}

std::string heading(int level, const std::string& text, const std::string& id = "") {
  const std::string tag = "h" + std::to_string(level);
  return "<" + tag + (id.empty() ? "" : " id=\"" + id + "\"") + ">" + escape_html(text) + "</" + tag + ">\n";
}

std::string paragraph(const std::string& text) { return "<p>" + escape_html(text) + "</p>\n"; }

/// "MLP" for "mlp": as the paper writes it, or the name itself.
std::string shown_recommender(const std::string& name) { return paper_recommender(name).value_or(name); }
std::string shown_generator(const std::string& name) { return paper_generator(name).value_or(name); }

std::string style_of(Verdict found) {
  constexpr std::array kStyles = {"reproduced", "within", "above", "below"};
  return kStyles[static_cast<std::size_t>(found)];
}

/// Colour is never the only sign of a verdict.
std::string mark_of(Verdict found) {
  constexpr std::array kMarks = {"✓", "≈", "↑", "↓"};
  return kMarks[static_cast<std::size_t>(found)];
}

/// The cell that a metric of the paper's tables is compared with: NeuMF's NDCG@k in the form the paper printed, where there is
/// one.
const Cell* find_printed(const std::vector<Cell>& cells, const std::string& dataset, const std::string& recommender,
                         const std::string& setting, const std::string& generator, const std::string& metric) {
  const auto printed = [&](const Cell& cell) {
    return cell.dataset == dataset && cell.recommender == recommender && cell.setting == setting && cell.generator == generator &&
           printed_metric(recommender, cell.metric) == metric;
  };
  const auto found = std::find_if(cells.begin(), cells.end(), printed);
  return found == cells.end() ? find(cells, dataset, recommender, setting, generator, metric) : &*found;
}

HtmlCell figure_cell(const Cell* cell, const ReportOptions& options) {
  if (cell == nullptr) return {"–"};
  const Summary summary = summarise(*cell, options);
  if (!std::isfinite(summary.mean)) return {"failed"};
  std::string text = fixed(summary.mean, 4);
  if (cell->runs.size() > 1) text += " ± " + fixed(summary.std, 4);
  const std::optional<Verdict> found = verdict(summary);
  if (found) text += " " + mark_of(*found);
  if (summary.published) {
    text += "<small>printed " + fixed(summary.published->mean, 4) + " ± " + fixed(summary.published->std, 3) + "</small>";
  } else if (std::isfinite(summary.interval.low)) {
    text += "<small>" + fixed(summary.interval.low, 4) + " to " + fixed(summary.interval.high, 4) + "</small>";
  }
  return {text, found ? style_of(*found) : ""};
}

std::string verdict_key() {
  std::string text = "<p class=\"key\">";
  for (const Verdict one : kVerdicts) {
    text += "<span class=\"" + style_of(one) + "\">" + mark_of(one) + " " + to_string(one) + "</span>";
  }
  return text + "</p>\n";
}

/// Tables 3 and 4: generators down, data sets and the two metrics across, one table for each recommender.
std::string main_tables(const ReportContent& content) {
  constexpr std::array kShown = {"Recall@10", "NDCG@10"};
  std::string text = heading(2, content.options.compare ? "Ours beside the paper's tables 3 and 4" : "Results at 10", "tables");
  if (content.options.compare) {
    text += paragraph(
                "Above: our mean ± population standard deviation over runs. Below: what the paper prints. Reproduced: the "
                "printed mean, to its four decimals, lies in our 95 % interval for the mean; within 3 sd: not that, but our "
                "mean lies within three printed standard deviations.") +
            verdict_key();
  } else {
    text += paragraph("Mean ± population standard deviation over runs; below, the 95 % bootstrap interval over users and runs.");
  }
  const Names datasets = names_of(content.cells, &Cell::dataset), generators = names_of(content.cells, &Cell::generator);
  for (const std::string& setting : names_of(content.cells, &Cell::setting)) {
    for (const std::string& recommender : names_of(content.cells, &Cell::recommender)) {
      text += heading(3, shown_recommender(recommender) + ", " + setting);
      std::vector<Row> rows = {{{"generator"}}};
      for (const std::string& dataset : datasets) {
        for (const char* metric : kShown) rows[0].push_back({escape_html(dataset) + "<small>" + metric + "</small>"});
      }
      for (const std::string& generator : generators) {
        Row row = {{escape_html(shown_generator(generator))}};
        for (const std::string& dataset : datasets) {
          for (const char* metric : kShown) {
            row.push_back(
                figure_cell(find_printed(content.cells, dataset, recommender, setting, generator, metric), content.options));
          }
        }
        rows.push_back(std::move(row));
      }
      text += html_table(rows, 1);
    }
  }
  return text;
}

/// Every cut-off, folded away by data set.
std::string all_cutoffs(const ReportContent& content) {
  const Names metrics = names_of(content.cells, &Cell::metric);
  std::string text = heading(2, "Every metric", "all");
  for (const std::string& dataset : names_of(content.cells, &Cell::dataset)) {
    text += "<details><summary>" + escape_html(dataset) + "</summary>\n";
    std::vector<Row> rows = {{{"recommender"}, {"setting"}, {"generator"}}};
    for (const std::string& metric : metrics) rows[0].push_back({escape_html(metric)});
    for (const std::string& recommender : names_of(content.cells, &Cell::recommender)) {
      for (const std::string& setting : names_of(content.cells, &Cell::setting)) {
        for (const std::string& generator : names_of(content.cells, &Cell::generator)) {
          if (find(content.cells, dataset, recommender, setting, generator, metrics.front()) == nullptr) continue;
          Row row = {{escape_html(shown_recommender(recommender))}, {setting}, {escape_html(shown_generator(generator))}};
          for (const std::string& metric : metrics) {
            const Cell* cell = find(content.cells, dataset, recommender, setting, generator, metric);
            row.push_back({cell == nullptr
                               ? "–"
                               : fixed(mean(cell->runs), 4) + "<small>± " + fixed(population_std(cell->runs), 4) + "</small>"});
          }
          rows.push_back(std::move(row));
        }
      }
    }
    text += html_table(rows, 3) + "</details>\n";
  }
  return text;
}

int cutoff_of(const std::string& metric) {
  const std::size_t at = metric.find('@');
  return at == std::string::npos ? 0 : std::atoi(metric.c_str() + at + 1);
}

/// One picture of Figure 2: the average gain by cut-off, ours and the paper's, of both settings.
std::string gain_chart(const std::vector<AverageImprovement>& averages, const std::string& kind) {
  std::vector<Series> series;
  std::vector<double> ticks;
  int colour = 0;
  for (const std::string& setting : names_of(averages, &AverageImprovement::setting)) {
    Series ours = {setting + ", ours", {}, {}, false, colour}, printed = {setting + ", printed", {}, {}, true, colour};
    for (const AverageImprovement& one : averages) {
      if (one.setting != setting || !one.metric.starts_with(kind)) continue;
      const int k = cutoff_of(one.metric);
      ours.x.push_back(k);
      ours.y.push_back(one.percent);
      if (one.published) {
        printed.x.push_back(k);
        printed.y.push_back(*one.published);
      }
    }
    ticks = ours.x;
    series.push_back(std::move(ours));
    series.push_back(std::move(printed));
    ++colour;
  }
  return line_chart({.title = "Gain over MultiVAE++, " + kind + "k",
                     .x_label = "k",
                     .y_label = "percent",
                     .x_scale = Scale::kLogarithmic,
                     .x_ticks = ticks,
                     .zero = true},
                    series);
}

std::string gains(const ReportContent& content) {
  const std::vector<Improvement> all = improvements(content.cells, content.options);
  if (all.empty()) return "";
  const std::vector<AverageImprovement> averages = average_improvements(all);
  std::string text = heading(2, "The gain of SDRM over MultiVAE++ (Figure 2, tables 6 to 8)", "gain");
  text += paragraph(
      "The better of F-SDRM and M-SDRM against MultiVAE++, in percent of the latter, each a mean over runs, as the paper "
      "computes it. Taking the better of two noisy figures gives a gain above zero even where all three are alike.");
  if (averages.front().combinations < 12 && content.options.compare) {
    text += paragraph("Ours is the mean over " + std::to_string(averages.front().combinations) +
                      " combinations of data set and recommender, the paper's over 12.");
  }
  text += "<div class=\"charts\">\n" + gain_chart(averages, "Recall@") + gain_chart(averages, "NDCG@") + "</div>\n";
  std::vector<Row> rows = {{{"data set"}, {"recommender"}, {"setting"}}};
  const Names metrics = names_of(all, &Improvement::metric);
  for (const std::string& metric : metrics) rows[0].push_back({escape_html(metric)});
  std::string last;
  for (const Improvement& one : all) {
    const std::string key = one.dataset + "/" + one.recommender + "/" + one.setting;
    if (key != last)
      rows.push_back({{escape_html(one.dataset)}, {escape_html(shown_recommender(one.recommender))}, {one.setting}});
    last = key;
    rows.back().push_back(
        {fixed(one.percent, 1) + " %" + (one.published ? "<small>printed " + fixed(*one.published, 1) + "</small>" : "")});
  }
  return text + "<details><summary>By data set and recommender</summary>\n" + html_table(rows, 3) + "</details>\n";
}

std::string comparison_section(const ReportContent& content) {
  if (content.comparisons.empty()) return "";
  std::string text = heading(2, "Is it better? Paired over users", "comparisons");
  text += paragraph(comparison_legend());
  std::vector<Row> rows = {{{"data set"},
                            {"recommender"},
                            {"setting"},
                            {"generator"},
                            {"against"},
                            {"metric"},
                            {"difference"},
                            {"95 % interval"},
                            {"p"},
                            {"users"}}};
  for (const Comparison& one : content.comparisons) {
    if (!is_ranking_metric(one.metric) || !one.metric.ends_with("@10")) continue;
    const bool better = one.interval.low > 0, worse = one.interval.high < 0;
    rows.push_back({{escape_html(one.dataset)},
                    {escape_html(shown_recommender(one.recommender))},
                    {one.setting},
                    {escape_html(shown_generator(one.generator))},
                    {escape_html(shown_generator(one.baseline))},
                    {one.metric},
                    {(one.test.difference < 0 ? "" : "+") + fixed(one.test.difference, 4), better  ? "reproduced"
                                                                                           : worse ? "below"
                                                                                                   : ""},
                    {fixed(one.interval.low, 4) + " to " + fixed(one.interval.high, 4)},
                    {fixed(one.test.p_two_sided, 4)},
                    {std::to_string(one.test.users)}});
  }
  return text + html_table(rows, 6);
}

std::string failed(const ReportContent& content) {
  if (content.failures.empty()) return "";
  std::vector<Row> rows = {{{"unit"}, {"reason"}}};
  for (const Failure& one : content.failures) rows.push_back({{escape_html(one.unit)}, {escape_html(one.reason), "wide"}});
  return heading(2, "What failed", "failed") + html_table(rows, 2);
}

std::string curves(const ReportContent& content) {
  if (content.curves.empty()) return "";
  std::string text = heading(2, "Training", "training") + "<div class=\"charts\">\n";
  std::map<std::string, std::vector<const TrainingCurve*>> groups;
  Names order;
  for (const TrainingCurve& curve : content.curves) {
    const std::string name = curve.dataset + ", " + shown_recommender(curve.recommender) + ", " + curve.stage;
    if (groups.count(name) == 0) order.push_back(name);
    groups[name].push_back(&curve);
  }
  for (const std::string& name : order) {
    std::vector<Series> loss, metric;
    for (const TrainingCurve* curve : groups.at(name)) {
      const std::string run = "run " + std::to_string(curve->run);
      loss.push_back({run, curve->epoch, curve->loss});
      if (!curve->metric.empty()) metric.push_back({run, curve->epoch, curve->metric});
    }
    text += line_chart({.title = name + ": loss", .x_label = "epoch", .y_label = "loss"}, loss);
    if (!metric.empty()) {
      text += line_chart({.title = name + ": selection metric", .x_label = "epoch", .y_label = "Recall@10"}, metric);
    }
  }
  return text + "</div>\n";
}

std::string times(const ReportContent& content) {
  if (content.times.empty()) return "";
  std::vector<Row> rows = {{{"data set"}, {"recommender"}, {"stage"}, {"times"}, {"seconds"}, {"seconds each"}}};
  for (const StageTime& one : content.times) {
    rows.push_back({{escape_html(one.dataset)},
                    {escape_html(shown_recommender(one.recommender))},
                    {escape_html(one.stage)},
                    {std::to_string(one.times)},
                    {fixed(one.seconds, 1)},
                    {fixed(one.seconds / one.times, 2)}});
  }
  return heading(2, "Times", "times") + html_table(rows, 3);
}

std::string origin(const ReportContent& content) {
  if (content.origin.empty()) return "";
  std::vector<Row> rows = {{{"what"}, {"value"}}};
  for (const auto& [name, value] : content.origin) rows.push_back({{escape_html(name)}, {escape_html(value), "wide"}});
  return heading(2, "How every number was made", "origin") + html_table(rows, 2);
}

}  // namespace

std::string html_report(const ReportContent& content) {
  const std::string title = "SDRM reproduced: protocol " + content.options.protocol;
  const std::array<std::pair<const char*, std::string>, 8> sections = {{{"tables", main_tables(content)},
                                                                        {"gain", gains(content)},
                                                                        {"comparisons", comparison_section(content)},
                                                                        {"failed", failed(content)},
                                                                        {"training", curves(content)},
                                                                        {"all", all_cutoffs(content)},
                                                                        {"times", times(content)},
                                                                        {"origin", origin(content)}}};
  std::string body = "<header>\n" + heading(1, title);
  if (content.quick) {
    body +=
        "<p class=\"headline below\">Made with --quick: a few epochs each. The figures show that everything runs, not how good "
        "anything is.</p>\n";
  }
  if (!content.headline.empty()) body += "<p class=\"headline\">" + escape_html(content.headline) + "</p>\n";
  const std::string counts = verdict_counts(content.cells, content.options);
  if (!counts.empty()) body += "<p class=\"headline\">" + escape_html(counts) + "</p>\n";
  body += "<nav><ul>\n";
  for (const auto& [id, text] : sections) {
    if (!text.empty()) body += std::string("<li><a href=\"#") + id + "\">" + id + "</a></li>\n";
  }
  body += "</ul></nav>\n</header>\n<main>\n";
  for (const auto& section : sections) {
    if (!section.second.empty()) body += "<section>\n" + section.second + "</section>\n";
  }
  return html_page(title, body + "</main>\n");
}

}  // namespace tapestry::recsys
