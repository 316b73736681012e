#include <algorithm>

#include "recsys/report/published.h"
#include "recsys/report/sections.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

TableCell beside(std::int64_t ours, const std::optional<PublishedDataset>& printed, std::int64_t PublishedDataset::*figure) {
  TableCell cell = {count_text(static_cast<double>(ours))};
  if (printed) cell.below = "printed " + count_text(static_cast<double>((*printed).*figure));
  return cell;
}

TableCell reported(const DatasetFigures& one) {
  TableCell cell = {count_text(static_cast<double>(one.reported))};
  for (const auto& [recommender, users] : one.fewer) {
    cell.below +=
        (cell.below.empty() ? "" : ", ") + shown_recommender(recommender) + " " + count_text(static_cast<double>(users));
  }
  return cell;
}

}  // namespace

Section dataset_section(const ReportContent& content) {
  Section section("data", "The data sets (table 1)");
  if (content.datasets.empty()) return section;
  TableRows rows = {{{"data set"}, {"users"}, {"items"}, {"stored"}, {"likes"}, {"density"}, {"users of D"}, {"reported users"}}};
  bool exchanged = false, any_printed = false;
  for (const DatasetFigures& one : content.datasets) {
    const std::vector<std::string>& others = content.options.other_data;
    const bool papers = std::find(others.begin(), others.end(), one.dataset) == others.end();
    const std::optional<PublishedDataset> printed = papers ? published_dataset(one.dataset) : std::nullopt;
    any_printed = any_printed || printed.has_value();
    exchanged = exchanged || (printed && printed->users == one.items && printed->items == one.users);
    const double places = static_cast<double>(one.users) * static_cast<double>(one.items);
    rows.push_back({{one.dataset},
                    beside(one.users, printed, &PublishedDataset::users),
                    beside(one.items, printed, &PublishedDataset::items),
                    beside(one.stored, printed, &PublishedDataset::ratings),
                    {count_text(static_cast<double>(one.likes))},
                    {percent_text(places > 0 ? 100 * static_cast<double>(one.stored) / places : 0)},
                    {count_text(shape_statistics(as_numbers(one.shape.users_by_length)).total)},
                    reported(one)});
  }
  std::string text =
      "Stored entries are likes and dislikes; density is their share of all users times items. D are the users that the "
      "generators imitate and that augment adds to; reported users are those whose held-out items every figure is over.";
  if (content.options.with_folds()) {
    text +=
        " Every run has another fold of the users to report and another D: here the D of the first run, and the reported users "
        "of all runs.";
  }
  if (any_printed) text += " The paper counts stored entries as ratings.";
  if (exchanged) text += " Where both differ, the paper prints the users and items of a data set in each other's place.";
  section.paragraph(text);
  section.table(rows, 1);
  return section;
}

}  // namespace tapestry::recsys
