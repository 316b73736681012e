#include <cmath>

#include "recsys/report/sections.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

std::string found_text(const std::vector<double>& runs) {
  if (!std::isfinite(mean(runs))) return "–";
  return fixed(mean(runs), 4) + (runs.size() > 1 ? " ± " + fixed(population_std(runs), 4) : "");
}

}  // namespace

Section alike_section(const ReportContent& content) {
  Section section("alike", "Users who are alike");
  if (content.alike.empty()) return section;
  const bool folds = content.options.with_folds();
  section.paragraph(
      "Some data hold one user many times over: people who like exactly the same items. Whatever ranks these items for such a "
      "user finds all that is held out, so that a mean over users counts them, and what is done for everybody else is seen "
      "without them. Recall@10, mean ± population standard deviation over runs:");
  for (const DatasetFigures& one : content.datasets) {
    TableRows rows = {{{"recommender"}, {"setting"}, {"users from"}, {"all"}, {"those who are alike"}, {"everybody else"}}};
    for (const AlikeFigures& found : content.alike) {
      if (found.dataset != one.dataset) continue;
      rows.push_back({{shown_recommender(found.recommender)},
                      {found.setting},
                      {shown_generator(found.generator)},
                      {found_text(found.all)},
                      {found_text(found.alike)},
                      {found_text(found.others)}});
    }
    if (rows.size() == 1) continue;
    section.paragraph(concat(one.dataset, ": ", count_text(static_cast<double>(one.alike.users)), " of the ",
                             count_text(static_cast<double>(one.users)), " users like the same ", one.alike.items, " items, ",
                             count_text(static_cast<double>(one.alike.of_train)),
                             folds ? " of them in the D of the first run and " : " of them in D and ",
                             count_text(static_cast<double>(one.alike.reported)),
                             folds ? " among the reported users of all runs." : " among the reported users."));
    section.table(rows, 3);
  }
  return section;
}

}  // namespace tapestry::recsys
