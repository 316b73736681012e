#include <cmath>
#include <map>

#include "recsys/report/sections.h"
#include "recsys/report/svg_chart.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

/// The curves of one model, run by run.
using Runs = std::vector<const TrainingCurve*>;

std::string name_of(const TrainingCurve& curve) {
  return curve.dataset + ", " + shown_recommender(curve.recommender) + ", " + curve.stage;
}

/// What was looked at to choose the epoch: docs/generators.md.
std::string selection_metric(const std::string& stage) {
  if (stage == "multivae_fit") return "NDCG@100";
  if (stage == "codigem_fit") return "Recall@50";
  if (stage == "diffrec_fit") return "Recall@20";
  return "Recall@10";
}

/// Every k-th point and the last one. A chart is some 400 pixels wide: more points would only make the page larger.
Series thinned(const Series& curve) {
  constexpr std::size_t kMost = 120;
  const std::size_t step = (curve.x.size() + kMost - 1) / kMost;
  Series few = {curve.name, {}, {}};
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    if (i % step != 0 && i + 1 != curve.x.size()) continue;
    few.x.push_back(curve.x[i]);
    few.y.push_back(curve.y[i]);
  }
  return few;
}

std::vector<std::string> charts_of(const Runs& runs) {
  std::vector<Series> loss, metric;
  for (const TrainingCurve* curve : runs) {
    const std::string run = "run " + std::to_string(curve->run);
    loss.push_back(thinned({run, curve->epoch, curve->loss}));
    if (curve->metric.empty()) continue;
    Series values = {run, {}, {}};
    for (std::size_t i = 0; i < curve->metric.size(); ++i) {  // epochs in between without a value do not break the line
      if (std::isnan(curve->metric[i])) continue;
      values.x.push_back(curve->epoch[i]);
      values.y.push_back(curve->metric[i]);
    }
    metric.push_back(thinned(values));
  }
  const std::string name = name_of(*runs.front());
  std::vector<std::string> pictures = {line_chart({.title = name + ": loss", .x_label = "epoch", .y_label = "loss"}, loss)};
  if (!metric.empty()) {
    pictures.push_back(line_chart(
        {.title = name + ": selection metric", .x_label = "epoch", .y_label = selection_metric(runs.front()->stage)}, metric));
  }
  return pictures;
}

/// Where the curves begin and end, means over runs.
std::vector<TableCell> summary_row(const Runs& runs) {
  const auto mean_of = [&](const auto& value, int decimals) {
    std::vector<double> values;
    for (const TrainingCurve* curve : runs) values.push_back(value(*curve));
    return fixed(mean(values), decimals);
  };
  const auto best = [](const TrainingCurve& curve) {
    double highest = std::nan("");
    for (const double value : curve.metric) highest = std::fmax(highest, value);  // of a number and NaN the number
    return highest;
  };
  const std::string best_text = mean_of(best, 4);
  return {{shown_recommender(runs.front()->recommender)},
          {runs.front()->stage},
          {std::to_string(runs.size())},
          {mean_of([](const TrainingCurve& curve) { return static_cast<double>(curve.epoch.size()); }, 1)},
          {mean_of([](const TrainingCurve& curve) { return curve.loss.front(); }, 4)},
          {mean_of([](const TrainingCurve& curve) { return curve.loss.back(); }, 4)},
          {best_text.empty() ? "–" : selection_metric(runs.front()->stage) + " " + best_text}};
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
      "under the one for which it was fitted.");
  section.fold("Wall time of every stage, over all runs", false, [&] { section.table(rows, 3); });
  return section;
}

}  // namespace tapestry::recsys
