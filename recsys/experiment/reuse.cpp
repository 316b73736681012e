#include "recsys/experiment/reuse.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "recsys/experiment/asked_stages.h"
#include "recsys/experiment/folder_lock.h"
#include "recsys/experiment/line_log.h"
#include "recsys/experiment/read_text.h"
#include "recsys/experiment/recommender_history.h"
#include "recsys/experiment/results_folder.h"
#include "recsys/experiment/selection.h"
#include "recsys/experiment/stage_names.h"
#include "recsys/generators/model_folder.h"
#include "tensor/atomic_file.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

namespace fs = std::filesystem;

/// What shares models, histories of generators and lines of times.
using RunKey = std::tuple<std::string, std::string, int>;  // data set, recommender, run
RunKey run_of(const UnitKey& key) { return {key.dataset, key.recommender, key.run}; }

bool same_folder(const fs::path& a, const fs::path& b) {
  std::error_code none;
  return fs::equivalent(a, b, none);
}

/// Copies a file that is not there yet, in one step. A second name for the same file will do where the file system has that: no
/// finished file of results is changed in place, only replaced.
void copy_missing(const UnitStore& store, const fs::path& from, const fs::path& to) {
  std::error_code failed;
  if (fs::exists(to, failed) || !fs::is_regular_file(from, failed)) return;
  if (!fs::is_symlink(from, failed)) fs::create_hard_link(from, to, failed);
  if (fs::exists(to, failed)) return;
  std::optional<std::string> text;
  try {
    text = read_text(from);
  } catch (const Error& error) {
    store.warn(concat(error.what(), ", left out"));
  }
  if (text) write_file_atomically(to, *text);
}

/// Copies the files "<stem>-*<ending>" of another folder that `wanted` says yes to, by what stands in the place of the star
/// and the file. (Files that are being written have another ending.)
template <typename Wanted>
void copy_files(const UnitStore& store, const fs::path& from, const fs::path& stem, const std::string& ending,
                const Wanted& wanted) {
  const std::string prefix = stem.filename().string() + "-";
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(from, none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(ending) || name.size() < prefix.size() + ending.size()) continue;
    const fs::path to = stem.parent_path() / name;
    if (fs::exists(to, none) || !wanted(name.substr(prefix.size(), name.size() - prefix.size() - ending.size()), entry.path()))
      continue;
    copy_missing(store, entry.path(), to);
  }
}

/// Everything of one folder that goes with the units taken from it.
class Taker {
 public:
  Taker(UnitStore& store, Journal& journal, fs::path folder) : store_(store), journal_(journal), folder_(std::move(folder)) {
    read_logs();
    std::error_code none;
    const fs::path known = fs::weakly_canonical(folder_, none);
    known_as_ = (none ? folder_ : known).string();
  }

  /// Histories and times come before the unit, so that no unit lacks its own; who computed it right behind it.
  bool take(const UnitKey& key) {
    const std::optional<Unit> unit = store_.read_from(folder_, key);
    if (!unit || !logs_are_complete(key)) return false;
    const std::set<std::string> stages = stages_of_all(std::span(&key.generator, 1));
    copy_histories(run_of(key), stages);
    const std::string fit = recommender_history_stage(key.generator, key.setting);
    copy_files(store_, history_folder(folder_, key.dataset, key.recommender),
               store_.run_paths(key.dataset, key.recommender, key.run).history, ".csv",
               [&](const std::string& name, const fs::path&) { return name == fit; });
    if (timed_.emplace(run_of(key), key.generator).second) copy_times(key, stages);
    store_.write(*unit);
    ++units_;
    for (const Start& start : starts_) {
      if (start.units.contains(key.text())) journal_.adopt(start, known_as_, {key.text()});
    }
    return true;
  }

  /// For a run with units that are still to be computed; `stages`: their generators'. What is damaged here may be whole in the
  /// next folder.
  void copy_models(const RunKey& run, const std::set<std::string>& stages) {
    for_owners(run, [&](const std::string& dataset, const std::string& owner, const RunPaths& paths) {
      copy_files(store_, models_folder(folder_, dataset, owner), paths.models, ".safetensors",
                 [&](const std::string&, const fs::path& file) { return is_whole(file); });
    });
    copy_histories(run, stages);
  }

