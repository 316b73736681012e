#pragma once

#include <cstdint>
#include <string>

#include "recsys/experiment/finished_work.h"
#include "recsys/experiment/planned_work.h"
#include "recsys/experiment/run_job.h"

namespace tapestry::recsys {

/// How many epochs a training is expected to take, and why.
struct ExpectedEpochs {
  double epochs = 0;
  /// Where the number comes from, empty when it is fixed by the configuration: "mean of 3 finished here", "assumed: ...".
  std::string source;
};

/// For a stage of a job; a fit's number may depend on whose users it gets in which setting. Where early stopping decides: the
/// mean of the trainings that the folder keeps the history of, else what such trainings took elsewhere (a small table in
/// expected_epochs.cpp, with its origin), never more than the configuration's maximum. 0 for a stage without epochs.
ExpectedEpochs expected_epochs(const RunJob& job, const StageCall& call, const FinishedWork& finished);

}  // namespace tapestry::recsys
