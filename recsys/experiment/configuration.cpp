#include "recsys/experiment/configuration.h"

#include <nlohmann/json.hpp>

#include "recsys/data/sha256.h"
#include "recsys/generators/make_generators.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

using Json = nlohmann::json;  // keys in alphabetical order, so that the text does not depend on who joined first

constexpr int kFormat = 1;
constexpr const char* kUsualPrecision = "float32";

Json common_json(const Configuration& configuration) {
  Json json = {{"format", kFormat},
               {"version", configuration.version},
               {"figures", kFigures},
               {"protocol", configuration.protocol},
               {"folds", configuration.folds},
               {"variant", configuration.variant},
               {"seed", configuration.seed},
               {"quick", configuration.quick},
               {"device", configuration.device}};
  // Absent means none, so that folders made before deviations could be left out stay good.
  if (!configuration.without.empty()) json["without"] = configuration.without;
  if (configuration.precision != kUsualPrecision) json["precision"] = configuration.precision;  // likewise
  return json;
}

Json configuration_json(const Configuration& configuration) {
  Json json = common_json(configuration);
  json["datasets"] = Json::object();
  for (const Configuration::OneDataset& dataset : configuration.datasets) {
    Json& entry = json["datasets"][dataset.name];
    entry["sha256"] = dataset.sha256;
    for (const auto& [recommender, values] : dataset.hyperparameters) entry["hyperparameters"][recommender] = Json::parse(values);
  }
  return json;
}

std::string text_of(const Json& json) { return json.dump(2) + "\n"; }

/// Thrown at the first difference.
struct Conflict {
  std::string difference;
};

[[noreturn]] void conflict(const std::string& difference) { throw Conflict{difference}; }

/// What may be missing on either side: data sets and recommenders join a folder one after the other, their values do not.
enum class Missing : std::uint8_t { kMayJoin, kConflicts };

/// Throws Conflict at the first value that differs or, with kConflicts, that one side lacks. `where` names the values in the
/// message: "ml-100k svd score ".
void check_agreement(const Json& existing, const Json& wanted, const std::string& where, Missing missing = Missing::kMayJoin) {
  if (missing == Missing::kConflicts) {
    for (const auto& [key, value] : existing.items()) {
      if (!wanted.contains(key)) conflict(where + key + " is " + value.dump() + " there and not set here");
    }
  }
  for (const auto& [key, value] : wanted.items()) {
    const auto found = existing.find(key);
    if (found == existing.end()) {
      if (missing == Missing::kConflicts) conflict(where + key + " is not set there and " + value.dump() + " here");
      continue;
    }
    if (value.is_object() && found->is_object()) {
      if (key == "hyperparameters") {
        for (const auto& [recommender, values] : value.items()) {
          if (found->contains(recommender)) {
            check_agreement(found->at(recommender), values, where + recommender + " ", Missing::kConflicts);
          }
        }
      } else {
        check_agreement(*found, value, key == "datasets" ? where : where + key + " ", missing);
      }
    } else if (*found != value) {
      conflict(where + key + " is " + found->dump() + " there and " + value.dump() + " here");
    }
  }
}

}  // namespace

std::string to_json(const Configuration& configuration) { return text_of(configuration_json(configuration)); }

std::string configuration_digest(const Configuration& configuration, const std::string& dataset, const std::string& recommender) {
  Json json = common_json(configuration);
  for (const Configuration::OneDataset& one : configuration.datasets) {
    if (one.name != dataset) continue;
    json["dataset"] = {{"name", one.name}, {"sha256", one.sha256}};
    json["recommender"] = recommender;
    json["hyperparameters"] = Json::parse(one.hyperparameters.at(recommender));
  }
  check(json.contains("dataset"), "configuration_digest: data set ", dataset, " is not part of the configuration");
  return sha256(json.dump());
}

std::string unit_digest(const Configuration& configuration, const std::string& dataset, const std::string& recommender,
                        const std::string& generator) {
  const std::string digest = configuration_digest(configuration, dataset, recommender);
  const int figures = generator_figures(generator);
  return figures == 1 ? digest : concat(digest, ".", figures);
}

std::optional<std::string> configuration_conflict(const std::string& existing, const Configuration& wanted) try {
  const Json there = Json::parse(existing, nullptr, /*allow_exceptions=*/false);
  if (!there.is_object()) conflict("its config.json cannot be read");
  if (const int figures = there.value("figures", 1); figures != kFigures) {
    conflict(concat("the program that made it computes figures in its own way (number ", figures, ", this program ", kFigures,
                    ": \"figures\" in config.json, 1 where it is missing)"));
  }
  const std::string without = there.value("without", "");
  if (without != wanted.without) {
    const auto named = [](const std::string& names) { return names.empty() ? "with all deviations" : "without " + names; };
    conflict("it was made " + named(without) + ", asked for is " + named(wanted.without));
  }
  const std::string precision = there.value("precision", kUsualPrecision);
  if (precision != wanted.precision) {
    conflict("its matrix products are " + precision + ", asked for is " + wanted.precision);
  }
  const Json common = common_json(wanted);
  for (const auto& [key, value] : common.items()) {
    if (!there.contains(key)) conflict("its config.json names no " + key);
  }
  check_agreement(there, common, "");  // first: hyperparameters differ because of it
  check_agreement(there, configuration_json(wanted), "");
  return std::nullopt;
} catch (const Conflict& found) {
  return found.difference;
} catch (const Json::exception&) {
  return "its config.json cannot be read";
}

std::string merge_configuration(const std::string& existing, const Configuration& wanted, const std::filesystem::path& folder) {
  if (const std::optional<std::string> difference = configuration_conflict(existing, wanted)) {
    fail(ErrorKind::kUsage, folder.string(), " holds results of another configuration: ", *difference,
         "; choose another --out or remove that folder");
  }
  Json merged = Json::parse(existing);
  merged.merge_patch(configuration_json(wanted));
  return text_of(merged);
}

}  // namespace tapestry::recsys
