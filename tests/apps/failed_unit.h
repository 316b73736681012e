#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "recsys/data/sha256.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::apps::tests {

/// Makes a finished unit one that failed for this reason, as the program writes one whose model cannot be fitted.
inline void let_fail(const std::filesystem::path& unit, const std::string& reason) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(recsys::tests::read_file(unit));
  json.erase("sha256");
  json.erase("synthetic");
  json["failure"] = reason;
  for (auto& mean : json["means"]) mean = nullptr;
  for (auto& users : json["users"]) {
    for (auto& value : users) value = nullptr;
  }
  json["sha256"] = recsys::sha256(json.dump());
  std::ofstream(unit, std::ios::binary) << json.dump() << "\n";
}

}  // namespace tapestry::apps::tests
