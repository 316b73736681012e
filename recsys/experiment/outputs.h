#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/alike_figures.h"
#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/report/comparison.h"
#include "recsys/report/shape.h"
#include "recsys/report/table.h"

namespace tapestry::recsys {

/// What a report says of the units that are asked for, in its order.
struct Outputs {
  /// Every metric of every combination whose units are all finished. Intervals: over runs (t) under `published`, where a result
  /// without randomness is a point; bootstrap over users and fits under `strict`.
  std::vector<Cell> cells;
  /// Under `strict`, for every metric: each generator against `original`, and the others against multivae++, user by user;
  /// corrected for their number. Of the combinations whose units are all finished and did not fail. Empty under `published`,
  /// whose users were chosen on.
  std::vector<Comparison> comparisons;
  /// The synthetic users of every generator, means over the runs of the combinations whose units are all finished. They are the
  /// same in every setting. Generators without any, and `original`, are left out.
  std::vector<SyntheticFigures> synthetic;
  std::vector<AlikeFigures> alike;     ///< of the combinations whose units are all finished and did not fail
  std::vector<Failure> failures;       ///< the units that failed, each once, with their reasons
  std::vector<Unfinished> unfinished;  ///< the combinations with units that are not finished
};

/// Reads the finished units. `alike`: of these data sets, or none, of whom nothing is said then. The bootstraps take their time:
/// `told` is told the fraction that is done, by several threads, and what it throws ends the work.
Outputs collect_outputs(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets,
                        std::span<const AlikeRows> alike, const std::function<void(double fraction)>& told);

}  // namespace tapestry::recsys
