#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "recsys/report/improvement.h"
#include "recsys/report/sections.h"
#include "recsys/report/svg_chart.h"
#include "recsys/report/text.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

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
    Series ours = {setting + ", ours", {}, {}, false, colour},
           printed = {setting + ", printed", {}, {}, true, colour};  // of the same combinations
    for (const AverageImprovement& one : averages) {
      if (one.setting != setting || one.of != kBetterOfTwo || !one.metric.starts_with(kind)) continue;
      const int k = cutoff_of(one.metric);
      ours.x.push_back(k);
      ours.y.push_back(one.percent);
      if (one.published_same) {
        printed.x.push_back(k);
        printed.y.push_back(*one.published_same);
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

TableCell gain_cell(double percent, const Interval& interval, std::optional<Verdict> found, const std::string& printed) {
  TableCell cell = {fixed(percent, 1) + " %", printed};
  show(cell, found);
  if (std::isfinite(interval.low)) {
    cell.below = fixed(interval.low, 1) + " to " + fixed(interval.high, 1) + (printed.empty() ? "" : "\n" + printed);
  }
  return cell;
}

TableCell gain_cell(const Improvement& one) {
  return gain_cell(one.percent, interval_of(one), verdict(one), one.published ? "printed " + fixed(*one.published, 2) : "");
}

/// Where ours is over fewer figures, the mean of what is printed for these stands beside the paper's own mean.
TableCell gain_cell(const AverageImprovement& one) {
  std::string printed = one.published ? "printed " + fixed(*one.published, 2) : "";
  if (one.published_same && !one.whole) printed += "\nof these " + fixed(*one.published_same, 2);
  return gain_cell(one.percent, one.interval, verdict(one), printed);
}

/// A row's cells, one for each metric of the heading; a gain over nothing is none.
template <typename Gain>
class GainRow {
 public:
  explicit GainRow(std::vector<std::string> metrics) : metrics_(std::move(metrics)) {}

  /// Starts the row of `heading` if it is not the last one, which its first `keys` cells tell.
  void begin(TableRows& rows, const std::vector<TableCell>& heading, std::ptrdiff_t keys) const {
    const auto same = [](const TableCell& a, const TableCell& b) { return a.text == b.text && a.below == b.below; };
    if (std::equal(heading.begin(), heading.begin() + keys, rows.back().begin(), same)) return;
    rows.push_back(heading);
    rows.back().resize(heading.size() + metrics_.size(), TableCell{"–"});
  }
  void put(TableRows& rows, std::size_t heading, const Gain& gain) const {
    const auto found = std::find(metrics_.begin(), metrics_.end(), gain.metric);
    rows.back()[heading + static_cast<std::size_t>(found - metrics_.begin())] = gain_cell(gain);
  }

 private:
  std::vector<std::string> metrics_;
};

/// Table 6, or the means over cut-offs: metrics across, settings down, in each the better of the two first.
TableRows average_rows(const std::vector<AverageImprovement>& averages) {
  const std::vector<std::string> metrics = names_of(averages, &AverageImprovement::metric);
  TableRows rows = {{{"setting"}, {"gain of"}, {"combinations"}}};
  for (const std::string& metric : metrics) rows[0].push_back({metric});
  const GainRow<AverageImprovement> row(metrics);
  for (const std::string& setting : names_of(averages, &AverageImprovement::setting)) {
    for (const std::string& of : names_of(averages, &AverageImprovement::of)) {
      for (const AverageImprovement& one : averages) {
        if (one.setting != setting || one.of != of) continue;
        row.begin(rows, {{setting}, {of == kBetterOfTwo ? of : shown_generator(of)}, {std::to_string(one.combinations)}}, 2);
        row.put(rows, 3, one);
      }
    }
  }
  return rows;
}

/// Tables 7 and 8, of the better of the two: metrics across; data sets, recommenders and settings down, in one column so that all
/// of it fits a screen.
TableRows single_rows(const std::vector<Improvement>& all) {
  const std::vector<std::string> metrics = names_of(all, &Improvement::metric);
  TableRows rows = {{{"data set", "recommender, setting"}}};
  for (const std::string& metric : metrics) rows[0].push_back({metric});
  const GainRow<Improvement> row(metrics);
  for (const Improvement& one : all) {
    if (one.of != kBetterOfTwo) continue;
    row.begin(rows, {{one.dataset, shown_recommender(one.recommender) + ", " + one.setting}}, 1);
    row.put(rows, 1, one);
  }
  return rows;
}

/// "SDRM is ahead in 16 of 18, and of what is printed for these in 17."
std::string ahead_text(const std::vector<Improvement>& leads) {
  int ahead = 0, printed = 0, printed_ahead = 0;
  for (const Improvement& one : leads) {
    ahead += one.percent > 0 ? 1 : 0;
    printed += one.published ? 1 : 0;
    printed_ahead += one.published && *one.published > 0 ? 1 : 0;
  }
  const std::string text = concat("SDRM is ahead of all of them in ", ahead, " of ", leads.size());
  return text + (printed == 0 ? "." : concat(", in what is printed for these in ", printed_ahead, " of ", printed, "."));
}

}  // namespace

Section gain_section(const ReportContent& content) {
  Section section("gain", "The gain of SDRM over MultiVAE++ (Figure 2, tables 6 to 8)");
  const std::vector<Improvement> all = improvements(content.cells, content.options);
  if (all.empty()) return section;
  // By setting, since a data set has both one after the other.
  std::vector<AverageImprovement> averages = average_improvements(all);
  std::stable_sort(averages.begin(), averages.end(), [](const auto& a, const auto& b) { return a.setting < b.setting; });
  section.paragraph(
      "The better of F-SDRM and M-SDRM against MultiVAE++, in percent of the latter, each a mean over runs, as the paper "
      "computes it. Taking the better of two noisy figures gives a gain above zero even where all three are alike. In the tables "
      "the 95 % interval stands below (Student's t over runs, of the ratio to first order); that it was the better of two is not "
      "in it. In the means each of the two stands by itself as well, without that advantage. " +
      std::string(content.options.with_folds()
                      ? "Each run reports the users of its fold; that folds share training users is not in the intervals."
                      : "The intervals speak of other runs on the same reported users, not of other users."));
  const auto over_k = [](const Improvement& one) { return one.recommender == "neumf" && one.metric.starts_with("NDCG"); };
  if (content.options.compare && std::any_of(all.begin(), all.end(), over_k)) {
    section.paragraph(
        "NeuMF's gains in NDCG are of the form in which its NDCG was printed (NDCG-k under all cut-offs), in the means too.");
  }
  if (const std::string fewer = fewer_combinations(averages); !fewer.empty()) {
    section.paragraph("Ours is the mean over " + fewer + (fewer == "1" ? " combination" : " combinations") +
                      " of data set and recommender, and so are the printed figures in the charts; the paper's own mean, in the "
                      "table, is over 12.");
  }
  if (std::any_of(all.begin(), all.end(), [](const Improvement& one) { return verdict(one).has_value(); })) {
    section.paragraph(
        "Reproduced (✓): what is printed, or the mean of what is printed for these combinations, lies in our interval; else ours "
        "lies above (↑) or below (↓) it. The paper prints no deviations of gains.");
  }
  section.charts({gain_chart(averages, "Recall@"), gain_chart(averages, "NDCG@")});
  section.fold("Means over all cut-offs (the abstract, and the caption of Figure 2)", true,
               [&] { section.table(average_rows(overall_improvements(all)), 2); });
  // One mean can hide gains here and losses there.
  if (const std::vector<std::string> datasets = names_of(all, &Improvement::dataset); datasets.size() > 1) {
    section.fold("The same of each data set", false, [&] {
      for (const std::string& dataset : datasets) {
        std::vector<Improvement> some;
        std::copy_if(all.begin(), all.end(), std::back_inserter(some),
                     [&](const Improvement& one) { return one.dataset == dataset; });
        section.heading(dataset);
        section.table(average_rows(overall_improvements(some)), 2);
      }
    });
  }
  if (const std::vector<Improvement> ahead = leads(content.cells, content.options); !ahead.empty()) {
    section.fold("Lead over the best of all other rows (the captions of tables 3 and 4)", false, [&] {
      section.paragraph(
          "The better of F-SDRM and M-SDRM against the best of the original users and the six other generators, on Recall@10 and "
          "NDCG@10, where all nine are there. " +
          ahead_text(ahead));
      section.table(average_rows(average_leads(ahead)), 2);
    });
  }
  section.fold("Means over data sets and recommenders (table 6)", false, [&] { section.table(average_rows(averages), 2); });
  section.fold("By data set and recommender (tables 7 and 8)", false, [&] { section.table(single_rows(all), 1); });
  return section;
}

}  // namespace tapestry::recsys
