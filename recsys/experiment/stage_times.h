#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "recsys/experiment/planned_work.h"
#include "recsys/experiment/run_job.h"
#include "recsys/experiment/unit_store.h"

namespace tapestry::recsys {

/// A mean over something that was done several times.
struct KnownMean {
  double mean = 0;
  int count = 0;

  void add(double value) { mean += (value - mean) / ++count; }
};

/// What finished stages took, in wall seconds, whatever else the machine was doing: for a plan and for the time that is left.
class StageTimes {
 public:
  void add(const StageRecord& record);

  /// The mean of the stages of the call's data set, recommender and name, where it says something about the call; nothing where
  /// there are none. It says nothing about fits of a recommender of which some keep another epoch than others (`job` has NeuMF's
  /// exceptions), and of fewer than six fits or measurements of a recommender, since settings and generators differ.
  std::optional<KnownMean> expected(const RunJob& job, const StageCall& call) const;

 private:
  std::map<std::tuple<std::string, std::string, std::string>, KnownMean> means_;  ///< by data set, recommender and stage
};

}  // namespace tapestry::recsys
