#include "recsys/report/sections.h"
#include "recsys/report/svg_chart.h"
#include "recsys/report/text.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// A line of the charts: the real users or a generator's.
struct Shape {
  std::string name, generator;
  std::vector<double> users_by_length, items_by_users;
};

using Counts = std::vector<double> Shape::*;

std::string chart(const std::vector<Shape>& shapes, Counts counts, bool family, const std::string& title,
                  const std::string& x_label, const std::string& y_label) {
  std::size_t largest = 1;
  for (const Shape& one : shapes) largest = std::max(largest, (one.*counts).size());
  const std::vector<SizeBin> bins = size_bins(static_cast<int>(largest) - 1);
  std::vector<double> middles;
  middles.reserve(bins.size());
  for (const SizeBin& bin : bins) middles.push_back(bin.middle());
  std::vector<Series> series;
  int colour = 0;
  for (const Shape& one : shapes) {
    const bool real = one.generator.empty();
    if (!real && is_sdrm_family(one.generator) != family) continue;
    series.push_back({one.name, middles, bin_densities(one.*counts, bins), real, real ? kRealUsersColour : colour++});
  }
  return line_chart(
      {.title = title, .x_label = x_label, .y_label = y_label, .x_scale = Scale::kLogarithmic, .y_scale = Scale::kLogarithmic},
      series);
}

std::vector<std::string> charts(const std::vector<Shape>& shapes, const std::string& where) {
  std::vector<std::string> pictures;
  for (const bool family : {true, false}) {
    const bool any = std::any_of(shapes.begin(), shapes.end(), [&](const Shape& one) {
      return !one.generator.empty() && is_sdrm_family(one.generator) == family;
    });
    if (!any) continue;
    const std::string who = concat(family ? ": SDRM and MultiVAE++, " : ": the other generators, ", where);
    pictures.push_back(chart(shapes, &Shape::users_by_length, family, "Items per user" + who, "items of a user", "percent"));
    pictures.push_back(chart(shapes, &Shape::items_by_users, family, "Users per item" + who, "users of an item", "percent"));
  }
  return pictures;
}

TableRows statistics_rows(const std::vector<Shape>& shapes, Counts counts, const std::string& what) {
  TableRows rows = {{{"from"}, {what}, {"mean"}, {"10 %"}, {"median"}, {"90 %"}, {"most"}, {"below five"}, {"none"}}};
  for (const Shape& one : shapes) {
    const ShapeStatistics found = shape_statistics(one.*counts);
    const auto percent = [&](double count) { return percent_text(found.total > 0 ? 100 * count / found.total : 0); };
    rows.push_back({{one.name},
                    {count_text(found.total)},
                    {fixed(found.mean, 2)},
                    {std::to_string(found.low)},
                    {std::to_string(found.median)},
                    {std::to_string(found.high)},
                    {std::to_string(found.most)},
                    {percent(found.few)},
                    {percent(found.none)}});
  }
  return rows;
}

}  // namespace

Section shape_section(const ReportContent& content) {
  Section section("shapes", "Are they spread like real ones? (Figure 3)");
  if (content.synthetic.empty()) return section;
  section.paragraph(
      "How many items users have, and how many users items have, in D (real, dashed) and in the synthetic users, means over "
      "runs. "
      "Both axes are logarithmic; sizes are put together in six groups to a power of ten, and a point is the percent for "
      "each single size in its group. Who has nothing at all is in the tables only: the number that a tenth, half and nine "
      "tenths do not exceed, the largest, and the percent below five and without any. The largest of several runs is the largest "
      "in any.");
  bool first = true;
  for (const std::string& dataset : names_of(content.synthetic, &SyntheticFigures::dataset)) {
    for (const std::string& recommender : names_of(content.synthetic, &SyntheticFigures::recommender)) {
      std::vector<Shape> shapes;
      for (const DatasetFigures& one : content.datasets) {
        if (one.dataset != dataset) continue;
        shapes.push_back({"real", "", as_numbers(one.shape.users_by_length), as_numbers(one.shape.items_by_users)});
      }
      const std::size_t real = shapes.size();
      for (const SyntheticFigures& one : content.synthetic) {
        if (one.dataset != dataset || one.recommender != recommender) continue;
        const std::string runs = one.failed() ? " (" + runs_text(one) + ")" : "";
        shapes.push_back({shown_generator(one.generator) + runs, one.generator, one.users_by_length, one.items_by_users});
      }
      if (shapes.size() == real) continue;
      const std::string where = dataset + ", " + shown_recommender(recommender);
      section.fold(where, first, [&] {
        section.charts(charts(shapes, where));
        section.paragraph("Items per user:");
        section.table(statistics_rows(shapes, &Shape::users_by_length, "users"), 1);
        section.paragraph("Users per item:");
        section.table(statistics_rows(shapes, &Shape::items_by_users, "items"), 1);
      });
      first = false;
    }
  }
  return section;
}

}  // namespace tapestry::recsys
