#pragma once

#include <filesystem>
#include <string>

/// Where a folder of results keeps what (docs/results_files.md lists its files). Nothing is read or made here.
namespace tapestry::recsys {

/// What is computed at a time and kept on disk: one generator's synthetic users of one run, in one setting, put before one
/// recommender.
struct UnitKey {
  std::string dataset, recommender, setting, generator;
  int run = 1;  ///< from 1

  /// "ml-100k_svd_augment_m-sdrm_run-1": the unit's file name without its extension.
  std::string text() const;
};

/// Where a run of a data set keeps its trained models, and those that are being trained.
struct RunPaths {
  std::filesystem::path models;      ///< stem "<out>/models/<dataset>/<owner>/run-1"
  std::filesystem::path history;     ///< stem "<out>/history/<dataset>/<owner>/run-1"
  std::filesystem::path unfinished;  ///< stem "<out>/unfinished/<dataset>_<owner>_run-1"
};

inline constexpr const char* kConfigFile = "config.json";
inline constexpr const char* kStagesFile = "stages.jsonl";

/// The folder of all finished units, and where one of them is, if it is finished.
std::filesystem::path units_folder(const std::filesystem::path& folder);
std::filesystem::path unit_file(const std::filesystem::path& folder, const UnitKey& key);

/// Those of all runs. `owner`: a recommender, or kBaselineOwner (stage_names.h).
std::filesystem::path models_folder(const std::filesystem::path& folder, const std::string& dataset, const std::string& owner);
std::filesystem::path history_folder(const std::filesystem::path& folder, const std::string& dataset, const std::string& owner);
/// How far fits have come that were broken off, one file each; gone when there are none.
std::filesystem::path unfinished_folder(const std::filesystem::path& folder);
/// That of the recommender of a unit.
std::filesystem::path unfinished_unit_file(const std::filesystem::path& folder, const UnitKey& key);
/// Those of one run.
RunPaths paths_of_run(const std::filesystem::path& folder, const std::string& dataset, const std::string& owner, int run);

}  // namespace tapestry::recsys
