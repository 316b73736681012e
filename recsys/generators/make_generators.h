#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "recsys/generators/baseline_settings.h"
#include "recsys/generators/sdrm_family.h"

/// Every generator by its name. A new one adds its line to the table in make_generators.cpp.
namespace tapestry::recsys {

/// All that decides what a run's generators learn and draw.
struct GeneratorSettings {
  sdrm::VaeConfig vae;         ///< of multivae++, f-sdrm and m-sdrm
  sdrm::ScoreConfig score;     ///< of f-sdrm and m-sdrm
  BaselineSettings baselines;  ///< of the others
  std::uint64_t seed = 0;      ///< of the run; each generator draws from a seed of its own derived from it
  ModelFolder folder;          ///< of multivae++ and SDRM, whose settings depend on the recommender
  ModelFolder
      baseline_folder;  ///< of the others: given the run's seed they are the same for every recommender, so that jobs may share
  /// Where the models are fitted and sampled and their scores cut; the ones alone come to the host.
  Device device = Device::kCpu;
};

/// The names in the order of the paper's tables.
std::vector<std::string> known_generator_names();
/// Other ways to draw from their models, which the paper does not print: "ctgan-paper", ..., "tvae-threshold".
std::vector<std::string> unprinted_generator_names();
/// By the name of which generator its fitted model is kept: "tvae" for "tvae-threshold", for most its own.
std::string model_of(const std::string& generator);
/// What its stages are called, those that fit first: "vae_fit", "sdrm_fit", "sample_m" for "m-sdrm". Their histories and times go
/// by these names.
std::vector<std::string> stages_of(const std::string& generator);
/// Whether it draws from a model of the user x item table: CTGAN's and TVAE's.
bool is_of_a_table(const std::string& generator);

/// Raised, from 1, by every change of the program after which this generator's users are others from the same model, so that its
/// units are computed again and those of the others kept: 2 for `codigem` since its log-variances are held while sampling.
int generator_figures(const std::string& generator);

/// The generators of these names, in the order asked for. Nothing is computed yet. multivae++, f-sdrm and m-sdrm share one fitted
/// MultiVAE and score model, those with the same model_of that one. Throws Error(kMisuse) for a name that is not known.
std::vector<std::unique_ptr<Generator>> make_generators(std::span<const std::string> names, const GeneratorSettings& settings);

/// What these generators are going to do, one after the other: fit and sample. A fit that several share counts once.
std::vector<PlannedStage> planned_stages(std::span<const std::unique_ptr<Generator>> generators, const ProtocolData& protocol);

}  // namespace tapestry::recsys
