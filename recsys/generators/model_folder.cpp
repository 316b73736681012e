#include "recsys/generators/model_folder.h"

#include "recsys/data/sha256.h"
#include "recsys/generators/kept_checkpoint.h"
#include "tensor/atomic_file.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

/// Loads the file and returns its metadata. Throws Error(kData) when its numbers are not those that it says.
std::map<std::string, std::string> load_undamaged(nn::Module& module, const std::filesystem::path& file) {
  auto metadata = nn::load_module(module, file);
  const auto digest = metadata.find(kDigest);
  if (digest != metadata.end() && digest->second != digest_of(module)) fail(ErrorKind::kData, file.string(), ": damaged");
  return metadata;
}

}  // namespace

namespace {

std::filesystem::path unfinished_file(const ModelFolder& folder, const std::string& part) {
  return folder.unfinished.empty() ? std::filesystem::path() : model_file(folder.unfinished, part);
}

}  // namespace

void fit_with_checkpoint(const ModelFolder& folder, const std::string& part, StageListener& listener,
                         const std::function<void(sdrm::FitCheckpoint&)>& fit) {
  KeptCheckpoint checkpoint(unfinished_file(folder, part), folder.configuration, folder.checkpoint,
                            [&](const std::string& message) { listener.warn(message); });
  try {
    fit(checkpoint);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kFit) remove_checkpoint(folder, part);
    throw;
  }
}

void remove_checkpoint(const ModelFolder& folder, const std::string& part) {
  std::error_code ignored;
  if (!folder.unfinished.empty()) std::filesystem::remove(unfinished_file(folder, part), ignored);
}

std::string digest_of(const std::map<std::string, Tensor>& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    hash.update(concat(name, " ", tensor.dtype(), " ", tensor.shape(), "\n"));
    const Tensor here = tensor.to(Device::kCpu);
    hash.update({static_cast<const char*>(here.raw_data()), static_cast<std::size_t>(here.bytes())});
  }
  return hash.finish();
}

std::string digest_of(const nn::Module& module) {
  std::map<std::string, Tensor> tensors;
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    tensors.emplace(parameter.name, parameter.variable.value());
  }
  return digest_of(tensors);
}

std::filesystem::path history_file(const std::filesystem::path& stem, const std::string& stage) {
  return stem.string() + "-" + stage + ".csv";
}

std::filesystem::path model_file(const std::filesystem::path& stem, const std::string& part) {
  return stem.string() + "-" + part + ".safetensors";
}

bool is_kept(const ModelFolder& folder, const std::string& part) {
  std::error_code ignored;
  return !folder.models.empty() && std::filesystem::exists(model_file(folder.models, part), ignored);
}

bool is_undamaged(const nn::TensorFile& read) {
  const auto digest = read.metadata.find(kDigest);
  return digest == read.metadata.end() || digest->second == digest_of(read.tensors);
}

bool is_undamaged(const std::filesystem::path& file) { return is_undamaged(nn::load_tensors(file)); }

bool is_sound(const ModelFolder& folder, const std::string& part) {
  if (!is_kept(folder, part)) return false;
  try {
    const nn::TensorFile read = nn::load_tensors(model_file(folder.models, part));
    const auto found = read.metadata.find(kConfiguration);
    return is_undamaged(read) && found != read.metadata.end() && found->second == folder.configuration;
  } catch (const Error&) {
    return false;
  }
}

bool SoundModels::has(const ModelFolder& folder, const std::string& part) {
  if (folder.models.empty()) return false;
  const std::filesystem::path file = model_file(folder.models, part);
  std::error_code absent;
  const auto written = std::filesystem::last_write_time(file, absent);
  if (absent) return false;
  const auto found = known_.find(file);
  if (found != known_.end() && found->second.written == written) return found->second.sound;
  const bool sound = is_sound(folder, part);
  known_[file] = {written, sound};
  return sound;
}

bool take_up(const ModelFolder& folder, const std::string& part, StageListener& listener, const LoadModel& load) {
  if (!is_kept(folder, part)) return false;
  const std::filesystem::path file = model_file(folder.models, part);
  try {
    const auto metadata = load(file);
    pool_trim(Device::kCpu);  // what the file took
    const auto found = metadata.find(kConfiguration);
    if (found != metadata.end() && found->second == folder.configuration) {
      remove_checkpoint(folder, part);  // of a start that was killed between the two
      return true;
    }
    listener.warn(file.string() + ": made with another configuration, trained again");
  } catch (const Error& error) {
    listener.warn(std::string(error.what()) + ", trained again");
  }
  return false;
}

bool load_kept(const ModelFolder& folder, nn::Module& module, const std::string& part, StageListener& listener,
               const CheckMetadata& look) {
  return take_up(folder, part, listener, [&](const std::filesystem::path& file) {
    auto metadata = load_undamaged(module, file);
    if (look) look(metadata, file);
    return metadata;
  });
}

void save_model(const nn::Module& module, const std::filesystem::path& file, const std::string& configuration,
                const std::map<std::string, std::string>& further) {
  std::map<std::string, std::string> metadata = {{kConfiguration, configuration}, {kDigest, digest_of(module)}};
  metadata.insert(further.begin(), further.end());
  nn::save_module(module, file, metadata);
}

void check_configuration(const std::map<std::string, std::string>& metadata, const std::string& configuration,
                         const std::filesystem::path& file) {
  const auto found = metadata.find(kConfiguration);
  if (found == metadata.end() || found->second == configuration) return;
  fail(ErrorKind::kData, file.string(), ": made with another configuration ('", found->second, "', expected '", configuration,
       "')");
}

std::map<std::string, std::string> load_model(nn::Module& module, const std::filesystem::path& file,
                                              const std::string& configuration) {
  auto metadata = load_undamaged(module, file);
  check_configuration(metadata, configuration, file);
  return metadata;
}

void keep_history(const ModelFolder& folder, const std::string& stage, const std::string& history) {
  if (!folder.history.empty()) write_file_atomically(history_file(folder.history, stage), history);
}

void keep(const ModelFolder& folder, const nn::Module& module, const std::string& part, const std::string& stage,
          const std::string& history, const std::map<std::string, std::string>& further) {
  keep_history(folder, stage, history);
  if (folder.models.empty()) return;
  save_model(module, model_file(folder.models, part), folder.configuration, further);
  remove_checkpoint(folder, part);
}

}  // namespace tapestry::recsys
