#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "recsys/data/protocol.h"
#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/run_job.h"
#include "recsys/experiment/unit_store.h"

/// An experiment as the jobs that it takes.
namespace tapestry::recsys {

/// The protocol's data by data set and fold; one fold when there is no cross-validation.
std::vector<std::vector<ProtocolData>> protocols_of(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& options);

/// What there is to do.
struct ExperimentJobs {
  std::int64_t units = 0;     ///< asked for
  std::int64_t finished = 0;  ///< of those
  std::vector<RunJob> jobs;   ///< those with units to compute: not finished, and selected by `only`

  std::int64_t missing_units() const;  ///< of all jobs
};
/// Jobs point into `protocols`. `has`: whether a unit is finished.
ExperimentJobs experiment_jobs(const std::vector<LoadedDataset>& datasets,
                               const std::vector<std::vector<ProtocolData>>& protocols, const ExperimentOptions& options,
                               const std::function<bool(const UnitKey&)>& has);

}  // namespace tapestry::recsys
