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
#include "recsys/experiment/configuration.h"
#include "recsys/experiment/deviations.h"
#include "recsys/experiment/hyperparameters.h"
#include "recsys/generators/baseline_settings.h"

/// What an experiment is asked for, and what follows from that alone.
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
  double checkpoint_every = 60;  ///< CheckpointOptions (recsys/generators/kept_checkpoint.h)
  std::filesystem::path out;
  /// Folders of results whose finished units are taken over (reuse.h); those of other configurations give none.
  std::vector<std::filesystem::path> reuse = {};
  /// For the manifest; "tapestry" is part of the configuration. On "cuda" with "gpu", "driver" and "CUDA runtime".
  std::map<std::string, std::string> versions;
  std::string command;  ///< for the manifest and starts.jsonl
  /// Hyperparameters by data set and recommender, instead of the paper's: for tests.
  std::function<Hyperparameters(const std::string& dataset, const std::string& recommender)> hyperparameters;
  std::function<bool()> interrupted;  ///< asked at every stage and epoch
};

/// A data set as loaded, with the seconds that took.
struct LoadedDataset {
  Dataset data;
  double load_seconds = 0;
};

/// Their names, in their order.
std::vector<std::string> dataset_names(std::span<const LoadedDataset> datasets);

/// Thrown when options.interrupted said so. What was finished is kept; the same call goes on from there.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

/// Throws Interrupted when options.interrupted says so.
void check_interrupted(const ExperimentOptions& options);

/// Runs of a data set with a recommender.
int runs_of(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender);

/// How many jobs side by side are the default: as many as there are threads and runs, so that each has one core to itself.
int default_jobs(int threads, int runs);

/// What these options train a recommender and its generators with on a data set.
Hyperparameters hyperparameters_for(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender);

/// The same of the generators that are the same for every recommender.
BaselineSettings baselines_for(const ExperimentOptions& options, const std::string& dataset);

/// Where the networks compute.
Device device_of(const ExperimentOptions& options);

/// Makes the calling thread's context of the GPU and loads what its libraries load at first use; nothing on the CPU. Both wait
/// for the whole device, which no graph that another thread records may meet with, and are no part of what a stage takes.
void warm_up(Device device);

/// Everything that decides the figures.
Configuration configuration_of(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& options);

}  // namespace tapestry::recsys
