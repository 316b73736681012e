#include "recsys/experiment/results_folder.h"

#include "tensor/error.h"

namespace tapestry::recsys {

namespace fs = std::filesystem;

std::string UnitKey::text() const {
  return dataset + "_" + recommender + "_" + setting + "_" + generator + "_run-" + std::to_string(run);
}

fs::path units_folder(const fs::path& folder) { return folder / "units"; }

fs::path unit_file(const fs::path& folder, const UnitKey& key) { return units_folder(folder) / (key.text() + ".json"); }

fs::path models_folder(const fs::path& folder, const std::string& dataset, const std::string& owner) {
  return folder / "models" / dataset / owner;
}

fs::path history_folder(const fs::path& folder, const std::string& dataset, const std::string& owner) {
  return folder / "history" / dataset / owner;
}

fs::path unfinished_folder(const fs::path& folder) { return folder / "unfinished"; }

fs::path unfinished_unit_file(const fs::path& folder, const UnitKey& key) {
  return unfinished_folder(folder) / (key.text() + ".safetensors");
}

RunPaths paths_of_run(const fs::path& folder, const std::string& dataset, const std::string& owner, int run) {
  const std::string name = "run-" + std::to_string(run);
  return {models_folder(folder, dataset, owner) / name, history_folder(folder, dataset, owner) / name,
          unfinished_folder(folder) / concat(dataset, "_", owner, "_", name)};
}

}  // namespace tapestry::recsys
