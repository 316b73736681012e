#include "recsys/experiment/unit_store.h"

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "recsys/data/sha256.h"
#include "recsys/experiment/line_log.h"
#include "recsys/experiment/read_text.h"
#include "tensor/atomic_file.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kResultFiles = {"results.csv", "results.json", "table.md", "manifest.json"};

Json numbers(const std::vector<double>& values) {
  Json json = Json::array();
  for (const double value : values) json.push_back(std::isnan(value) ? Json(nullptr) : Json(value));
  return json;
}

std::vector<double> numbers(const Json& json) {
  std::vector<double> values;
  for (const Json& value : json)
    values.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>());
  return values;
}

Json summary_json(const SyntheticSummary& summary) {
  return {{"users_by_length", summary.shape.users_by_length},
          {"items_by_users", summary.shape.items_by_users},
          {"pairs", summary.pairs},
          {"nearest", summary.nearest},
          {"copies", summary.copies}};
}

SyntheticSummary summary_of(const Json& json) {
  SyntheticSummary summary;
  json.at("users_by_length").get_to(summary.shape.users_by_length);
  json.at("items_by_users").get_to(summary.shape.items_by_users);
  json.at("pairs").get_to(summary.pairs);
  json.at("nearest").get_to(summary.nearest);
  json.at("copies").get_to(summary.copies);
  return summary;
}

/// JSON writes the shortest digits that give a number back, so that a unit read again is the same to the last bit.
Json unit_json(const Unit& unit, const std::string& digest) {
  Json json;
  json["configuration"] = digest;
  json["unit"] = unit.key.text();
  if (!unit.failure.empty()) json["failure"] = unit.failure;
  json["metrics"] = unit.measures.names;
  json["means"] = numbers(unit.measures.means);
  json["users"] = Json::array();
  for (const std::vector<double>& values : unit.measures.users) json["users"].push_back(numbers(values));
  if (unit.synthetic) json["synthetic"] = summary_json(*unit.synthetic);
  return json;
}

/// Throws Json::exception when it is none.
Unit unit_of(const UnitKey& key, const Json& json) {
  Unit unit = {key, json.value("failure", ""), {}, std::nullopt};
  json.at("metrics").get_to(unit.measures.names);
  unit.measures.means = numbers(json.at("means"));
  for (const Json& values : json.at("users")) unit.measures.users.push_back(numbers(values));
  const std::size_t metrics = unit.measures.names.size();
  if (unit.measures.means.size() != metrics || unit.measures.users.size() != metrics) {
    throw Json::other_error::create(0, "metrics without figures", &json);
  }
  if (json.contains("synthetic")) unit.synthetic = summary_of(json["synthetic"]);
  return unit;
}

/// The text of config.json with `wanted` in it, or the reason why the folder is not for it.
std::string joined_configuration(const fs::path& folder, const Configuration& wanted) {
  std::error_code ignored;
  if (const std::optional<std::string> existing = read_text(folder / kConfigFile)) {
    return merge_configuration(*existing, wanted, folder);
  }
  for (const char* file : kResultFiles) {
    if (!fs::exists(folder / file, ignored)) continue;
    fail(ErrorKind::kUsage, folder.string(), " holds a ", file, " but no ", kConfigFile,
         ", so that it is not known what made it; choose another --out or remove that file");
  }
  return to_json(wanted);
}

/// Removes what a kill left of a checkpoint that was being written: it may be large.
void remove_cut_off(const fs::path& folder) {
  std::error_code ignored;
  std::vector<fs::path> cut_off;
  for (const fs::directory_entry& entry : fs::directory_iterator(unfinished_folder(folder), ignored)) {
    if (entry.path().extension() == ".tmp") cut_off.push_back(entry.path());
  }
  for (const fs::path& file : cut_off) fs::remove(file, ignored);
}

}  // namespace

FoundUnit read_unit(const fs::path& folder, const UnitKey& key, const std::string& digest) try {
  const fs::path file = unit_file(folder, key);
  const FoundUnit damaged = {std::nullopt, file.string() + ": damaged"};
  const std::optional<std::string> text = read_text(file);
  if (!text) return {};
  Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("sha256")) return damaged;
  const Json expected = json["sha256"];
  json.erase("sha256");
  if (expected != sha256(json.dump())) return damaged;
  if (!json.contains("unit") || !json.contains("configuration")) return damaged;
  if (json.at("unit") != key.text() || json.at("configuration") != digest) {
    return {std::nullopt, file.string() + ": of another configuration"};
  }
  try {
    return {unit_of(key, json), ""};
  } catch (const Json::exception&) {  // behind the checksum, but not as write() wrote it
    return damaged;
  }
} catch (const Error& error) {
  return {std::nullopt, error.what()};
}

