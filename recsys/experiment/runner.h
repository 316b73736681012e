#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "recsys/data/dataset.h"
#include "recsys/data/protocol.h"
#include "recsys/experiment/deviations.h"
#include "recsys/experiment/hyperparameters.h"
#include "recsys/experiment/journal.h"
#include "recsys/experiment/planned_work.h"
#include "recsys/experiment/progress.h"
#include "recsys/experiment/reuse.h"
#include "recsys/experiment/run_job.h"
#include "recsys/experiment/unfinished.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/report/comparison.h"
#include "recsys/report/table.h"

namespace tapestry::recsys {

/// What is to be computed and how. Names must be known ones (selection.h), in the order of reports.
struct ExperimentOptions {
  std::vector<std::string> recommenders, generators, settings;
  ProtocolName protocol = ProtocolName::kPublished;
  sdrm::Variant variant = sdrm::Variant::kPublished;
  std::set<Deviation> without = {};  ///< deviations.h; check_deviations says with what they go
  /// Cross-validation over users, `strict` only: run r reports the users of fold (r - 1) mod folds. Runs are a multiple of folds,
  /// so that every user is reported equally often, or fewer than folds: then the users of the first folds are reported, once
  /// each, and stand for all. 0: all runs report the same users.
  int folds = 0;
  int runs = 5;
  /// Fewer runs than `runs` for some, by "data set/recommender" (`--paper` decides so by what they cost); with folds, fewer than
  /// those or a multiple as well.
  std::map<std::string, int> fewer_runs = {};
  /// Computes only the units whose text matches one of these (unit_pattern.h); empty: all. The report is made from everything
  /// that is asked for and finished.
  std::vector<std::string> only = {};
  std::uint64_t seed = 1;
  std::optional<NeuMfSelection> neumf_selection = {};  ///< which epoch NeuMF keeps; default: set_default_neumf_rules
  bool quick = false;                                  ///< the small hyperparameters of quick(); marked in every output
  std::string device = "cpu";                          ///< or "cuda"
  std::string precision = "float32";                   ///< of matrix products on "cuda" (tensor/precision.h)
  int threads = 1;                                     ///< shared by the jobs that run side by side
  int jobs = 1;
  std::filesystem::path out;
  /// Folders of results whose finished units are taken over (reuse.h); those of other configurations give none.
  std::vector<std::filesystem::path> reuse = {};
  std::map<std::string, std::string> versions;  ///< for the manifest; "tapestry" is part of the configuration
  std::string command;                          ///< for the manifest and starts.jsonl
  /// Hyperparameters by data set and recommender, instead of the paper's: for tests.
  std::function<Hyperparameters(const std::string& dataset, const std::string& recommender)> hyperparameters;
  std::function<bool()> interrupted;  ///< asked at every stage and epoch
};

/// A data set as loaded, with the seconds that took.
struct LoadedDataset {
  Dataset data;
  double load_seconds = 0;
};

/// Thrown when options.interrupted said so. What was finished is kept; the same call goes on from there.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

/// Throws Interrupted when options.interrupted says so.
void check_interrupted(const ExperimentOptions& options);

/// Runs of a data set with a recommender.
int runs_of(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender);

/// The text of every unit that is asked for, `only` left aside: what patterns can match.
std::vector<std::string> unit_texts(const ExperimentOptions& options, std::span<const std::string> datasets);

/// Everything that decides the figures.
Configuration configuration_of(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& options);

/// The protocol's data by data set and fold; one fold when there is no cross-validation.
std::vector<std::vector<ProtocolData>> protocols_of(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& options);

/// What there is to do.
struct ExperimentJobs {
  std::int64_t units = 0;     ///< asked for
  std::int64_t finished = 0;  ///< of those
  std::vector<RunJob> jobs;   ///< those with units to compute: not finished, and selected by `only`
};
/// Jobs point into `protocols`. `has`: whether a unit is finished.
ExperimentJobs experiment_jobs(const std::vector<LoadedDataset>& datasets,
                               const std::vector<std::vector<ProtocolData>>& protocols, const ExperimentOptions& options,
                               const std::function<bool(const UnitKey&)>& has);

/// What these options train a recommender and its generators with on a data set.
Hyperparameters hyperparameters_for(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender);

/// How many jobs side by side are the default: as many as there are threads and runs, so that each has one core to itself.
int default_jobs(int threads, int runs);

/// An experiment in its results folder: taken, checked and planned by the constructor, computed by run().
class Experiment {
 public:
  /// Throws Error(kUsage) when the results folder is not for it (UnitStore), and as make_protocol and take_over do.
  Experiment(std::vector<LoadedDataset> datasets, ExperimentOptions options, Progress& progress);

  std::int64_t units() const { return work_.units; }              ///< asked for
  std::int64_t finished_units() const { return work_.finished; }  ///< of those, when the constructor looked
  std::int64_t missing_units() const;                             ///< that run() is going to compute
  /// What the constructor took over from `reuse`, in its order.
  const std::vector<Reused>& reused() const { return reused_; }
  const UnitStore& store() const { return store_; }
  const std::vector<LoadedDataset>& datasets() const { return datasets_; }

  /// Computes what is missing (of what `only` selects) and writes the reports (docs/results_files.md). Those without times are
  /// the same bytes for the same configuration and selection, whatever the number of jobs and however often the work was killed.
  /// They hold the combinations whose units are all finished, and name the others. Throws Interrupted, or the first error of a
  /// job once all jobs have stopped. However it ends, starts.jsonl tells.
  std::vector<Cell> run();
  /// Under `strict`, what run() compared user by user.
  const std::vector<Comparison>& comparisons() const { return comparisons_; }

  /// The combinations that run() could not report, since units of them are not finished.
  const std::vector<Unfinished>& unfinished() const { return unfinished_; }
  /// The units of run()'s report that failed, now or at an earlier start, and why.
  const std::vector<Failure>& failures() const { return failures_; }

  ReportOptions report_options() const;

 private:
  /// What the reports are guessed to take.
  double report_seconds() const;
  void plan_progress(const FolderOf& folder);
  void compute();
  std::vector<Cell> write_reports();
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
  std::vector<Comparison> comparisons_;
  std::vector<Unfinished> unfinished_;
  std::vector<Failure> failures_;
};

}  // namespace tapestry::recsys
