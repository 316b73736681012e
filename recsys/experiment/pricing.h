#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "recsys/experiment/calibration.h"
#include "recsys/experiment/finished_work.h"
#include "recsys/experiment/plan.h"

namespace tapestry::recsys {

/// Predicts what stages take: from stages of the same folder that are finished, where there are some, otherwise from a
/// calibration, which measures every model once for all runs of a data set and recommender.
class Pricing {
 public:
  Pricing(const FinishedWork& finished, const PlanOptions& options) : finished_(finished), options_(options) {}

  /// The calls of one job, in their order.
  std::vector<PricedCall> price(const RunJob& job, const std::vector<StageCall>& calls);

 private:
  struct PairRates {
    std::map<std::string, StageRate> generators;    ///< by stage
    std::map<std::string, StageRate> recommenders;  ///< by setting, kOriginal for the original data
    std::optional<StageRate> evaluation, similarity;
  };

  void measure(const RunJob& job, const std::vector<StageCall>& calls);
  void measure_group(const RunJob& job, const std::vector<std::string>& generators);
  PricedCall price(const RunJob& job, const StageCall& call, const StageRate& rate) const;

  const FinishedWork& finished_;
  const PlanOptions& options_;
  std::map<std::pair<std::string, std::string>, PairRates> rates_;   ///< by data set and recommender
  std::map<std::string, std::map<std::string, StageRate>> for_all_;  ///< of generators that are the same for every recommender
};

}  // namespace tapestry::recsys
