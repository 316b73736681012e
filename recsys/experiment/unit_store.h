#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/configuration.h"
#include "recsys/experiment/folder_lock.h"
#include "recsys/experiment/measures.h"
#include "recsys/experiment/results_folder.h"
#include "recsys/metrics/synthetic_summary.h"

namespace tapestry::recsys {

/// A finished unit.
struct Unit {
  UnitKey key;
  std::string failure;  ///< why there are no figures, all of them NaN; empty otherwise
  Measures measures;
  std::optional<SyntheticSummary> synthetic;  ///< of the users put before the recommender; none for `original`
};

/// The wall time of one finished stage, a line of stages.jsonl.
struct StageRecord {
  std::string dataset, recommender, stage;
  int run = 0;  ///< 0 for what belongs to no run (load)
  double seconds = 0;
  std::int64_t peak_rss_bytes = 0;  ///< of the process until then
};

/// A line of stages.jsonl; nothing when it is none, empty or cut off by a kill.
std::optional<StageRecord> parse_stage(const std::string& line);

/// Throws Error(kUsage) when the folder holds results of another configuration or of unknown origin, as UnitStore does. The
/// folder is only read: it needs neither exist nor be taken.
void check_folder(const std::filesystem::path& folder, const Configuration& configuration);

/// What a folder of results says of a unit.
struct FoundUnit {
  std::optional<Unit> unit;  ///< when it is finished
  std::string refusal;       ///< why a file that is there counts as none: not to be read, damaged, of another configuration
};

/// Reads a unit of the configuration that has this digest (unit_digest), checksum and name included. The folder needs not be
/// taken.
FoundUnit read_unit(const std::filesystem::path& folder, const UnitKey& key, const std::string& digest);

/// A folder of results that survives a kill at any instant (docs/results_files.md lists its files). Whatever is there is complete
/// and belongs to the configuration of its config.json. Safe to call from several threads.
class UnitStore {
 public:
  using Warn = std::function<void(const std::string&)>;

  /// Takes the folder, made if it does not exist, until the object ends. Throws Error(kUsage) and changes nothing when it cannot
  /// be made or written, when another process has it, or when it holds results of another configuration or of unknown origin.
  UnitStore(std::filesystem::path folder, Configuration configuration, Warn warn);
  UnitStore(const UnitStore&) = delete;
  UnitStore& operator=(const UnitStore&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  const Configuration& configuration() const { return configuration_; }
  std::string digest(const std::string& dataset, const std::string& recommender) const {
    return configuration_digest(configuration_, dataset, recommender);
  }

  /// A finished unit; nothing when there is none. A file that is damaged or of another configuration is named to `warn`
  /// once and counts as none.
  std::optional<Unit> read(const UnitKey& key) const { return read_from(folder_, key); }
  /// The same of a unit of this configuration in another folder of results, which nobody needs to have taken.
  std::optional<Unit> read_from(const std::filesystem::path& folder, const UnitKey& key) const;
  bool has(const UnitKey& key) const { return read(key).has_value(); }
  void write(const Unit& unit);
  /// The unit is finished: how far a broken-off fit of its recommender had come is of no use any more.
  void remove_unfinished(const UnitKey& key) const;

  /// The folders of the paths are made.
  RunPaths run_paths(const std::string& dataset, const std::string& owner, int run) const;

  /// Adds a line to stages.jsonl.
  void log_stage(const StageRecord& record);
  /// Adds lines of another folder's stages.jsonl as they are, but for those that are there.
  void adopt_stages(std::span<const std::string> lines);
  /// All lines, those of earlier starts too. A line cut off by a kill is left out.
  std::vector<StageRecord> stages() const;

  void warn(const std::string& message) const { warn_(message); }

  /// Writes a file of the folder in one step.
  void write_file(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path folder_;
  Configuration configuration_;
  Warn warn_;
  mutable std::mutex refused_mutex_;
  mutable std::set<std::filesystem::path> refused_;  ///< files that were named to warn_: once is enough
  std::optional<FolderLock> lock_;
  std::mutex log_mutex_;
};

}  // namespace tapestry::recsys
