#pragma once

#include <functional>
#include <string>
#include <vector>

#include "recsys/data/dataset.h"
#include "recsys/data/protocol.h"
#include "recsys/experiment/hyperparameters.h"
#include "recsys/experiment/journal.h"
#include "recsys/experiment/progress.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/generators/baseline_settings.h"
#include "recsys/generators/model_folder.h"

namespace tapestry::recsys {

/// One run of one data set with one recommender: what one worker does from beginning to end.
struct RunJob {
  int index = 0;  ///< among all jobs, for the progress display
  std::string dataset, recommender;
  int run = 1;  ///< from 1
  int runs = 1;
  const ProtocolData* protocol = nullptr;
  Hyperparameters values;
  BaselineSettings baselines;
  std::uint64_t seed = 0;        ///< of this run: derive_seed(root seed, run)
  std::vector<UnitKey> missing;  ///< the units to compute, in the order of reports
  Device device = Device::kCpu;  ///< where the networks compute, generators' and recommenders' alike
};

/// What a job needs from those who run it.
struct JobSurroundings {
  UnitStore& store;
  Journal& journal;
  Progress& progress;
  /// Called at every stage and epoch by the job's own thread: sets its number of threads, throws to cancel.
  std::function<void()> poll;
  CheckpointOptions checkpoint = {};
};

/// Where the models of `owner` (the job's recommender, or kBaselineOwner) are kept. Its folders are made.
ModelFolder kept_models(const UnitStore& store, const RunJob& job, const std::string& owner);

/// Computes the job's missing units and writes each as soon as it is done. Within the run: the recommender on the original data,
/// then one generator after the other: fit it, sample, and per setting fit the recommender and evaluate it. A model that cannot
/// be fitted (Error(kFit)) ends its own units as failed, with the reason; the job goes on. Numbers depend on the job's seed
/// alone, not on which units are missing.
void execute_job(const RunJob& job, const JobSurroundings& surroundings);

}  // namespace tapestry::recsys
