#include "recsys/experiment/manifest.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "recsys/experiment/asked_stages.h"
#include "recsys/experiment/peak_memory.h"
#include "recsys/experiment/stage_names.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

using Json = nlohmann::ordered_json;

/// Those of the paper's models, in the order in which they run: always named, and before the others.
constexpr std::array<const char*, 8> kStages = {kLoad,      "vae_fit",    "sdrm_fit",      "sample_f",
                                                "sample_m", "sample_vae", kRecommenderFit, kEvaluate};
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

std::string manifest_text(const UnitStore& store, const ExperimentOptions& options, std::span<const LoadedDataset> datasets,
                          std::span<const Start> starts, double wall_seconds) {
  const std::vector<std::string> names = dataset_names(datasets);
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
