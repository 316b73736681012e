#pragma once

#include <string>
#include <vector>

#include "recsys/report/svg_chart.h"

namespace tapestry::recsys {

/// How one model's training went: what a file in history/ holds.
struct TrainingCurve {
  std::string dataset, recommender, stage;  ///< "vae_fit", "sdrm_fit", ...; "recommender_fit"
  int run = 1;
  std::vector<double> epoch, loss;
  std::vector<double> metric;                ///< NaN at epochs without an evaluation; empty when there was none at all
  std::string metric_name = {};              ///< as the file has it: "RMSE", or "metric" where the stage says what it is
  std::string generator = {}, setting = {};  ///< of a recommender's: whose users it learnt from; "original" has no setting
};

/// What the metric is: its own name, or what a generator of this stage is stopped by (docs/generators.md).
std::string metric_of(const TrainingCurve& curve);
/// The highest Recall or NDCG, the lowest error or loss; NaN when there is none.
double best_metric(const TrainingCurve& curve);

inline double epochs_of(const TrainingCurve& curve) { return static_cast<double>(curve.epoch.size()); }
inline double first_loss(const TrainingCurve& curve) { return curve.loss.front(); }
inline double last_loss(const TrainingCurve& curve) { return curve.loss.back(); }

/// As lines of a chart, of so many points as can be seen.
Series loss_line(const TrainingCurve& curve, const std::string& name);
/// Epochs without a metric do not break the line.
Series metric_line(const TrainingCurve& curve, const std::string& name);

/// The curves of one row of a table, run by run.
using Runs = std::vector<const TrainingCurve*>;

/// The mean over runs of value(curve).
template <typename Value>
double mean_over(const Runs& runs, const Value& value) {
  double total = 0;
  for (const TrainingCurve* curve : runs) total += value(*curve);
  return total / static_cast<double>(runs.size());
}

}  // namespace tapestry::recsys
