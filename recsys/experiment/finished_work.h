#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/configuration.h"
#include "recsys/experiment/reuse.h"
#include "recsys/experiment/run_job.h"
#include "recsys/experiment/stage_times.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/generators/model_folder.h"

namespace tapestry::recsys {

/// What a folder of results holds and what it would take over from others (reuse.h), for planning: read without taking the
/// folder, and without making one. What cannot be read there counts as not there.
class FinishedWork {
 public:
  /// Throws Error(kUsage) when the folder has results of another configuration or of unknown origin, as UnitStore does.
  FinishedWork(std::filesystem::path folder, Configuration configuration, std::span<const std::filesystem::path> reuse = {});

  /// The folders of `reuse` that do not fit, and why.
  const std::vector<Reused>& unfit() const { return unfit_; }

  /// Whether a job would find it finished: one that is damaged is not.
  bool has(const UnitKey& unit) const;
  /// Where the models of a run are kept, in the first folder that has one of them; no folder is made.
  ModelFolder models(const std::string& dataset, const std::string& owner, int run) const;

  /// Fits of these jobs that were broken off and left a checkpoint in the folder itself.
  std::int64_t begun(std::span<const RunJob> jobs) const;

  /// What the finished stages took.
  const StageTimes& times() const { return times_; }
  /// How many epochs the trainings that are kept in history/ took. `owner`: the recommender, or kBaselineOwner. `stage`: the end
  /// of the files' names will do, from a hyphen on, where several are alike.
  std::optional<KnownMean> epochs(const std::string& dataset, const std::string& owner, const std::string& stage) const;

 private:
  std::vector<std::filesystem::path> folders_;  ///< its own first
  std::vector<Reused> unfit_;
  Configuration configuration_;
  StageTimes times_;
};

}  // namespace tapestry::recsys
