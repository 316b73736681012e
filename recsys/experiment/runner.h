#pragma once

#include <cstdint>
#include <vector>

#include "recsys/data/protocol.h"
#include "recsys/experiment/experiment_jobs.h"
#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/journal.h"
#include "recsys/experiment/outputs.h"
#include "recsys/experiment/planned_work.h"
#include "recsys/experiment/progress.h"
#include "recsys/experiment/reuse.h"
#include "recsys/experiment/unfinished.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/report/comparison.h"
#include "recsys/report/table.h"

namespace tapestry::recsys {

/// An experiment in its results folder: taken, checked and planned by the constructor, computed by run().
class Experiment {
 public:
  /// Throws Error(kUsage) when the results folder is not for it (UnitStore), and as make_protocol and take_over do.
  Experiment(std::vector<LoadedDataset> datasets, ExperimentOptions options, Progress& progress);

  std::int64_t missing_units() const { return work_.missing_units(); }  ///< that run() is going to compute
  /// What the constructor took over from `reuse`, in its order.
  const std::vector<Reused>& reused() const { return reused_; }
  /// Lines for the user: how much the constructor found finished, and what it took over.
  std::vector<std::string> finished_lines() const {
    return recsys::finished_lines(work_.finished, work_.units, store_.folder(), reused_);
  }
  const UnitStore& store() const { return store_; }
  const std::vector<LoadedDataset>& datasets() const { return datasets_; }

  /// Computes what is missing (of what `only` selects) and writes the reports (docs/results_files.md). Those without times are
  /// the same bytes for the same configuration and selection, whatever the number of jobs and however often the work was killed.
  /// They hold the combinations whose units are all finished, and name the others. Throws Interrupted, or the first error of a
  /// job once all jobs have stopped. However it ends, starts.jsonl tells.
  std::vector<Cell> run();
  /// Under `strict`, what run() compared user by user.
  const std::vector<Comparison>& comparisons() const { return outputs_.comparisons; }

  /// The combinations that run() could not report, since units of them are not finished.
  const std::vector<Unfinished>& unfinished() const { return outputs_.unfinished; }
  /// The units of run()'s report that failed, now or at an earlier start, and why.
  const std::vector<Failure>& failures() const { return outputs_.failures; }

  ReportOptions report_options() const;

 private:
  /// What the reports are guessed to take.
  double report_seconds() const;
  void plan_progress(const FolderOf& folder);
  void compute();
  void write_reports();
  /// All starts on this folder, this one as far as it has come.
  std::vector<Start> starts() const;

  std::vector<LoadedDataset> datasets_;
  ExperimentOptions options_;
  Progress& progress_;
  std::vector<std::vector<ProtocolData>> protocols_;  ///< by data set and fold
  UnitStore store_;
  Journal journal_;
  std::vector<Reused> reused_;
  ExperimentJobs work_;
  Outputs outputs_;  ///< of run()
};

}  // namespace tapestry::recsys
