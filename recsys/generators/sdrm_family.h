#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "recsys/generators/model_folder.h"
#include "recsys/generators/shared_fit.h"
#include "sdrm/multivae.h"
#include "sdrm/sampling.h"
#include "sdrm/score_model.h"

namespace tapestry::recsys {

struct SdrmSettings {
  sdrm::VaeConfig vae;
  sdrm::ScoreConfig score;
  std::uint64_t seed = 0;  ///< of the run; every part below draws from derive_seed(seed, part)
  ModelFolder folder;
  Device device = Device::kCpu;  ///< where models are fitted and decoded
};

/// The parts of a run that draw numbers. Append only: a changed number changes every result. A part's numbers do not depend on
/// which other parts a run has, so that asking for fewer generators changes nothing.
enum class SdrmPart : std::uint64_t {
  kVaeInit = 1,
  kVaeFit = 2,
  kVaeSelection = 3,
  kScoreInit = 4,
  kScoreFit = 5,
  kSampleVae = 6,
  kSampleF = 7,
  kSampleM = 8,
};

/// After how many epochs MultiVAE usually stops: for predicting times, nothing else.
inline constexpr std::int64_t kTypicalVaeEpochs = 150;

/// One MultiVAE and one score model in its latent space, fitted once and shared by three generators, as in the paper: "every
/// MultiVAE++, F-SDRM and M-SDRM result was calculated from the same exact runs".
///   multivae++  z ~ N(0, I), decoded; needs no score model, which is fitted only when one of the others is
///   f-sdrm      z from the full reverse diffusion T..1, decoded
///   m-sdrm      the same, every user starting at a step of its own
class SdrmFamily {
 public:
  static std::vector<std::string> names();
  /// Whether the generator is one of the names.
  static bool has(const std::string& generator);

  explicit SdrmFamily(SdrmSettings settings) : settings_(std::move(settings)) {}

  /// Stage "vae_fit": MultiVAE on protocol.generator, stopped early on mean Recall@10 of protocol.selection. Nothing happens when
  /// it has been fitted; a kept one is loaded instead. A fit that failed is not done again: its Error(kFit) comes back, here as
  /// in need_score.
  void need_vae(const ProtocolData& protocol, StageListener& listener);
  /// Stage "sdrm_fit": the score model on the latents of the same rows. Fits the VAE first where needed. A kept one that names
  /// another VAE as the one it learnt from is named to the listener and fitted again.
  void need_score(const ProtocolData& protocol, StageListener& listener);

  enum class Source : std::uint8_t { kPrior, kFull, kMulti };
  /// Stages "sample_vae", "sample_f" and "sample_m": latents drawn, decoded and cut at the density: the share of the largest
  /// logits are likes (SDRM Eq. 11), the same share of the smallest dislikes.
  Interactions sample(Source source, const SampleRequest& request, StageListener& listener) const;

  /// The stages of a generator from this source: fits that are not kept, then sampling.
  std::vector<PlannedStage> plan(Source source, const ProtocolData& protocol) const;

  void save(const std::filesystem::path& stem, bool with_score) const;
  void load(const std::filesystem::path& stem, std::int64_t items, bool with_score);

 private:
  std::uint64_t part_seed(SdrmPart part) const { return derive_seed(settings_.seed, part); }
  std::unique_ptr<sdrm::MultiVae> new_vae(std::int64_t items) const;
  std::unique_ptr<sdrm::ScoreModel> new_score() const;
  void fit_vae(const ProtocolData& protocol, StageListener& listener);
  void fit_score(const ProtocolData& protocol, StageListener& listener);

  SdrmSettings settings_;
  std::unique_ptr<sdrm::MultiVae> vae_;
  std::unique_ptr<sdrm::ScoreModel> score_;
  SharedFit vae_fit_, score_fit_;
};

/// The generator of this name, one of SdrmFamily::names(). Throws Error(kMisuse) for another.
std::unique_ptr<Generator> make_sdrm_generator(const std::string& name, std::shared_ptr<SdrmFamily> family);

}  // namespace tapestry::recsys
