#include "recsys/experiment/finished_work.h"

#include <algorithm>
#include <set>
#include <utility>

#include "recsys/experiment/line_log.h"
#include "recsys/experiment/read_text.h"
#include "recsys/experiment/results_folder.h"
#include "recsys/experiment/stage_names.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

namespace fs = std::filesystem;

/// What `read` gives, nothing where it cannot: a plan then measures or assumes what it is not told.
template <typename Read>
auto if_readable(const Read& read) -> decltype(read()) {
  try {
    return read();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

FinishedWork::FinishedWork(fs::path folder, Configuration configuration, std::span<const fs::path> reuse)
    : folders_({std::move(folder)}), configuration_(std::move(configuration)) {
  check_folder(folders_.front(), configuration_);
  for (const fs::path& other : reuse) {
    std::optional<std::string> conflict = reuse_conflict(other, configuration_);
    if (conflict) {
      unfit_.push_back({other, 0, std::move(conflict)});
    } else {
      folders_.push_back(other);
    }
  }
  std::set<std::string> lines;  // one that was taken over is in two folders
  for (const fs::path& one : folders_) {
    for (std::string& line : if_readable([&] { return read_lines(one / kStagesFile); })) lines.insert(std::move(line));
  }
  for (const std::string& line : lines) {
    if (const std::optional<StageRecord> record = parse_stage(line)) {
      times_.add(*record);
    }
  }
}

bool FinishedWork::has(const UnitKey& unit) const {
  const std::string digest = unit_digest(configuration_, unit.dataset, unit.recommender, unit.generator);
  return std::any_of(folders_.begin(), folders_.end(),
                     [&](const fs::path& folder) { return read_unit(folder, unit, digest).unit.has_value(); });
}

std::int64_t FinishedWork::begun(std::span<const RunJob> jobs) const {
  std::set<fs::path> fits;  // those of generators that recommenders share belong to several jobs
  std::error_code none;
  for (const auto& file : fs::directory_iterator(unfinished_folder(folders_.front()), none)) {
    if (file.path().extension() != ".safetensors") continue;
    const std::string name = file.path().filename().string();
    for (const RunJob& job : jobs) {
      const bool recommenders = std::any_of(job.missing.begin(), job.missing.end(), [&](const UnitKey& key) {
        return unfinished_unit_file(folders_.front(), key).filename() == name;
      });
      const auto generators = [&](const std::string& owner) {
        return name.starts_with(paths_of_run(folders_.front(), job.dataset, owner, job.run).unfinished.filename().string() + "-");
      };
      if (recommenders || generators(job.recommender) || generators(kBaselineOwner)) fits.insert(file.path());
    }
  }
  return static_cast<std::int64_t>(fits.size());
}

ModelFolder FinishedWork::models(const std::string& dataset, const std::string& owner, int run) const {
  const auto has_models = [&](const fs::path& folder) {
    const fs::path stem = paths_of_run(folder, dataset, owner, run).models;
    std::error_code none;
    const fs::directory_iterator files(stem.parent_path(), none);
    return std::any_of(begin(files), end(files), [&](const fs::directory_entry& entry) {
      return entry.path().filename().string().starts_with(stem.filename().string() + "-");
    });
  };
  const auto found = std::find_if(folders_.begin(), folders_.end(), has_models);
  const RunPaths paths = paths_of_run(found == folders_.end() ? folders_.front() : *found, dataset, owner, run);
  return {paths.models, paths.history, configuration_digest(configuration_, dataset, owner)};
}

std::optional<KnownMean> FinishedWork::epochs(const std::string& dataset, const std::string& owner,
                                              const std::string& stage) const {
  KnownMean known;
  std::set<std::string> seen;  // one that was taken over is in two folders
  for (const fs::path& folder : folders_) {
    std::error_code none;
    for (const fs::directory_entry& entry : fs::directory_iterator(history_folder(folder, dataset, owner), none)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with("run-") || !name.ends_with((stage.starts_with("-") ? "" : "-") + stage + ".csv")) continue;
      if (!seen.insert(name).second) continue;
      const std::optional<std::string> text = if_readable([&] { return read_text(entry.path()); });
      if (text) known.add(static_cast<double>(std::count(text->begin(), text->end(), '\n') - 1));  // the first line has names
    }
  }
  if (known.count == 0) return std::nullopt;
  return known;
}

}  // namespace tapestry::recsys
