#include "recsys/experiment/paper.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "recsys/experiment/combinations.h"
#include "recsys/experiment/finished_work.h"
#include "recsys/experiment/folder_lock.h"
#include "recsys/experiment/read_text.h"
#include "recsys/experiment/selection.h"
#include "tensor/atomic_file.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr int kPaperRuns = 5;
constexpr int kStrictRuns = 10;
/// What ten runs of a data set with a recommender may take.
constexpr double kCheapSeconds = 3600;

/// More than anybody chose: a file that says more was not written by us.
constexpr int kMostRuns = 100000;

std::string name_of(const RunChoice& choice) { return choice.dataset + "/" + choice.recommender; }

[[noreturn]] void fail_unreadable(const fs::path& file) {
  fail(ErrorKind::kUsage, file.string(), " cannot be read; remove it to have the runs chosen again");
}

/// The choices in a file that an earlier start wrote, by name; empty when there is none.
std::map<std::string, RunChoice> read_choices(const fs::path& file) {
  std::map<std::string, RunChoice> choices;
  const std::optional<std::string> text = read_text(file);
  if (!text) return choices;
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) fail_unreadable(file);
  try {
    for (const Json& one : json) {
      const RunChoice choice = {one.value("dataset", ""), one.value("recommender", ""), one.value("runs", 0),
                                one.value("seconds_predicted", 0.0)};
      if (choice.runs > kMostRuns) fail_unreadable(file);
      if (choice.runs > 0) choices[name_of(choice)] = choice;
    }
  } catch (const Json::exception&) {
    fail_unreadable(file);
  }
  return choices;
}

void write_choices(const fs::path& file, const std::map<std::string, RunChoice>& choices) {
  Json json = Json::array();
  for (const auto& [name, choice] : choices) {
    json.push_back({{"dataset", choice.dataset},
                    {"recommender", choice.recommender},
                    {"runs", choice.runs},
                    {"seconds_predicted", choice.seconds}});
  }
  make_output_folder(file.parent_path());
  write_file_atomically(file, json.dump(2) + "\n");
}

/// What one run of each pair is predicted to take, as if nothing were finished.
std::vector<RunChoice> predict(const std::vector<LoadedDataset>& datasets, ExperimentOptions options, PlanOptions plan) {
  options.runs = 1;
  options.only.clear();
  plan.as_if_new = true;
  std::vector<RunChoice> predicted;
  for (const PlannedRow& row : make_plan(datasets, options, plan).rows) {
    if (predicted.empty() || predicted.back().dataset != row.dataset || predicted.back().recommender != row.recommender) {
      predicted.push_back({row.dataset, row.recommender, 0, 0});
    }
    predicted.back().seconds += row.seconds;
  }
  return predicted;
}

/// Whether all runs are finished, here or where they are taken from, so that they cost nothing.
bool is_finished(const FinishedWork& finished, ExperimentOptions strict, const RunChoice& choice) {
  strict.recommenders = {choice.recommender};
  const std::vector<UnitKey> keys = all_unit_keys(strict, std::vector<std::string>{choice.dataset});
  return std::all_of(keys.begin(), keys.end(), [&](const UnitKey& key) { return finished.has(key); });
}

}  // namespace

bool chooses_strict_runs(const ExperimentOptions& asked, const GivenOptions& given) {
  return !given.runs && !asked.quick && asked.folds == 0;
}

std::vector<ExperimentOptions> paper_parts(const ExperimentOptions& asked, const GivenOptions& given) {
  std::vector<ExperimentOptions> parts;
  const auto add = [&](ProtocolName protocol, int runs) {
    if (given.protocol && asked.protocol != protocol) return;
    ExperimentOptions part = asked;
    part.protocol = protocol;
    part.out = asked.out / to_string(protocol);
    const bool strict = protocol == ProtocolName::kStrict;
    if (!strict) part.folds = 0;
    if (!given.runs) part.runs = asked.quick ? 1 : runs;
    if (chooses_strict_runs(asked, given) && strict) part.folds = kStrictRuns;  // everybody is reported once
    // Every fold is reported equally often.
    if (part.folds > 0) part.runs = (part.runs + part.folds - 1) / part.folds * part.folds;
    if (strict && !given.generators) part.generators = {kOriginal, "multivae++", "f-sdrm", "m-sdrm"};
    parts.push_back(std::move(part));
  };
  add(ProtocolName::kPublished, kPaperRuns);
  add(ProtocolName::kStrict, kStrictRuns);
  return parts;
}

std::vector<RunChoice> choose_runs(std::vector<RunChoice> predicted, int runs, int fewer, double cheap) {
  for (RunChoice& choice : predicted) choice.runs = choice.seconds * runs <= cheap ? runs : std::min(fewer, runs);
  return predicted;
}

std::vector<std::string> choice_lines(std::span<const RunChoice> choices) {
  std::vector<std::string> lines;
  for (const RunChoice& choice : choices) {
    lines.push_back(concat("strict: ", choice.dataset, " ", choice.recommender, ": ", choice.runs,
                           choice.runs == 1 ? " run" : " runs", ", about ", duration_text(choice.seconds), " each"));
  }
  return lines;
}

std::vector<RunChoice> decided_runs(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& strict,
                                    const fs::path& file, bool keep, const PlanOptions& plan) {
  std::map<std::string, RunChoice> known = read_choices(file);
  for (const auto& [name, choice] : known) {
    if (choice.runs > strict.runs) {
      fail(ErrorKind::kUsage, file.string(), " says ", choice.runs, " runs of ", name, ", there are at most ", strict.runs,
           "; remove it to have the runs chosen again");
    }
  }
  std::vector<LoadedDataset> open;
  std::vector<RunChoice> choices;
  for (const LoadedDataset& loaded : datasets) {
    const bool decided = std::all_of(strict.recommenders.begin(), strict.recommenders.end(), [&](const std::string& recommender) {
      return known.count(loaded.data.name + "/" + recommender) != 0;
    });
    if (!decided) open.push_back(loaded);
  }
  if (!open.empty()) {
    const FinishedWork finished(strict.out, configuration_of(open, strict), strict.reuse);
    for (RunChoice choice : choose_runs(predict(open, strict, plan), strict.runs, kPaperRuns, kCheapSeconds)) {
      if (is_finished(finished, strict, choice)) choice.runs = strict.runs;
      known.emplace(name_of(choice), choice);  // what was decided before stays
    }
    if (keep) write_choices(file, known);
  }
  for (const LoadedDataset& loaded : datasets) {
    for (const std::string& recommender : strict.recommenders) choices.push_back(known.at(loaded.data.name + "/" + recommender));
  }
  return choices;
}

void set_runs(std::span<const RunChoice> choices, ExperimentOptions& options) {
  options.fewer_runs.clear();
  options.runs = 1;
  for (const RunChoice& choice : choices) options.runs = std::max(options.runs, choice.runs);
  for (const RunChoice& choice : choices) {
    if (choice.runs < options.runs) options.fewer_runs[name_of(choice)] = choice.runs;
  }
}

}  // namespace tapestry::recsys
