#include "recsys/report/training_curve.h"

#include <cmath>

namespace tapestry::recsys {
namespace {

/// Every k-th point and the last one. A chart is some 400 pixels wide: more points would only make the page larger.
Series thinned(const Series& curve) {
  constexpr std::size_t kMost = 60;
  const std::size_t step = (curve.x.size() + kMost - 1) / kMost;
  Series few = {curve.name, {}, {}};
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    if (i % step != 0 && i + 1 != curve.x.size()) continue;
    few.x.push_back(curve.x[i]);
    few.y.push_back(curve.y[i]);
  }
  return few;
}

bool higher_is_better(const std::string& metric) { return metric.starts_with("Recall") || metric.starts_with("NDCG"); }

}  // namespace

std::string metric_of(const TrainingCurve& curve) {
  if (!curve.metric_name.empty() && curve.metric_name != "metric") return curve.metric_name;
  if (curve.stage == "multivae_fit") return "NDCG@100";
  if (curve.stage == "codigem_fit") return "Recall@50";
  if (curve.stage == "diffrec_fit") return "Recall@20";
  return "Recall@10";
}

double best_metric(const TrainingCurve& curve) {
  const bool highest = higher_is_better(metric_of(curve));
  double best = std::nan("");
  for (const double value : curve.metric) best = highest ? std::fmax(best, value) : std::fmin(best, value);  // passes NaN over
  return best;
}

Series loss_line(const TrainingCurve& curve, const std::string& name) { return thinned({name, curve.epoch, curve.loss}); }

Series metric_line(const TrainingCurve& curve, const std::string& name) {
  Series values = {name, {}, {}};
  for (std::size_t i = 0; i < curve.metric.size(); ++i) {
    if (std::isnan(curve.metric[i])) continue;
    values.x.push_back(curve.epoch[i]);
    values.y.push_back(curve.metric[i]);
  }
  return thinned(values);
}

}  // namespace tapestry::recsys
