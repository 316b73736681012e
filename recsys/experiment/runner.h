#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "recsys/data/dataset.h"
#include "recsys/experiment/hyperparameters.h"
#include "recsys/experiment/progress.h"
#include "recsys/experiment/protocol.h"
#include "recsys/experiment/run_job.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/report/comparison.h"
#include "recsys/report/table.h"

namespace tapestry::recsys {

/// What is to be computed and how. Names must be known ones (selection.h), in the order of reports.
struct ExperimentOptions {
  std::vector<std::string> recommenders, generators, settings;
  ProtocolName protocol = ProtocolName::kPublished;
  sdrm::Variant variant = sdrm::Variant::kPublished;
  /// Cross-validation over users, `strict` only: run r reports the users of fold (r - 1) mod folds, and runs is a multiple of
  /// folds, so that every user is reported equally often. 0: all runs report the same users.
  int folds = 0;
  int runs = 5;
  std::uint64_t seed = 1;
  std::optional<NeuMfSelection> neumf_selection = {};  ///< which epoch NeuMF keeps; default: default_neumf_selection
  bool quick = false;                                  ///< the small hyperparameters of quick(); marked in every output
  std::string device = "cpu";
  int threads = 1;  ///< shared by the jobs that run side by side
  int jobs = 1;
  std::filesystem::path out;
  std::map<std::string, std::string> versions;  ///< for the manifest; "tapestry" is part of the configuration
  std::string command;                          ///< for the manifest
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

/// How many jobs side by side are the default: as many as there are threads and runs, so that each has one core to itself.
int default_jobs(int threads, int runs);

/// An experiment in its results folder: taken, checked and planned by the constructor, computed by run().
class Experiment {
 public:
  /// Throws Error(kUsage) when the results folder is not for it (UnitStore), and as make_protocol does.
  Experiment(std::vector<LoadedDataset> datasets, ExperimentOptions options, Progress& progress);

  std::int64_t units() const { return units_; }            ///< asked for
  std::int64_t missing_units() const { return missing_; }  ///< of those, not finished when the constructor looked
  const UnitStore& store() const { return store_; }
  const std::vector<LoadedDataset>& datasets() const { return datasets_; }

  /// Computes what is missing and writes the reports (docs/results_files.md). Those without times are the same bytes for the same
  /// configuration and selection, whatever the number of jobs and however often the work was killed.
  /// Throws Interrupted, or the first error of a job once all jobs have stopped.
  std::vector<Cell> run();
  /// Under `strict`, what run() compared user by user.
  const std::vector<Comparison>& comparisons() const { return comparisons_; }

  ReportOptions report_options() const;

 private:
  void compute();

  std::vector<LoadedDataset> datasets_;
  ExperimentOptions options_;
  Progress& progress_;
  std::vector<std::vector<ProtocolData>> protocols_;  ///< by data set and fold
  UnitStore store_;
  std::vector<RunJob> jobs_;
  std::vector<Comparison> comparisons_;
  std::int64_t units_ = 0;
  std::int64_t missing_ = 0;
};

}  // namespace tapestry::recsys
