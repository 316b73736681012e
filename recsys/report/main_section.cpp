#include <algorithm>
#include <array>
#include <cmath>

#include "recsys/metrics/ranking.h"
#include "recsys/report/published.h"
#include "recsys/report/sections.h"
#include "recsys/report/text.h"
#include "recsys/report/verdict.h"

namespace tapestry::recsys {
namespace {

/// The cell that a metric of the paper's tables is compared with: NeuMF's NDCG@k in the form the paper printed, where there is
/// one.
const Cell* find_printed(const std::vector<Cell>& cells, const std::string& dataset, const std::string& recommender,
                         const std::string& setting, const std::string& generator, const std::string& metric) {
  const auto printed = [&](const Cell& cell) {
    return cell.generator == generator && cell.recommender == recommender && cell.setting == setting && cell.dataset == dataset &&
           printed_metric(recommender, cell.metric) == metric;
  };
  const auto found = std::find_if(cells.begin(), cells.end(), printed);
  return found == cells.end() ? find_cell(cells, dataset, recommender, setting, generator, metric) : &*found;
}

std::string printed_text(const PublishedFigure& printed) {
  return "printed " + fixed(printed.mean, 4) + " ± " + fixed(printed.std, 3);
}

TableCell figure_cell(const Cell* cell, const std::optional<PublishedFigure>& printed, const ReportOptions& options) {
  if (cell == nullptr) {
    TableCell missing = {"–"};
    if (printed) missing.below = printed_text(*printed);
    return missing;
  }
  const Summary summary = summarise(*cell, options);
  TableCell shown = {mean_text(*cell, summary)};
  shown.below = summary.published ? printed_text(*summary.published) : interval_text(summary.interval);
  show(shown, verdict(summary));
  return shown;
}

std::string verdict_key() {
  std::string text = "<p class=\"key\">";
  for (const Verdict one : kVerdicts) {
    text += concat("<span class=\"", style_of(one), "\">", mark_of(one), " ", to_string(one), "</span>");
  }
  return text + "</p>\n";
}

}  // namespace

/// Generators down, data sets and the two metrics across, one table for each recommender and setting.
Section main_section(const ReportContent& content) {
  constexpr std::array kShown = {"Recall@10", "NDCG@10"};
  Section section("tables", content.options.compare ? "Ours beside the paper's tables 3 and 4" : "Results at 10");
  if (content.cells.empty()) return section;
  if (content.options.compare) {
    section.paragraph(
        "First our mean ± population standard deviation over runs, then what the paper prints or, where it prints nothing, "
        "the 95 % interval. Reproduced (✓): the printed mean, to its four decimals, lies in our 95 % interval for the mean; "
        "within 3 sd (≈): not that, but our mean lies within three printed standard deviations of a run, which is more than four "
        "standard errors of such a difference of means; above (↑), below (↓): further away; –: not computed.");
    section.html_only(verdict_key());
  } else {
    const bool strict = content.options.protocol.starts_with("strict");
    section.paragraph(
        std::string("Mean ± population standard deviation over runs") +
        (content.options.with_folds() ? ", each of which reports the users of one fold" : "") + ", then the 95 % " +
        (strict
             ? "bootstrap interval over users and fits, with folds over folds (Student's t below five folds, or five fits that "
               "vary)."
             : "interval for the mean over runs (Student's t)."));
  }
  if (has_ndcg_over_k(content.cells)) {
    section.paragraph(
        "NeuMF's NDCG@10 is here in the form in which it was printed, which counts a user who holds out fewer than ten items as "
        "if he held out ten, and cannot be compared with the other recommenders' NDCG@10. NeuMF's in their form "
        "stands under all cut-offs, where the printed form is called NDCG-k@10.");
  }
  const std::vector<std::string> datasets = names_of(content.cells, &Cell::dataset);
  for (const std::string& setting : names_of(content.cells, &Cell::setting)) {
    for (const std::string& recommender : names_of(content.cells, &Cell::recommender)) {
      TableRows rows = {{{"generator"}}};
      for (const std::string& dataset : datasets) {
        for (const char* metric : kShown) rows[0].push_back({dataset, metric});
      }
      for (const std::string& generator : names_of(content.cells, &Cell::generator)) {
        std::vector<TableCell> row = {{shown_generator(generator)}};
        for (const std::string& dataset : datasets) {
          for (const char* metric : kShown) {
            row.push_back(figure_cell(find_printed(content.cells, dataset, recommender, setting, generator, metric),
                                      content.options.compares(dataset)
                                          ? published_figure(setting, recommender, dataset, generator, metric)
                                          : std::nullopt,
                                      content.options));
          }
        }
        rows.push_back(std::move(row));
      }
      section.heading(shown_recommender(recommender) + ", " + setting);
      section.table(rows, 1);
    }
  }
  return section;
}

/// Every cut-off, folded away by data set.
Section metric_section(const ReportContent& content) {
  Section section("all", "Recall and NDCG at every cut-off");
  std::vector<std::string> metrics;
  for (const std::string& metric : names_of(content.cells, &Cell::metric)) {
    if (is_ranking_metric(metric)) metrics.push_back(metric);
  }
  if (metrics.empty()) return section;
  if (has_ndcg_over_k(content.cells)) {
    section.paragraph(
        "NDCG@k is the form that can be compared between recommenders. NDCG-k@k is that in which NeuMF's results were printed: "
        "its ideal ranking has k hits, however few items a user holds out.");
  }
  for (const std::string& dataset : names_of(content.cells, &Cell::dataset)) {
    TableRows rows = {{{"recommender"}, {"setting"}, {"generator"}}};
    for (const std::string& metric : metrics) rows[0].push_back({metric});
    std::string last;
    for (const Cell& cell : content.cells) {
      const std::string key = cell.recommender + "/" + cell.setting + "/" + cell.generator;
      if (cell.dataset != dataset || key == last) continue;
      last = key;
      rows.push_back({{shown_recommender(cell.recommender)}, {cell.setting}, {shown_generator(cell.generator)}});
      for (const std::string& metric : metrics) {
        const Cell* found = find_cell(content.cells, dataset, cell.recommender, cell.setting, cell.generator, metric);
        TableCell& shown = rows.back().emplace_back(TableCell{"–"});
        if (found == nullptr) continue;
        const Summary summary = summarise(*found, {.compare = false});
        shown.text = std::isfinite(summary.mean) ? fixed(summary.mean, 4) : found->failed ? "failed" : "–";
        if (found->runs.size() > 1 && std::isfinite(summary.std)) shown.below = "± " + fixed(summary.std, 4);
      }
    }
    section.fold(dataset, false, [&] { section.table(rows, 3); });
  }
  return section;
}

}  // namespace tapestry::recsys
