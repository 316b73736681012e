#include <map>

#include "recsys/report/sections.h"
#include "recsys/report/svg_chart.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

std::string name_of(const TrainingCurve& curve) {
  return curve.dataset + ", " + shown_recommender(curve.recommender) + ", " + curve.stage;
}

std::vector<std::string> charts_of(const Runs& runs) {
  std::vector<Series> loss, metric;
  for (const TrainingCurve* curve : runs) {
    const std::string run = "run " + std::to_string(curve->run);
    loss.push_back(loss_line(*curve, run));
    if (!curve->metric.empty()) metric.push_back(metric_line(*curve, run));
  }
  const std::string name = name_of(*runs.front());
  std::vector<std::string> pictures = {line_chart({.title = name + ": loss", .x_label = "epoch", .y_label = "loss"}, loss)};
  if (!metric.empty()) {
    pictures.push_back(
        line_chart({.title = name + ": selection metric", .x_label = "epoch", .y_label = metric_of(*runs.front())}, metric));
  }
  return pictures;
}

/// Where the curves begin and end, means over runs.
std::vector<TableCell> summary_row(const Runs& runs) {
  const std::string best = fixed(mean_over(runs, best_metric), 4);
  return {{shown_recommender(runs.front()->recommender)},
          {runs.front()->stage},
          {std::to_string(runs.size())},
          {fixed(mean_over(runs, epochs_of), 1)},
          {fixed(mean_over(runs, first_loss), 4)},
          {fixed(mean_over(runs, last_loss), 4)},
          {best.empty() ? "–" : metric_of(*runs.front()) + " " + best}};
}

}  // namespace

/// Folded away by data set.
Section training_section(const ReportContent& content) {
  Section section("training", "Training");
  if (content.curves.empty()) return section;
  section.paragraph(
      "What the generators' trainings reported, epoch by epoch: vae_fit and sdrm_fit are the MultiVAE and the diffusion model of "
      "SDRM, fitted for each recommender with hyperparameters of its own; generators under \"all\" are the same for every "
      "recommender. Means over runs; the selection metric, where there is one, chose the epoch that was kept.");
  for (const std::string& dataset : names_of(content.curves, &TrainingCurve::dataset)) {
    std::map<std::string, Runs> groups;
    std::vector<std::string> order;
    for (const TrainingCurve& curve : content.curves) {
      if (curve.dataset != dataset) continue;
      Runs& group = groups[name_of(curve)];
      if (group.empty()) order.push_back(name_of(curve));
      group.push_back(&curve);
    }
    section.fold(dataset, dataset == content.curves.front().dataset, [&] {
      TableRows rows = {
          {{"recommender"}, {"stage"}, {"runs"}, {"epochs"}, {"first loss"}, {"last loss"}, {"best selection metric"}}};
      std::vector<std::string> pictures;
      for (const std::string& name : order) {
        rows.push_back(summary_row(groups.at(name)));
        for (std::string& picture : charts_of(groups.at(name))) pictures.push_back(std::move(picture));
      }
      section.table(rows, 2);
      section.charts(pictures);
    });
  }
  return section;
}

Section time_section(const ReportContent& content) {
  Section section("times", "Times");
  if (content.times.empty()) return section;
  TableRows rows = {{{"data set"}, {"recommender"}, {"stage"}, {"times"}, {"seconds"}, {"seconds each"}}};
  for (const StageTime& one : content.times) {
    rows.push_back({{one.dataset},
                    {shown_recommender(one.recommender)},
                    {one.stage},
                    {std::to_string(one.times)},
                    {fixed(one.seconds, 1)},
                    {fixed(one.seconds / one.times, 2)}});
  }
  section.paragraph(
      "Of all that was computed here for these data sets and runs. A generator that is the same for every recommender is timed "
      "under the one for which it was fitted, also where that is none of the report's.");
  section.fold("Wall time of every stage, over all runs", false, [&] { section.table(rows, 3); });
  return section;
}

}  // namespace tapestry::recsys
