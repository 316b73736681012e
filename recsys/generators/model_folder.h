#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "nn/module.h"
#include "nn/safetensors.h"
#include "recsys/generators/generator.h"
#include "recsys/generators/kept_checkpoint.h"

namespace tapestry::recsys {

/// Where what has been learnt is kept as soon as it has been learnt, and found again by the next run. Empty paths: nowhere.
struct ModelFolder {
  std::filesystem::path models;   ///< stem of "<stem>-<part>.safetensors": "vae", "score", "codigem", ...
  std::filesystem::path history;  ///< stem of "<stem>-<stage>.csv", epoch,loss,metric: "vae_fit", "sdrm_fit", "codigem_fit", ...
  std::string configuration;      ///< digest of all that decides the numbers; a file with another one is not taken up
  std::filesystem::path unfinished = {};  ///< stem of "<stem>-<part>.safetensors", how far a fit has come
  CheckpointOptions checkpoint = {};
};

/// The file of one part of what belongs to `stem`.
std::filesystem::path model_file(const std::filesystem::path& stem, const std::string& part);

/// The history of one stage of what belongs to `stem`.
std::filesystem::path history_file(const std::filesystem::path& stem, const std::string& stage);

/// Whether the folder has a file for the part. It may still be refused when it is loaded.
bool is_kept(const ModelFolder& folder, const std::string& part);

/// Calls `fit` with the checkpoint of a part, whose warnings go to the listener, and removes that when the model cannot be
/// fitted: it would end so again. keep() removes it when it can.
void fit_with_checkpoint(const ModelFolder& folder, const std::string& part, StageListener& listener,
                         const std::function<void(sdrm::FitCheckpoint&)>& fit);
/// The part is kept: what its fit would have gone on from is of no use any more.
void remove_checkpoint(const ModelFolder& folder, const std::string& part);

/// SHA-256 of tensors by name, which says of a file's numbers whether they are those that were written: 64 hex digits.
std::string digest_of(const std::map<std::string, Tensor>& tensors);
/// The same of a module's parameters.
std::string digest_of(const nn::Module& module);
inline constexpr const char* kDigest = "sha256";                ///< metadata key of it; files of earlier programs have none
inline constexpr const char* kConfiguration = "configuration";  ///< metadata key of the folder's

/// Whether what was read from a model's file are the numbers that were written, as far as it says itself.
bool is_undamaged(const nn::TensorFile& read);
/// The same of a file that is read for it. Throws Error(kData) when it cannot be read.
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

/// Reads a model from a file and returns its metadata. Throws Error(kData) when the file is damaged or of another model.
using LoadModel = std::function<std::map<std::string, std::string>(const std::filesystem::path& file)>;

/// Loads a kept model by `load`. False when there is none, or none of this configuration that can be loaded (which is named to
/// the listener); what `load` filled is then to be made anew.
bool take_up(const ModelFolder& folder, const std::string& part, StageListener& listener, const LoadModel& load);

/// Looks at the metadata of a model's file. Throws Error(kData) when the model is of no use here.
using CheckMetadata = std::function<void(const std::map<std::string, std::string>& metadata, const std::filesystem::path& file)>;

/// Loads a kept model into `module`. False when there is none, or none that fits, is undamaged and stands `look` (which is named
/// to the listener); the module's values are then to be made anew.
bool load_kept(const ModelFolder& folder, nn::Module& module, const std::string& part, StageListener& listener,
               const CheckMetadata& look = {});

/// Writes a model with the configuration that decided its numbers and their digest, and further metadata.
void save_model(const nn::Module& module, const std::filesystem::path& file, const std::string& configuration,
                const std::map<std::string, std::string>& further = {});
/// Reads it and returns the file's metadata. Throws Error(kData) when the file is of another model or of another configuration,
/// or damaged; what a file does not say (an earlier program's) is not asked of it.
std::map<std::string, std::string> load_model(nn::Module& module, const std::filesystem::path& file,
                                              const std::string& configuration);
/// The part of it that looks at a file's metadata alone.
void check_configuration(const std::map<std::string, std::string>& metadata, const std::string& configuration,
                         const std::filesystem::path& file);

/// Writes the history of a stage.
void keep_history(const ModelFolder& folder, const std::string& stage, const std::string& history);

/// Writes a fitted model, with further metadata, and the history of its stage, and removes the fit's checkpoint.
void keep(const ModelFolder& folder, const nn::Module& module, const std::string& part, const std::string& stage,
          const std::string& history, const std::map<std::string, std::string>& further = {});

}  // namespace tapestry::recsys