void check_folder(const fs::path& folder, const Configuration& configuration) { joined_configuration(folder, configuration); }

UnitStore::UnitStore(fs::path folder, Configuration configuration, Warn warn)
    : folder_(std::move(folder)), configuration_(std::move(configuration)), warn_(std::move(warn)) {
  check_folder(folder_, configuration_);  // refuses before anything is made
  make_output_folder(units_folder(folder_));
  lock_.emplace(folder_);
  const std::string joined = joined_configuration(folder_, configuration_);  // again: now nobody else writes it
  if (read_text(folder_ / kConfigFile) != joined) write_file_atomically(folder_ / kConfigFile, joined);
  remove_cut_off(folder_);
}

std::optional<Unit> UnitStore::read_from(const fs::path& folder, const UnitKey& key) const {
  FoundUnit found = read_unit(folder, key, unit_digest(configuration_, key.dataset, key.recommender, key.generator));
  if (!found.refusal.empty()) {
    const bool first = [&] {
      const std::lock_guard lock(refused_mutex_);
      return refused_.insert(unit_file(folder, key)).second;
    }();
    if (first) warn_(found.refusal + (folder == folder_ ? ", counts as not finished" : ", not taken"));
  }
  return std::move(found.unit);
}

void UnitStore::write(const Unit& unit) {
  const UnitKey& key = unit.key;
  Json json = unit_json(unit, unit_digest(configuration_, key.dataset, key.recommender, key.generator));
  json["sha256"] = sha256(json.dump());
  write_file_atomically(unit_file(folder_, key), json.dump() + "\n");
}

void UnitStore::remove_unfinished(const UnitKey& key) const {
  std::error_code ignored;
  fs::remove(unfinished_unit_file(folder_, key), ignored);
}

RunPaths UnitStore::run_paths(const std::string& dataset, const std::string& owner, int run) const {
  const RunPaths paths = paths_of_run(folder_, dataset, owner, run);
  for (const fs::path& path : {paths.models, paths.history}) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) fail(ErrorKind::kData, path.parent_path().string(), ": cannot be made: ", error.message());
  }
  return paths;
}

void UnitStore::log_stage(const StageRecord& record) {
  const Json json = {{"dataset", record.dataset}, {"recommender", record.recommender}, {"run", record.run},
                     {"stage", record.stage},     {"seconds", record.seconds},         {"peak_rss_bytes", record.peak_rss_bytes}};
  const std::lock_guard lock(log_mutex_);
  append_line(folder_ / kStagesFile, json.dump());
}

void UnitStore::adopt_stages(std::span<const std::string> lines) {
  const std::lock_guard lock(log_mutex_);
  const std::vector<std::string> here = read_lines(folder_ / kStagesFile);
  std::set<std::string> known(here.begin(), here.end());
  for (const std::string& line : lines) {
    if (known.insert(line).second) append_line(folder_ / kStagesFile, line);
  }
}

std::optional<StageRecord> parse_stage(const std::string& line) try {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  StageRecord record;
  record.dataset = json.value("dataset", "");
  record.recommender = json.value("recommender", "");
  record.run = json.value("run", 0);
  record.stage = json.value("stage", "");
  record.seconds = json.value("seconds", 0.0);
  record.peak_rss_bytes = json.value("peak_rss_bytes", std::int64_t{0});
  if (!(record.seconds >= 0 && record.seconds <= kMostSeconds)) return std::nullopt;
  return record;
} catch (const Json::exception&) {
  return std::nullopt;
}

std::vector<StageRecord> UnitStore::stages() const {
  std::vector<StageRecord> records;
  for (const std::string& line : read_lines(folder_ / kStagesFile)) {
    if (std::optional<StageRecord> record = parse_stage(line)) records.push_back(std::move(*record));
  }
  return records;
}

void UnitStore::write_file(const std::string& name, const std::string& text) const {
  write_file_atomically(folder_ / name, text);
}

}  // namespace tapestry::recsys
