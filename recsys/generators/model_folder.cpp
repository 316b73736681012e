#include "recsys/generators/model_folder.h"

#include "nn/safetensors.h"
#include "tensor/atomic_file.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kConfiguration = "configuration";  // metadata key

}  // namespace

std::filesystem::path model_file(const std::filesystem::path& stem, const std::string& part) {
  return stem.string() + "-" + part + ".safetensors";
}

bool is_kept(const ModelFolder& folder, const std::string& part) {
  std::error_code ignored;
  return !folder.models.empty() && std::filesystem::exists(model_file(folder.models, part), ignored);
}

bool load_kept(const ModelFolder& folder, nn::Module& module, const std::string& part, StageListener& listener) {
  if (!is_kept(folder, part)) return false;
  const std::filesystem::path file = model_file(folder.models, part);
  try {
    const auto metadata = nn::load_module(module, file);
    pool_trim(Device::kCpu);  // what the file took
    const auto found = metadata.find(kConfiguration);
    if (found != metadata.end() && found->second == folder.configuration) return true;
    listener.warn(file.string() + ": made with another configuration, trained again");
  } catch (const Error& error) {
    listener.warn(std::string(error.what()) + ", trained again");
  }
  return false;
}

void keep(const ModelFolder& folder, const nn::Module& module, const std::string& part, const std::string& stage,
          const std::string& history) {
  if (!folder.history.empty()) write_file_atomically(folder.history.string() + "-" + stage + ".csv", history);
  if (!folder.models.empty()) nn::save_module(module, model_file(folder.models, part), {{kConfiguration, folder.configuration}});
}

}  // namespace tapestry::recsys
