#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/planned_work.h"
#include "recsys/experiment/reuse.h"

/// What an experiment would do, before it does it.
namespace tapestry::recsys {

/// A call with what is predicted for it.
struct PricedCall {
  StageCall call;
  double seconds = 0;
  std::int64_t bytes = 0;  ///< of the host, that the job's tensors take while it runs
  std::string basis;       ///< what the prediction assumes: "200 epochs", "3 finished", ...; empty for what was measured as it is
};

/// A stage of one data set and recommender, all its calls together.
struct PlannedRow {
  std::string dataset, recommender, stage;
  int times = 0;
  double seconds = 0;      ///< all together
  std::int64_t bytes = 0;  ///< of the host, that the job's tensors take at most; 0 where finished stages were not measured
  std::string basis;       ///< of the first call
};

/// Units to be computed that differ in their generators and runs alone: every one of the generators in every one of the runs.
struct PlannedUnits {
  std::string dataset, recommender, setting;
  std::vector<int> runs;
  std::vector<std::string> generators;
};

struct WorkPlan {
  std::int64_t units = 0;     ///< asked for
  std::int64_t finished = 0;  ///< of those
  std::int64_t missing = 0;   ///< to be computed: not finished, and selected by `only`
  std::int64_t begun = 0;     ///< of its fits, those that go on from a checkpoint; planned as if they did not
  std::vector<PlannedUnits> missing_units;
  std::vector<Reused> unfit;  ///< folders of `reuse` from which nothing can be taken
  std::vector<PlannedRow> rows;
  std::map<int, double> job_seconds;  ///< by RunJob::index
  double core_seconds = 0;            ///< of processor time: seconds of all stages times the threads that each has
  double wall_seconds = 0;            ///< as fast as the machine was during the calibration
  /// Of the processor time that the calibration could have used, what it got; the rest went to other programs. 1 where that
  /// cannot be told: with several threads, which also wait for each other.
  double share = 1;
  std::int64_t peak_bytes = 0;  ///< of the process, on the host
  double calibration_seconds = 0;
};

/// Seconds until `workers` have done these pieces of work, each taking the next one when it is free.
double makespan(std::span<const double> seconds, int workers);

/// Adds up the rows by data set, recommender and stage, in the order in which they first come, and shares the jobs out among the
/// workers in theirs. As many jobs as there are workers, the largest ones, hold their memory at once. The counts of units stay 0.
WorkPlan add_up(std::span<const PricedCall> calls, int workers, int threads);

/// What a plan is made with.
struct PlanOptions {
  std::function<double()> clock = {};                          ///< of the calibration, seconds; default: wall time
  std::function<void(const std::string& what)> progress = {};  ///< told what is being measured; what it throws passes through
  std::function<void()> poll = {};                             ///< called often while it measures; what it throws passes through
  bool as_if_new = false;                                      ///< leaves aside what is finished
};

/// Measures, computes nothing and leaves the results folder alone. Throws Error(kUsage) when the folder is not for this
/// experiment.
WorkPlan make_plan(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& options, const PlanOptions& plan = {});

/// The plan for the terminal.
std::string plan_text(const WorkPlan& plan, const ExperimentOptions& options);

/// "1-3, 5" for {1, 2, 3, 5}, which ascend.
std::string ranges_text(std::span<const int> numbers);

/// "45 s", "12 min", "3.4 h".
std::string duration_text(double seconds);

}  // namespace tapestry::recsys
