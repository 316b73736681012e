#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "nn/module.h"
#include "recsys/generators/generator.h"

namespace tapestry::recsys {

/// Where what has been learnt is kept as soon as it has been learnt, and found again by the next run. Empty paths: nowhere.
struct ModelFolder {
  std::filesystem::path models;   ///< stem of "<stem>-<part>.safetensors": "vae", "score", "codigem", ...
  std::filesystem::path history;  ///< stem of "<stem>-<stage>.csv", epoch,loss,metric: "vae_fit", "sdrm_fit", "codigem_fit", ...
  std::string configuration;      ///< digest of all that decides the numbers; a file with another one is not taken up
};

/// The file of one part of what belongs to `stem`.
std::filesystem::path model_file(const std::filesystem::path& stem, const std::string& part);

/// Whether the folder has a file for the part. It may still be refused when it is loaded.
bool is_kept(const ModelFolder& folder, const std::string& part);

/// SHA-256 of tensors by name, which says of a file's numbers whether they are those that were written: 64 hex digits.
std::string digest_of(const std::map<std::string, Tensor>& tensors);
inline constexpr const char* kDigest = "sha256";  ///< metadata key of it; files of earlier programs have none

/// Whether a model's file holds the numbers that were written, as far as it says itself. Throws Error(kData) when it cannot be
/// read.
bool is_undamaged(const std::filesystem::path& file);

/// Whether what the folder has of the part would be taken up by load_kept: of its configuration and undamaged.
bool is_sound(const ModelFolder& folder, const std::string& part);

/// is_sound for who asks often: a file is read again only when it was written anew. One thread at a time.
class SoundModels {
 public:
  bool has(const ModelFolder& folder, const std::string& part);

 private:
  struct Known {
    std::filesystem::file_time_type written;
    bool sound;
  };
  std::map<std::filesystem::path, Known> known_;
};

/// Loads a kept model into `module`. False when there is none, or none that fits and is undamaged (which is named to the
/// listener); the module's values are then to be made anew.
bool load_kept(const ModelFolder& folder, nn::Module& module, const std::string& part, StageListener& listener);

/// Writes a fitted model and the history of its stage.
void keep(const ModelFolder& folder, const nn::Module& module, const std::string& part, const std::string& stage,
          const std::string& history);

}  // namespace tapestry::recsys
