#include "recsys/experiment/finished_work.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "recsys/experiment/read_text.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

void add(KnownMean& known, double value) { known.mean += (value - known.mean) / ++known.count; }

}  // namespace

FinishedWork::FinishedWork(fs::path folder, Configuration configuration)
    : folder_(std::move(folder)), configuration_(std::move(configuration)) {
  if (const std::optional<std::string> existing = read_text(folder_ / "config.json")) {
    merge_configuration(*existing, configuration_, folder_);
  }
  std::ifstream stages(folder_ / "stages.jsonl", std::ios::binary);
  for (std::string line; std::getline(stages, line);) {
    if (const std::optional<StageRecord> record = parse_stage(line)) {
      add(seconds_[{record->dataset, record->recommender, record->stage}], record->seconds);
    }
  }
}

bool FinishedWork::has(const UnitKey& unit) const {
  std::optional<std::string> text;
  try {
    text = read_text(folder_ / "units" / (unit.text() + ".json"));
  } catch (const Error&) {  // will be computed again
  }
  if (!text) return false;
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() && json.contains("configuration") &&
         json["configuration"] == unit_digest(configuration_, unit.dataset, unit.recommender, unit.generator);
}

ModelFolder FinishedWork::models(const std::string& dataset, const std::string& owner, int run) const {
  const std::string name = "run-" + std::to_string(run);
  return {folder_ / "models" / dataset / owner / name, folder_ / "history" / dataset / owner / name,
          configuration_digest(configuration_, dataset, owner)};
}

std::optional<KnownMean> FinishedWork::seconds(const std::string& dataset, const std::string& recommender,
                                               const std::string& stage) const {
  const auto found = seconds_.find({dataset, recommender, stage});
  if (found == seconds_.end()) return std::nullopt;
  return found->second;
}

std::optional<KnownMean> FinishedWork::epochs(const std::string& dataset, const std::string& owner,
                                              const std::string& stage) const {
  KnownMean known;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_ / "history" / dataset / owner, none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("run-") || !name.ends_with((stage.starts_with("-") ? "" : "-") + stage + ".csv")) continue;
    const std::optional<std::string> text = read_text(entry.path());
    if (text) add(known, static_cast<double>(std::count(text->begin(), text->end(), '\n') - 1));  // the first line has names
  }
  if (known.count == 0) return std::nullopt;
  return known;
}

}  // namespace tapestry::recsys
