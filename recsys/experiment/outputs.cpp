#include "recsys/experiment/outputs.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <nlohmann/json.hpp>

#include "recsys/experiment/peak_memory.h"
#include "recsys/experiment/planned_work.h"
#include "recsys/experiment/selection.h"
#include "recsys/generators/make_generators.h"
#include "recsys/metrics/ranking.h"
#include "recsys/metrics/users_and_fits.h"
#include "recsys/report/headline.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

using Json = nlohmann::ordered_json;

/// Those of the paper's models, in the order in which they run: always named, and before the others.
constexpr std::array<const char*, 8> kStages = {"load",     "vae_fit",    "sdrm_fit",        "sample_f",
                                                "sample_m", "sample_vae", "recommender_fit", "evaluate"};
/// derive_seed index of the bootstrap under the root seed, out of the way of the runs.
constexpr std::uint64_t kBootstrapSeed = 1'000'000;

/// derive_seed index of the comparisons.
constexpr std::uint64_t kComparisonSeed = 1'000'001;

UserValues user_values(const std::vector<Unit>& units, std::size_t metric, int folds) {
  UserValues values;
  // With fewer runs than folds (ExperimentOptions::fewer_runs) the first folds are all there are.
  values.folds = std::min(folds, static_cast<int>(units.size()));
  for (const Unit& unit : units) values.fits.push_back(unit.measures.users[metric]);
  return values;
}

/// Ours less theirs on the same users. A row without randomness has one unit (for each fold), which stands for all runs.
UserValues differences(const UserValues& ours, const UserValues& theirs) {
  UserValues values;
  values.folds = ours.folds;
  values.fits.resize(std::max(ours.fits.size(), theirs.fits.size()));
  for (std::size_t fit = 0; fit < values.fits.size(); ++fit) {
    const std::vector<double>& mine = ours.fits[fit % ours.fits.size()];
    const std::vector<double>& other = theirs.fits[fit % theirs.fits.size()];
    check(mine.size() == other.size(), "Experiment: ", mine.size(), " users are compared with ", other.size());
    for (std::size_t user = 0; user < mine.size(); ++user) values.fits[fit].push_back(mine[user] - other[user]);
  }
  return values;
}

