#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tapestry::recsys {

/// Raised by every change of the program after which the same configuration gives other figures, so that no folder mixes the
/// figures of two of them: 2 since MLP's validation rows under `strict` and NeuMF's misplaced dislikes.
inline constexpr int kFigures = 2;

/// Everything that decides the figures of an experiment. What is asked for (data sets, runs, generators, settings) and what only
/// decides the speed (jobs, threads) is not in here: it may change from one start to the next.
struct Configuration {
  struct OneDataset {
    std::string name;
    std::string sha256;                                  ///< of its content (dataset_digest)
    std::map<std::string, std::string> hyperparameters;  ///< JSON text by recommender
  };

  std::string version;  ///< of the program: another one may compute other figures
  std::string protocol;
  int folds = 0;  ///< of the cross-validation; 0: none
  std::string variant;
  std::string without;  ///< deviations of the published program that were left out, comma-separated
  std::uint64_t seed = 1;
  bool quick = false;
  std::string device = "cpu";
  std::string precision = "float32";  ///< of matrix products on a GPU (tensor/precision.h)
  std::vector<OneDataset> datasets;
};

/// The text of config.json.
std::string to_json(const Configuration& configuration);

/// SHA-256 of what decides the figures of one data set with one recommender.
std::string configuration_digest(const Configuration& configuration, const std::string& dataset, const std::string& recommender);

/// What a unit goes by: configuration_digest, with generator_figures behind it where that has been raised.
std::string unit_digest(const Configuration& configuration, const std::string& dataset, const std::string& recommender,
                        const std::string& generator);

/// Why results of the configuration in `existing`, the text of a config.json, cannot stand beside `wanted`: the first value that
/// differs; nothing when they can.
std::optional<std::string> configuration_conflict(const std::string& existing, const Configuration& wanted);

/// The text of config.json of `folder` once `wanted` joins it: `existing` with the data sets and recommenders that it lacks.
/// Throws Error(kUsage), naming the first value that differs, when the two cannot share a folder.
std::string merge_configuration(const std::string& existing, const Configuration& wanted, const std::filesystem::path& folder);

}  // namespace tapestry::recsys
