#include "recsys/experiment/outputs.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "recsys/experiment/selection.h"
#include "recsys/metrics/ranking.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 8> kStages = {"load",     "vae_fit",    "sdrm_fit",        "sample_f",
                                                "sample_m", "sample_vae", "recommender_fit", "evaluate"};
/// derive_seed index of the bootstrap under the root seed, out of the way of the runs.
constexpr std::uint64_t kBootstrapSeed = 1'000'000;

/// The cells of one combination, one per metric.
std::vector<Cell> combination_cells(const std::vector<Unit>& units, const ExperimentOptions& options) {
  const UnitKey& key = units.front().key;
  std::vector<Cell> cells;
  for (std::size_t metric = 0; metric < units.front().metrics.size(); ++metric) {
    Cell cell = {key.dataset, key.recommender, key.setting, key.generator, units.front().metrics[metric], {}, {}};
    std::vector<std::vector<double>> users;
    for (const Unit& unit : units) {
      cell.runs.push_back(unit.means[metric]);
      users.push_back(unit.users[metric]);
    }
    if (options.protocol == ProtocolName::kStrict) {
      cell.interval = bootstrap_interval(users, {.seed = derive_seed(options.seed, kBootstrapSeed)});
    } else if (key.generator == kOriginal && is_deterministic(key.recommender)) {
      cell.interval = Interval{cell.runs.front(), cell.runs.front()};
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

std::int64_t peak_rss_bytes() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

Json stage_json(const std::vector<StageRecord>& records, const std::string& dataset) {
  Json json = Json::object();
  for (const char* stage : kStages) {
    double seconds = 0;
    for (const StageRecord& record : records) {
      if (record.stage == stage && (dataset.empty() || record.dataset == dataset)) seconds += record.seconds;
    }
    json[stage] = seconds;
  }
  return json;
}

/// The stages of what was asked for, whenever they were computed.
std::vector<StageRecord> selected_stages(const UnitStore& store, const ExperimentOptions& options,
                                         std::span<const LoadedDataset> datasets) {
  std::vector<StageRecord> records = store.stages();
  std::erase_if(records, [&](const StageRecord& record) {
    const bool dataset = std::any_of(datasets.begin(), datasets.end(),
                                     [&](const LoadedDataset& loaded) { return loaded.data.name == record.dataset; });
    return !dataset || record.run > options.runs;
  });
  return records;
}

}  // namespace

std::vector<UnitKey> unit_keys(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender,
                               const std::string& setting, const std::string& generator) {
  const int runs = generator == kOriginal && is_deterministic(recommender) ? 1 : options.runs;
  std::vector<UnitKey> keys;
  for (int run = 1; run <= runs; ++run) keys.push_back({dataset, recommender, setting, generator, run});
  return keys;
}

std::vector<Cell> collect_cells(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets) {
  std::vector<std::vector<Unit>> combinations;
  for (const std::string& dataset : datasets) {
    for (const std::string& recommender : options.recommenders) {
      for (const std::string& setting : options.settings) {
        for (const std::string& generator : options.generators) {
          std::vector<Unit>& units = combinations.emplace_back();
          for (const UnitKey& key : unit_keys(options, dataset, recommender, setting, generator)) {
            std::optional<Unit> unit = store.read(key);
            check(unit.has_value(), "collect_cells: unit ", key.text(), " is missing");
            units.push_back(std::move(*unit));
          }
        }
      }
    }
  }
  // Side by side, since a bootstrap over thousands of users takes a second.
  std::vector<std::vector<Cell>> cells(combinations.size());
  parallel_for(static_cast<std::int64_t>(combinations.size()), [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    cells[at] = combination_cells(combinations[at], options);
  });
  std::vector<Cell> all;
  for (std::vector<Cell>& some : cells) std::move(some.begin(), some.end(), std::back_inserter(all));
  return all;
}

std::string table_text(std::span<const Cell> cells, const ExperimentOptions& options, const ReportOptions& report) {
  std::string text = concat("# Results\n\nVariant `", to_string(options.variant), "`, seed ", options.seed, ".");
  if (options.quick) text += " **Quick run: models trained for a few epochs only; these figures mean nothing.**";
  return text + "\n\n" + markdown_table(cells, report);
}

std::string manifest_text(const UnitStore& store, const ExperimentOptions& options, std::span<const LoadedDataset> datasets,
                          double wall_seconds) {
  const std::vector<StageRecord> records = selected_stages(store, options, datasets);
  Json json;
  json["command"] = options.command;
  Json names = Json::array();
  for (const LoadedDataset& loaded : datasets) names.push_back(loaded.data.name);
  json["options"] = {{"dataset", names},
                     {"recommender", options.recommenders},
                     {"generators", options.generators},
                     {"setting", options.settings},
                     {"protocol", to_string(options.protocol)},
                     {"variant", to_string(options.variant)},
                     {"runs", options.runs},
                     {"seed", options.seed},
                     {"quick", options.quick},
                     {"threads", options.threads},
                     {"jobs", options.jobs},
                     {"device", options.device},
                     {"out", options.out.string()}};
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