  /// Starts of which something is known may have ended since.
  void tell_ends() const {
    for (const Start& start : starts_) journal_.adopt(start, known_as_, {});
  }

  std::int64_t units() const { return units_; }

 private:
  /// Starts first: a unit that they name has had its times written.
  void read_logs() {
    read_at_ = fs::file_time_type::clock::now();
    starts_ = read_log([&] { return Journal(folder_).starts(); });
    stages_ = read_log([&] { return read_lines(folder_ / kStagesFile); });
    timed_.clear();
  }

  /// What `read` gives. A log that cannot be read is named once, and is empty: its units are taken all the same.
  template <typename Read>
  auto read_log(const Read& read) -> decltype(read()) {
    try {
      return read();
    } catch (const Error& error) {
      if (unread_.insert(error.what()).second) store_.warn(concat(error.what(), ", left out"));
      return {};
    }
  }

  bool is_named(const UnitKey& key) const {
    return std::any_of(starts_.begin(), starts_.end(), [&](const Start& start) { return start.units.contains(key.text()); });
  }

  /// Whether a unit that is there may have been finished after the logs were read, or too short a time before to be in them. A
  /// minute is long for a writer between a unit and its line, and for two clocks to be apart.
  bool is_newer_than_logs(const UnitKey& key) const {
    std::error_code none;
    const fs::file_time_type written = fs::last_write_time(unit_file(folder_, key), none);
    return !none && written > read_at_ - std::chrono::minutes(1);
  }

  /// Whether the logs have all that there will ever be about a unit that is there; they are read again where that may help. While
  /// units are taken, whoever writes there finishes more, each of which is there a moment before its line. Taken without it, it
  /// would lack its start for good: it would not be looked at again. Old units that no start names have none.
  bool logs_are_complete(const UnitKey& key) {
    if (is_named(key) || !is_newer_than_logs(key)) return true;
    const bool more_may_come = is_being_written(folder_);  // asked first: who ends in between has written the line
    read_logs();
    return is_named(key) || !more_may_come || !is_newer_than_logs(key);
  }

  /// A file that is not is read and named once, though several recommenders' runs may want it.
  bool is_whole(const fs::path& model) {
    if (damaged_.contains(model)) return false;
    try {
      if (is_undamaged(model)) return true;
      store_.warn(concat(model.string(), ": damaged, left out"));
    } catch (const Error& error) {
      store_.warn(concat(error.what(), ", left out"));
    }
    damaged_.insert(model);
    return false;
  }

  /// Files of a run lie in the recommender's own folders, and in those of what all recommenders share.
  template <typename Visit>
  void for_owners(const RunKey& run, const Visit& visit) const {
    const auto& [dataset, recommender, number] = run;
    for (const std::string& owner : {recommender, std::string(kBaselineOwner)}) {
      visit(dataset, owner, store_.run_paths(dataset, owner, number));
    }
  }

  void copy_histories(const RunKey& run, const std::set<std::string>& stages) const {
    for_owners(run, [&](const std::string& dataset, const std::string& owner, const RunPaths& paths) {
      copy_files(store_, history_folder(folder_, dataset, owner), paths.history, ".csv",
                 [&](const std::string& name, const fs::path&) { return stages.contains(name); });
    });
  }

  void copy_times(const UnitKey& key, const std::set<std::string>& stages) const {
    const std::set<std::string> shared = shared_fits(std::span(&key.generator, 1));
    std::vector<std::string> lines = stages_;
    std::erase_if(lines, [&](const std::string& line) {
      const std::optional<StageRecord> record = parse_stage(line);
      if (!record || record->dataset != key.dataset || record->run != key.run) return true;
      if (record->recommender != key.recommender) return !shared.contains(record->stage);
      return !is_any_generators(record->stage) && !stages.contains(record->stage);
    });
    store_.adopt_stages(lines);
  }