/// The cells of one combination, one per metric.
std::vector<Cell> combination_cells(const std::vector<Unit>& units, const ExperimentOptions& options) {
  const UnitKey& key = units.front().key;
  // Where a run failed its users are missing, not by chance.
  const bool failed = std::any_of(units.begin(), units.end(), [](const Unit& unit) { return !unit.failure.empty(); });
  std::vector<Cell> cells;
  const Measures& first = units.front().measures;
  for (std::size_t metric = 0; metric < first.names.size(); ++metric) {
    Cell cell = {key.dataset, key.recommender, key.setting, key.generator, first.names[metric], {}, {}};
    cell.failed = failed;
    for (const Unit& unit : units) cell.runs.push_back(unit.measures.means[metric]);
    if (options.protocol == ProtocolName::kStrict && !first.users[metric].empty() && !failed) {
      const UserValues values = user_values(units, metric, options.folds);
      cell.mean = mean_test(values).mean;
      cell.interval = bootstrap_interval(values, {.seed = derive_seed(options.seed, kBootstrapSeed)});
    } else if (options.protocol == ProtocolName::kPublished && key.generator == kOriginal && is_deterministic(key.recommender)) {
      cell.interval = Interval{cell.runs.front(), cell.runs.front()};
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

/// One combination against another on the same users, one comparison per metric.
std::vector<Comparison> compare(const std::vector<Unit>& units, const std::vector<Unit>& baseline,
                                const ExperimentOptions& options) {
  const ResamplingOptions resampling = {.seed = derive_seed(options.seed, kComparisonSeed)};
  const UnitKey& key = units.front().key;
  std::vector<Comparison> comparisons;
  const Measures& first = units.front().measures;
  for (std::size_t metric = 0; metric < first.names.size(); ++metric) {
    if (first.users[metric].empty()) continue;  // a figure of all users together
    const UserValues ours = user_values(units, metric, options.folds), theirs = user_values(baseline, metric, options.folds);
    const UserValues values = differences(ours, theirs);
    comparisons.push_back({key.dataset, key.recommender, key.setting, key.generator, baseline.front().key.generator,
                           first.names[metric], bootstrap_interval(values, resampling), mean_test(values),
                           sign_flip_test(user_means(ours), user_means(theirs), resampling).p_two_sided});
  }
  return comparisons;
}

/// What there is of one combination.
struct Combination {
  Unfinished counts;
  std::vector<Unit> units;  ///< the finished ones, in run order

  bool complete() const { return counts.finished == counts.asked; }
  bool failed() const {
    return std::any_of(units.begin(), units.end(), [](const Unit& unit) { return !unit.failure.empty(); });
  }
};

Combination read_combination(const UnitStore& store, const ExperimentOptions& options, const std::string& dataset,
                             const std::string& recommender, const std::string& setting, const std::string& generator) {
  Combination combination = {{dataset, recommender, setting, generator, 0, 0}, {}};
  for (const UnitKey& key : unit_keys(options, dataset, recommender, setting, generator)) {
    ++combination.counts.asked;
    std::optional<Unit> unit = store.read(key);
    if (!unit) continue;
    ++combination.counts.finished;
    combination.units.push_back(std::move(*unit));
  }
  return combination;
}

/// visit(Combination) for all that are asked for, in the order of reports.
template <typename Visit>
void for_combinations(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets,
                      const Visit& visit) {
  for (const std::string& dataset : datasets) {
    for (const std::string& recommender : options.recommenders) {
      for (const std::string& setting : options.settings) {
        for (const std::string& generator : options.generators) {
          visit(read_combination(store, options, dataset, recommender, setting, generator));
        }
      }
    }
  }
}

/// What a generator is compared with: no synthetic users at all, and, for SDRM, the model it is built on.
std::vector<std::string> baselines(const std::string& generator) {
  if (generator == kOriginal) return {};
  if (generator == "multivae++") return {kOriginal};
  return {kOriginal, "multivae++"};
}

/// body(0), body(1), ... side by side, since a bootstrap over thousands of users takes a second; their results in order.
template <typename Result, typename Body>
std::vector<Result> gather(std::size_t count, const std::function<void(double)>& told, const Body& body) {
  std::vector<std::vector<Result>> parts(count);
  std::atomic<std::size_t> done = 0;
  parallel_for(static_cast<std::int64_t>(count), [&](std::int64_t i) {
    parts[static_cast<std::size_t>(i)] = body(static_cast<std::size_t>(i));
    told(static_cast<double>(++done) / static_cast<double>(count));
  });
  std::vector<Result> all;
  for (std::vector<Result>& part : parts) std::move(part.begin(), part.end(), std::back_inserter(all));
  return all;
}

Json stage_json(const std::vector<StageRecord>& records, const std::string& dataset) {
  Json json = Json::object();
  for (const char* stage : kStages) json[stage] = 0.0;
  for (const StageRecord& record : records) {
    if (!dataset.empty() && record.dataset != dataset) continue;
    json[record.stage] = json.value(record.stage, 0.0) + record.seconds;
  }
  return json;
}

/// What computed the units of the folder, and what writes this.
Json starts_json(std::span<const Start> starts) {
  Json json = Json::array();
  for (const Start& start : notable_starts(starts)) {
    json.push_back({{"command", start.command},
                    {"revision", start.revision},
                    {"build", start.build},
                    {"wall_seconds", start.wall_seconds ? Json(*start.wall_seconds) : Json(nullptr)},
                    {"units", start.units.size()}});
  }
  return json;
}

std::vector<std::string> folder_names(std::span<const std::filesystem::path> folders) {
  std::vector<std::string> names;
  for (const std::filesystem::path& folder : folders) names.push_back(folder.string());
  return names;
}

}  // namespace

std::vector<UnitKey> unit_keys(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender,
                               const std::string& setting, const std::string& generator) {
  // Without randomness one run per fold says it all.
  const bool once = generator == kOriginal && is_deterministic(recommender);
  const int asked = runs_of(options, dataset, recommender);
  const int runs = once ? std::min(std::max(1, options.folds), asked) : asked;
  std::vector<UnitKey> keys;
  for (int run = 1; run <= runs; ++run) keys.push_back({dataset, recommender, setting, generator, run});
  return keys;
}

std::vector<UnitKey> all_unit_keys(const ExperimentOptions& options, std::span<const std::string> datasets) {
  std::vector<UnitKey> all;
  for (const std::string& dataset : datasets) {
    for (const std::string& recommender : options.recommenders) {
      for (const std::string& setting : options.settings) {
        for (const std::string& generator : options.generators) {
          for (UnitKey& key : unit_keys(options, dataset, recommender, setting, generator)) all.push_back(std::move(key));
        }
      }
    }
  }
  return all;
}

std::set<std::string> stages_of_all(std::span<const std::string> generators) {
  std::set<std::string> all;
  for (const std::string& generator : generators) {
    if (generator == kOriginal) continue;
    for (std::string& stage : stages_of(generator)) all.insert(std::move(stage));
  }
  return all;
}

std::vector<StageRecord> asked_stages(const UnitStore& store, const ExperimentOptions& options,
                                      std::span<const std::string> datasets) {
  const std::set<std::string> of_generators = stages_of_all(options.generators);
  const auto is_in = [](const auto& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<StageRecord> records = store.stages();
  std::erase_if(records, [&](const StageRecord& record) {
    const bool generators = record.stage.ends_with("_fit") || record.stage.starts_with("sample_");
    return !is_in(datasets, record.dataset) || record.run > options.runs ||
           (!record.recommender.empty() && !is_in(options.recommenders, record.recommender)) ||
           (generators && record.stage != kRecommenderFit && !of_generators.contains(record.stage));
  });
  return records;
}

std::vector<Cell> collect_cells(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets,
                                const std::function<void(double)>& told) {
  std::vector<std::vector<Unit>> combinations;
  for_combinations(store, options, datasets, [&](Combination combination) {
    if (combination.complete()) combinations.push_back(std::move(combination.units));
  });
  return gather<Cell>(combinations.size(), told, [&](std::size_t i) { return combination_cells(combinations[i], options); });
}

std::vector<Comparison> collect_comparisons(const UnitStore& store, const ExperimentOptions& options,
                                            std::span<const std::string> datasets, const std::function<void(double)>& told) {
  if (options.protocol != ProtocolName::kStrict) return {};
  std::vector<std::pair<std::vector<Unit>, std::vector<Unit>>> pairs;
  for_combinations(store, options, datasets, [&](const Combination& one) {
    const Unfinished& key = one.counts;
    for (const std::string& baseline : baselines(key.generator)) {
      if (std::find(options.generators.begin(), options.generators.end(), baseline) == options.generators.end()) continue;
      Combination other = read_combination(store, options, key.dataset, key.recommender, key.setting, baseline);
      if (!one.complete() || !other.complete() || one.failed() || other.failed()) continue;
      pairs.emplace_back(one.units, std::move(other.units));
    }
  });
  std::vector<Comparison> comparisons =
      gather<Comparison>(pairs.size(), told, [&](std::size_t i) { return compare(pairs[i].first, pairs[i].second, options); });
  correct_for_number(comparisons);
  return comparisons;
}

std::vector<Failure> collect_failures(const UnitStore& store, const ExperimentOptions& options,
                                      std::span<const std::string> datasets) {
  std::vector<Failure> failures;
  for_combinations(store, options, datasets, [&](const Combination& combination) {
    for (const Unit& unit : combination.units) {
      if (!unit.failure.empty()) failures.push_back({unit.key.text(), unit.failure});
    }
  });
  return failures;
}

std::vector<Unfinished> collect_unfinished(const UnitStore& store, const ExperimentOptions& options,
                                           std::span<const std::string> datasets) {
  std::vector<Unfinished> unfinished;
  for_combinations(store, options, datasets, [&](const Combination& combination) {
    if (!combination.complete()) unfinished.push_back(combination.counts);
  });
  return unfinished;
}

std::string results_text(std::span<const Cell> cells, std::span<const Comparison> comparisons, std::span<const Failure> failures,
                         std::span<const Unfinished> unfinished, const ReportOptions& report) {
  std::string text = results_json(cells, report, comparisons, failures);
  if (unfinished.empty()) return text;
  Json json = Json::parse(text);
  for (const Unfinished& one : unfinished) {
    json["unfinished"].push_back({{"dataset", one.dataset},
                                  {"recommender", one.recommender},
                                  {"setting", one.setting},
                                  {"generator", one.generator},
                                  {"finished", one.finished},
                                  {"asked", one.asked}});
  }
  return json.dump(2) + "\n";
}

std::string table_text(std::span<const Cell> cells, std::span<const Comparison> comparisons, std::span<const Failure> failures,
                       std::span<const Unfinished> unfinished, const ExperimentOptions& options, const ReportOptions& report) {
  std::string text = concat("# Results\n\nVariant `", to_string(options.variant), "`, seed ", options.seed, ".");
  text += "\n\n" + headline_markdown(headline(cells, comparisons, report));
  if (!unfinished.empty()) {
    text += "## Not finished\n\nLeft out of everything below, since not all of their units are finished:\n\n";
    for (const std::string& line : unfinished_lines(unfinished)) text += "* " + line + "\n";
    text += "\n";
  }
  text += markdown_table(cells, report);
  if (!comparisons.empty()) text += "\n## Compared user by user\n\n" + comparison_table(comparisons);
  if (!failures.empty()) text += "\n## What failed\n\n" + failure_list(failures);
  return text;
}

std::string manifest_text(const UnitStore& store, const ExperimentOptions& options, std::span<const LoadedDataset> datasets,
                          std::span<const Start> starts, double wall_seconds) {
  std::vector<std::string> names;
  for (const LoadedDataset& loaded : datasets) names.push_back(loaded.data.name);
  const std::vector<StageRecord> records = asked_stages(store, options, names);
  Json json;
  json["command"] = options.command;
  json["options"] = {{"dataset", names},
                     {"recommender", options.recommenders},
                     {"generators", options.generators},
                     {"setting", options.settings},
                     {"protocol", to_string(options.protocol)},
                     {"folds", options.folds},
                     {"variant", to_string(options.variant)},
                     {"without", joined(options.without)},
                     {"runs", options.runs},
                     {"fewer_runs", options.fewer_runs},
                     {"only", options.only},
                     {"seed", options.seed},
                     {"quick", options.quick},
                     {"threads", options.threads},
                     {"jobs", options.jobs},
                     {"device", options.device},
                     {"precision", options.precision},
                     {"neumf_selection", options.neumf_selection ? Json(to_string(*options.neumf_selection)) : Json(nullptr)},
                     {"out", options.out.string()},
                     {"reuse", folder_names(options.reuse)}};
  json["seeds"] = {{"root", options.seed}, {"runs", Json::array()}};
  for (int run = 1; run <= options.runs; ++run) {
    json["seeds"]["runs"].push_back(derive_seed(options.seed, static_cast<std::uint64_t>(run)));
  }
  json["versions"] = options.versions;
  json["device"] = options.device;
  std::int64_t peak = peak_rss_bytes();
  for (const StageRecord& record : records) peak = std::max(peak, record.peak_rss_bytes);
  json["peak_rss_bytes"] = peak;
  json["wall_seconds"] = wall_seconds;
  json["starts"] = starts_json(starts);
  json["stage_seconds"] = stage_json(records, "");
  json["datasets"] = Json::object();
  for (const LoadedDataset& loaded : datasets) {
    json["datasets"][loaded.data.name] = {
        {"source", loaded.data.source},       {"sha256", loaded.data.sha256},
        {"users", loaded.data.stored.rows()}, {"items", loaded.data.stored.cols()},
        {"stored", loaded.data.stored.nnz()}, {"stage_seconds", stage_json(records, loaded.data.name)}};
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tapestry::recsys
