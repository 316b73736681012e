#include "recsys/experiment/reuse.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "recsys/experiment/line_log.h"
#include "recsys/experiment/planned_work.h"
#include "recsys/experiment/read_text.h"
#include "recsys/experiment/recommender_history.h"
#include "recsys/experiment/run_job.h"
#include "tensor/atomic_file.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "config.json";

/// What shares models, histories of generators and lines of times.
using RunKey = std::tuple<std::string, std::string, int>;  // data set, recommender, run
RunKey run_of(const UnitKey& key) { return {key.dataset, key.recommender, key.run}; }

bool same_folder(const fs::path& a, const fs::path& b) {
  std::error_code none;
  return fs::equivalent(a, b, none);
}

/// Copies a file that is not there yet, in one step. A second name for the same file will do where the file system has that: no
/// file of results is changed in place, only replaced.
void copy_missing(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  if (fs::exists(to, failed)) return;
  if (fs::is_regular_file(fs::symlink_status(from, failed))) fs::create_hard_link(from, to, failed);
  if (fs::exists(to, failed)) return;
  if (const std::optional<std::string> text = read_text(from)) write_file_atomically(to, *text);
}

/// Copies the files "<stem>-*" of another folder that `wanted` says yes to, by what stands in the place of the star.
template <typename Wanted>
void copy_files(const fs::path& from, const fs::path& stem, const Wanted& wanted) {
  const std::string prefix = stem.filename().string() + "-";
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(from, none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && wanted(name.substr(prefix.size()))) copy_missing(entry.path(), stem.parent_path() / name);
  }
}

/// Files of a run: those in the recommender's own folders, and those in the folders of what all recommenders share.
template <typename Visit>
void for_owners(const UnitStore& store, const RunKey& run, const Visit& visit) {
  const auto& [dataset, recommender, number] = run;
  for (const std::string& owner : {recommender, std::string(kBaselineOwner)}) {
    visit(fs::path(dataset) / owner, store.run_paths(dataset, owner, number));
  }
}

/// Everything of one folder that goes with the units taken from it.
class Taker {
 public:
  Taker(UnitStore& store, Journal& journal, fs::path folder) : store_(store), journal_(journal), folder_(std::move(folder)) {}

  /// Histories come before the unit, so that no unit lacks its own.
  bool take(const UnitKey& key) {
    const std::optional<Unit> unit = store_.read_from(folder_, key);
    if (!unit) return false;
    copy_generator_histories(run_of(key));
    const RunPaths paths = store_.run_paths(key.dataset, key.recommender, key.run);
    const std::string file = recommender_history_stage(key.generator, key.setting) + ".csv";
    copy_files(folder_ / "history" / key.dataset / key.recommender, paths.history,
               [&](const std::string& name) { return name == file; });
    store_.write(*unit);
    taken_.insert(key.text());
    runs_.insert(run_of(key));
    return true;
  }

  void copy_models(const RunKey& run) {
    for_owners(store_, run, [&](const fs::path& owner, const RunPaths& paths) {
      copy_files(folder_ / "models" / owner, paths.models, [](const std::string&) { return true; });
    });
    copy_generator_histories(run);
  }

  /// The lines about what was taken: who computed it, and how long that took.
  void tell() {
    if (taken_.empty()) return;
    for (const Start& start : Journal(folder_).starts()) {
      std::set<std::string> units;
      std::set_intersection(start.units.begin(), start.units.end(), taken_.begin(), taken_.end(),
                            std::inserter(units, units.end()));
      if (!units.empty()) journal_.adopt(start, folder_.string(), units);
    }
    std::vector<std::string> stages = read_lines(folder_ / "stages.jsonl");
    std::erase_if(stages, [&](const std::string& line) {
      const std::optional<StageRecord> record = parse_stage(line);
      return !record || !runs_.contains({record->dataset, record->recommender, record->run});
    });
    store_.adopt_stages(stages);
  }

  std::int64_t units() const { return static_cast<std::int64_t>(taken_.size()); }

 private:
  void copy_generator_histories(const RunKey& run) {
    for_owners(store_, run, [&](const fs::path& owner, const RunPaths& paths) {
      copy_files(folder_ / "history" / owner, paths.history,
                 [](const std::string& name) { return name.find(kRecommenderFit) == std::string::npos; });
    });
  }

  UnitStore& store_;
  Journal& journal_;
  fs::path folder_;
  std::set<std::string> taken_;
  std::set<RunKey> runs_;
};

}  // namespace

std::vector<fs::path> result_folders(std::span<const fs::path> folders) {
  std::vector<fs::path> found;
  std::error_code none;
  const auto holds_results = [&](const fs::path& folder) { return fs::exists(folder / kConfigFile, none); };
  for (const fs::path& folder : folders) {
    std::vector<fs::path> here;
    if (holds_results(folder)) here.push_back(folder);
    std::vector<fs::path> inside;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, none)) {
      if (holds_results(entry.path())) inside.push_back(entry.path());
    }
    std::sort(inside.begin(), inside.end());
    here.insert(here.end(), inside.begin(), inside.end());
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

std::optional<std::string> reuse_conflict(const fs::path& folder, const Configuration& wanted) {
  const std::optional<std::string> existing = read_text(folder / kConfigFile);
  if (!existing) return "its config.json is gone";
  return configuration_conflict(*existing, wanted);
}

std::vector<Reused> take_over(UnitStore& store, Journal& journal, std::span<const UnitKey> asked,
                              std::span<const fs::path> folders) {
  std::vector<UnitKey> missing;
  std::copy_if(asked.begin(), asked.end(), std::back_inserter(missing), [&](const UnitKey& key) { return !store.has(key); });
  std::vector<Reused> reused;
  std::vector<Taker> takers;
  for (const fs::path& folder : folders) {
    if (same_folder(folder, store.folder())) continue;
    reused.push_back({folder, 0, reuse_conflict(folder, store.configuration())});
    if (reused.back().conflict) continue;
    Taker taker(store, journal, folder);
    std::erase_if(missing, [&](const UnitKey& key) { return taker.take(key); });
    taker.tell();
    reused.back().units = taker.units();
    takers.push_back(std::move(taker));
  }
  std::set<RunKey> unfinished;
  for (const UnitKey& key : missing) unfinished.insert(run_of(key));
  for (const RunKey& run : unfinished) {
    for (Taker& taker : takers) taker.copy_models(run);
  }
  return reused;
}

}  // namespace tapestry::recsys