  UnitStore& store_;
  Journal& journal_;
  fs::path folder_;
  std::string known_as_;        ///< the same wherever the program is started
  fs::file_time_type read_at_;  ///< when the two below were
  std::vector<Start> starts_;
  std::vector<std::string> stages_;
  std::set<std::pair<RunKey, std::string>> timed_;  ///< runs and generators whose lines of stages_ have been copied
  std::set<fs::path> damaged_;                      ///< models that were found so
  std::set<std::string> unread_;                    ///< what was said of logs that cannot be read
  std::int64_t units_ = 0;
};

}  // namespace

std::vector<fs::path> result_folders(std::span<const fs::path> folders) {
  std::vector<fs::path> found;
  std::error_code none;
  const auto holds_results = [&](const fs::path& folder) { return fs::exists(folder / kConfigFile, none); };
  for (const fs::path& folder : folders) {
    if (folder.empty()) fail(ErrorKind::kUsage, "--reuse names no folder");
    std::vector<fs::path> here;
    if (holds_results(folder)) here.push_back(folder);
    std::vector<fs::path> inside;
    std::error_code failed;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
      if (holds_results(entry.path())) inside.push_back(entry.path());
    }
    std::sort(inside.begin(), inside.end());
    here.insert(here.end(), inside.begin(), inside.end());
    if (here.empty() && failed) fail(ErrorKind::kUsage, "nothing can be taken from ", folder.string(), ": ", failed.message());
    if (here.empty()) {
      fail(ErrorKind::kUsage, "nothing can be taken from ", folder.string(), ": neither it nor a folder in it has a ",
           kConfigFile, " (--reuse takes folders that reproduce wrote to)");
    }
    for (fs::path& one : here) {
      const bool known = std::any_of(found.begin(), found.end(), [&](const fs::path& other) { return same_folder(one, other); });
      if (!known) found.push_back(std::move(one));
    }
  }
  return found;
}

std::optional<std::string> reuse_conflict(const fs::path& folder, const Configuration& wanted) try {
  const std::optional<std::string> existing = read_text(folder / kConfigFile);
  if (!existing) return "its config.json is gone";
  const std::optional<std::string> difference = configuration_conflict(*existing, wanted);
  return difference ? std::optional("another configuration: " + *difference) : std::nullopt;
} catch (const Error& error) {
  return error.what();
}

std::vector<std::string> reused_lines(std::span<const Reused> reused) {
  std::vector<std::string> lines;
  for (const Reused& one : reused) {
    if (one.conflict) lines.push_back(concat("none from ", one.folder.string(), ": ", *one.conflict));
    if (one.units > 0) lines.push_back(concat(one.units, " of them now taken from ", one.folder.string()));
  }
  return lines;
}

std::vector<std::string> finished_lines(std::int64_t finished, std::int64_t units, const fs::path& folder,
                                        std::span<const Reused> reused) {
  std::vector<std::string> lines;
  if (finished > 0) lines.push_back(concat(finished, " of ", units, " units are finished in ", folder.string()));
  for (const std::string& line : reused_lines(reused)) lines.push_back("  " + line);
  return lines;
}

std::vector<Reused> take_over(UnitStore& store, Journal& journal, std::span<const UnitKey> asked,
                              std::span<const fs::path> folders) {
  if (folders.empty()) return {};
  std::vector<UnitKey> missing;
  std::copy_if(asked.begin(), asked.end(), std::back_inserter(missing), [&](const UnitKey& key) { return !store.has(key); });
  std::vector<Reused> reused;
  std::vector<Taker> takers;
  for (const fs::path& folder : folders) {
    if (same_folder(folder, store.folder())) continue;
    reused.push_back({folder, 0, reuse_conflict(folder, store.configuration())});
    if (reused.back().conflict) continue;
    Taker& taker = takers.emplace_back(store, journal, folder);
    std::erase_if(missing, [&](const UnitKey& key) { return taker.take(key); });
    taker.tell_ends();
    reused.back().units = taker.units();
  }
  std::map<RunKey, std::vector<std::string>> generators;  // of what is still to be computed
  for (const UnitKey& key : missing) generators[run_of(key)].push_back(key.generator);
  for (const auto& [run, names] : generators) {
    for (Taker& taker : takers) taker.copy_models(run, stages_of_all(names));
  }
  return reused;
}

}  // namespace tapestry::recsys
