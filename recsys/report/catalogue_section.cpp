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

}  // namespace

Section catalogue_section(const ReportContent& content) {
  Section section("catalogue", "What the recommendations do to the catalogue");
  if (std::none_of(content.cells.begin(), content.cells.end(), is_shown)) return section;
  section.paragraph(
      "Of lists of ten, mean ± population standard deviation over runs; below, the 95 % interval. Coverage: share of all items "
      "that anybody is shown. Gini: 0 when all items are shown equally often, near 1 when it is always the same ones. Novelty: "
      "bits of surprise of a recommended item; the more, the fewer real users have it. Head, mid and tail recall: on the "
      "held-out items of the most, middle and least popular third of the items alone.");
  for (const std::string& dataset : names_of(content.cells, &Cell::dataset)) {
    section.fold(dataset, dataset == content.cells.front().dataset, [&] {
      TableRows rows = {{{"recommender"}, {"setting"}, {"generator"}}};
      for (const Column& column : kColumns) rows[0].push_back({column.title});
      std::string last;
      for (const Cell& cell : content.cells) {
        const std::string key = cell.recommender + "/" + cell.setting + "/" + cell.generator;
        if (cell.dataset != dataset || !is_shown(cell) || key == last) continue;
        last = key;
        rows.push_back({{shown_recommender(cell.recommender)}, {cell.setting}, {shown_generator(cell.generator)}});
        for (const Column& column : kColumns) {
          const Cell* found = find_cell(content.cells, dataset, cell.recommender, cell.setting, cell.generator, column.metric);
          if (found == nullptr) {
            rows.back().push_back({"–"});
            continue;
          }
          const Summary summary = summarise(*found, {.compare = false});
          rows.back().push_back({mean_text(*found, summary), interval_text(summary.interval)});
        }
      }
      section.table(rows, 3);
    });
  }
  return section;
}

}  // namespace tapestry::recsys
