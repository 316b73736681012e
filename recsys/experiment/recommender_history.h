#pragma once

#include <string>

#include "recsys/generators/generator.h"

namespace tapestry::recsys {

/// What a recommender's fit reported at the end of each epoch, as it is kept in history/.
class RecommenderHistory {
 public:
  /// Takes the end of an epoch, and nothing else.
  void hear(const StageProgress& progress);
  bool empty() const { return csv_.empty(); }      ///< so with SVD, which has no epochs
  const std::string& csv() const { return csv_; }  ///< epoch (from 1),loss and a third column under the name of its metric

 private:
  std::string csv_;
};

/// The stage in the history's file name, "run-<n>-<stage>.csv": "m-sdrm-augment-recommender_fit"; "original-recommender_fit",
/// since the original users are fitted once for both settings.
std::string recommender_history_stage(const std::string& generator, const std::string& setting);

}  // namespace tapestry::recsys
