#include <algorithm>
#include <numeric>

#include "recsys/report/published_similarity.h"
#include "recsys/report/sections.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

using Histogram = std::array<double, kSimilarityBins>;

std::string bin_text(int bin) { return fixed(bin / 10.0, 1) + " to " + fixed((bin + 1) / 10.0, 1); }

TableCell share_cell(double count, double total) {
  return {percent_text(total > 0 ? 100 * count / total : 0), count_text(count)};
}

double total_of(const Histogram& counts) { return std::accumulate(counts.begin(), counts.end(), 0.0); }

/// Table 5: similarities down, generators across, the paper's beside ours where it prints them.
TableRows pair_rows(const std::vector<SyntheticFigures>& generators, bool compare) {
  TableRows rows = {{{"similarity"}}};
  for (int bin = 0; bin < kSimilarityBins; ++bin) rows.push_back({{bin_text(bin)}});
  for (const SyntheticFigures& one : generators) {
    rows[0].push_back({shown_generator(one.generator), runs_text(one)});
    const double total = total_of(one.pairs);
    const bool beside = compare && published_pairs(one.dataset, one.generator, 0);
    for (int bin = 0; bin < kSimilarityBins; ++bin) {
      TableCell cell = share_cell(one.pairs[static_cast<std::size_t>(bin)], total);
      if (beside) show(cell, pairs_verdict(one, bin));
      rows[static_cast<std::size_t>(bin) + 1].push_back(std::move(cell));
    }
    if (!beside) continue;
    rows[0].push_back({shown_generator(one.generator), "printed"});
    double printed = 0;
    for (int bin = 0; bin < kSimilarityBins; ++bin) {
      printed += static_cast<double>(published_pairs(one.dataset, one.generator, bin).value_or(0));
    }
    for (int bin = 0; bin < kSimilarityBins; ++bin) {
      const auto count = static_cast<double>(published_pairs(one.dataset, one.generator, bin).value_or(0));
      rows[static_cast<std::size_t>(bin) + 1].push_back(share_cell(count, printed));
    }
  }
  return rows;
}

/// Real users whom D does not have and generators down, similarity of the nearest user of D across.
TableRows nearest_rows(const SyntheticFigures* strangers, const std::vector<SyntheticFigures>& generators) {
  TableRows rows = {{{"generator"}, {"users"}, {"copies"}}};
  for (int bin = 0; bin < kSimilarityBins; ++bin) rows[0].push_back({bin_text(bin)});
  const auto add = [&](const TableCell& name, const SyntheticFigures& one) {
    const double users = total_of(one.nearest);
    rows.push_back({name, {count_text(users)}, share_cell(one.copies, users)});
    for (const double count : one.nearest) rows.back().push_back({percent_text(users > 0 ? 100 * count / users : 0)});
  };
  if (strangers != nullptr) add({"real users outside D"}, *strangers);
  for (const SyntheticFigures& one : generators) add({shown_generator(one.generator), runs_text(one)}, one);
  return rows;
}

/// Null where they were not looked at.
const SyntheticFigures* strangers_of(const ReportContent& content, const std::string& dataset) {
  const auto found = std::find_if(content.datasets.begin(), content.datasets.end(),
                                  [&](const DatasetFigures& one) { return one.dataset == dataset && one.strangers.runs > 0; });
  return found == content.datasets.end() ? nullptr : &found->strangers;
}

}  // namespace

Section similarity_section(const ReportContent& content) {
  Section section("similarity", "Do synthetic users copy real ones? (table 5)");
  if (content.synthetic.empty()) return section;
  section.paragraph(
      "Jaccard similarity of every synthetic with every real user of D: percent of the pairs, then their number, means "
      "over runs. Two users drawn at random mostly have little in common, so that this histogram says little about privacy.");
  section.paragraph(
      "What a copy would give away is seen at the nearest real user: for each generator, percent of the synthetic users by the "
      "similarity to the real user who is most like them, and copies, who have exactly a real user's items. The first row is the "
      "yardstick: real users whom D does not have, the reported ones. What is a copy among them is so by chance, or because the "
      "data hold users who are alike; many more are a sign of copying, or of a generator that draws a frequent row too often." +
      std::string(content.options.with_folds() ? " With folds it is of the first fold." : ""));
  if (std::any_of(content.synthetic.begin(), content.synthetic.end(), [](const auto& one) { return one.failed(); })) {
    section.paragraph(
        "Where fewer runs are named than were asked for, the others failed: the means are over those that did not, and "
        "no verdict is given on them.");
  }
  bool first = true;
  for (const std::string& dataset : names_of(content.synthetic, &SyntheticFigures::dataset)) {
    for (const std::string& recommender : names_of(content.synthetic, &SyntheticFigures::recommender)) {
      std::vector<SyntheticFigures> generators;
      std::copy_if(content.synthetic.begin(), content.synthetic.end(), std::back_inserter(generators),
                   [&](const SyntheticFigures& one) { return one.dataset == dataset && one.recommender == recommender; });
      if (generators.empty()) continue;
      section.fold(dataset + ", " + shown_recommender(recommender), first, [&] {
        const bool printed =
            content.options.compares(dataset) && std::any_of(generators.begin(), generators.end(), [](const auto& one) {
              return published_pairs(one.dataset, one.generator, 0).has_value();
            });
        section.paragraph(
            printed ? "All pairs; reproduced (✓): the printed number lies in the 95 % interval for our mean over runs, else "
                      "ours lies above (↑) or below (↓) it. The paper does not say which recommender's hyperparameters "
                      "its table 5 was made with:"
                    : "All pairs:");
        section.table(pair_rows(generators, content.options.compares(dataset)), 1);
        section.paragraph("The nearest real user:");
        section.table(nearest_rows(strangers_of(content, dataset), generators), 1);
      });
      first = false;
    }
  }
  return section;
}

}  // namespace tapestry::recsys
