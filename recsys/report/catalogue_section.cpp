#include "recsys/report/sections.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

struct Column {
  const char *metric, *title;
};
constexpr Column kColumns[] = {{"Coverage@10", "coverage"},     {"Gini@10", "Gini"},
                               {"Novelty@10", "novelty, bits"}, {"Recall-head@10", "head recall"},
                               {"Recall-mid@10", "mid recall"}, {"Recall-tail@10", "tail recall"}};

bool is_shown(const Cell& cell) {
  return std::any_of(std::begin(kColumns), std::end(kColumns),
                     [&](const Column& column) { return cell.metric == column.metric; });
}

/// Generators down, measures across; the headings alone when there is no generator.
TableRows rows_of(const std::vector<Cell>& cells, const std::string& dataset, const std::string& recommender,
                  const std::string& setting) {
  TableRows rows = {{{"generator"}}};
  for (const Column& column : kColumns) rows[0].push_back({column.title});
  for (const std::string& generator : names_of(cells, &Cell::generator)) {
    std::vector<TableCell> row = {{shown_generator(generator)}};
    bool any = false;
    for (const Column& column : kColumns) {
      const Cell* found = find_cell(cells, dataset, recommender, setting, generator, column.metric);
      any = any || found != nullptr;
      const Summary summary = found == nullptr ? Summary{} : summarise(*found, {.compare = false});
      row.push_back(found == nullptr ? TableCell{"–"} : TableCell{mean_text(*found, summary), interval_text(summary.interval)});
    }
    if (any) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Section catalogue_section(const ReportContent& content) {
  Section section("catalogue", "What the recommendations do to the catalogue");
  if (std::none_of(content.cells.begin(), content.cells.end(), is_shown)) return section;
  std::string text =
      "Of lists of ten, mean ± population standard deviation over runs, then the 95 % interval. Coverage: share of all items "
      "that anybody is shown. Gini: 0 when all items are shown equally often, near 1 when it is always the same ones. Novelty: "
      "bits of surprise of a recommended item; the more, the fewer real users have it. Head, mid and tail recall: on the "
      "held-out items of the most, middle and least popular third of the items alone.";
  if (content.options.with_folds()) {
    text +=
        " With folds, coverage and Gini are those of one fold's lists in each run: fewer users are shown fewer items, so that "
        "these two cannot be compared with those of runs without folds.";
  }
  section.paragraph(text);
  for (const std::string& dataset : names_of(content.cells, &Cell::dataset)) {
    section.fold(dataset, dataset == content.cells.front().dataset, [&] {
      for (const std::string& recommender : names_of(content.cells, &Cell::recommender)) {
        for (const std::string& setting : names_of(content.cells, &Cell::setting)) {
          const TableRows rows = rows_of(content.cells, dataset, recommender, setting);
          if (rows.size() == 1) continue;
          section.heading(shown_recommender(recommender) + ", " + setting);
          section.table(rows, 1);
        }
      }
    });
  }
  return section;
}

}  // namespace tapestry::recsys
