#include "recsys/generators/sdrm_family.h"

#include <algorithm>
#include <map>

#include "recsys/generators/cut.h"
#include "recsys/generators/fit_log.h"
#include "recsys/metrics/ranking.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kVae = "vae";
constexpr const char* kScore = "score";
/// Metadata key in a score model's file: the digest of the MultiVAE whose latents it has learnt. Files of earlier programs have
/// none.
constexpr const char* kLatentsOf = "latents_of";

/// Throws Error(kData) when the file of a score model names another MultiVAE than this one, which is that of `vae_file`.
void check_latents_of(const std::map<std::string, std::string>& metadata, const std::filesystem::path& file,
                      const sdrm::MultiVae& vae, const std::filesystem::path& vae_file) {
  const auto learnt_from = metadata.find(kLatentsOf);
  if (learnt_from == metadata.end() || learnt_from->second == digest_of(vae)) return;
  fail(ErrorKind::kData, file.string(), ": learnt from the latents of another MultiVAE than that of ", vae_file.string());
}

const char* sample_stage(SdrmFamily::Source source) {
  return source == SdrmFamily::Source::kPrior ? "sample_vae" : source == SdrmFamily::Source::kFull ? "sample_f" : "sample_m";
}

class SdrmGenerator : public Generator {
 public:
  SdrmGenerator(std::string name, SdrmFamily::Source source, std::shared_ptr<SdrmFamily> family)
      : name_(std::move(name)), source_(source), family_(std::move(family)) {}

  const std::string& name() const override { return name_; }
  std::vector<PlannedStage> plan(const ProtocolData& protocol) const override { return family_->plan(source_, protocol); }
  void fit(const ProtocolData& protocol, StageListener& listener) override {
    needs_score() ? family_->need_score(protocol, listener) : family_->need_vae(protocol, listener);
  }
  Interactions sample(const SampleRequest& request, StageListener& listener) const override {
    return family_->sample(source_, request, listener);
  }
  void save(const std::filesystem::path& stem) const override { family_->save(stem, needs_score()); }
  void load(const std::filesystem::path& stem, std::int64_t items) override { family_->load(stem, items, needs_score()); }

 private:
  bool needs_score() const { return source_ != SdrmFamily::Source::kPrior; }

  std::string name_;
  SdrmFamily::Source source_;
  std::shared_ptr<SdrmFamily> family_;
};

}  // namespace

std::vector<std::string> SdrmFamily::names() { return {"multivae++", "f-sdrm", "m-sdrm"}; }

bool SdrmFamily::has(const std::string& generator) {
  const std::vector<std::string> family = names();
  return std::find(family.begin(), family.end(), generator) != family.end();
}

std::unique_ptr<sdrm::MultiVae> SdrmFamily::new_vae(std::int64_t items) const {
  nn::Initializer init(part_seed(SdrmPart::kVaeInit), DType::kFloat32, settings_.device);
  return std::make_unique<sdrm::MultiVae>(items, settings_.vae, init);
}

std::unique_ptr<sdrm::ScoreModel> SdrmFamily::new_score() const {
  nn::Initializer init(part_seed(SdrmPart::kScoreInit), DType::kFloat32, settings_.device);
  return std::make_unique<sdrm::ScoreModel>(settings_.vae.latent, settings_.score, init);
}

void SdrmFamily::need_vae(const ProtocolData& protocol, StageListener& listener) {
  if (vae_) return;
  auto kept = new_vae(protocol.generator.cols());
  if (load_kept(settings_.folder, *kept, kVae, listener)) {
    vae_ = std::move(kept);
  } else {
    kept.reset();
    vae_fit_.run([&] { fit_vae(protocol, listener); });
  }
}

void SdrmFamily::need_score(const ProtocolData& protocol, StageListener& listener) {
  if (score_) return;
  need_vae(protocol, listener);
  auto kept = new_score();
  // A kept MultiVAE of the same configuration need not be the one that the score model learnt from: another machine's has other
  // last bits, and --reuse takes models file by file.
  const auto of_these_latents = [&](const std::map<std::string, std::string>& metadata, const std::filesystem::path& file) {
    check_latents_of(metadata, file, *vae_, model_file(settings_.folder.models, kVae));
  };
  // Of a model that removes no noise nothing is asked.
  if (!settings_.score.removes_noise || load_kept(settings_.folder, *kept, kScore, listener, of_these_latents)) {
    score_ = std::move(kept);
  } else {
    kept.reset();
    score_fit_.run([&] { fit_score(protocol, listener); });
  }
}

void SdrmFamily::fit_vae(const ProtocolData& protocol, StageListener& listener) {
  const std::string stage = "vae_fit";
  listener.begin(stage);
  auto model = new_vae(protocol.generator.cols());
  const std::uint64_t selection_seed = part_seed(SdrmPart::kVaeSelection);
  const auto validate = [&](const sdrm::MultiVae& fitted, std::int64_t epoch) {
    const auto score = [&](const CsrMatrix& rows) { return fitted.scores(rows); };  // of mu decoded
    return mean_recall_at(10, score, protocol.selection(selection_seed, static_cast<int>(epoch)));
  };
  fit_with_checkpoint(settings_.folder, kVae, listener, [&](sdrm::FitCheckpoint& checkpoint) {
    FitLog log(listener, stage, {settings_.vae.max_epochs, kTypicalVaeEpochs, settings_.vae.patience}, checkpoint);
    const auto on_epoch = [&](const sdrm::VaeEpoch& report) { log.epoch(report.epoch, report.loss, report.metric); };
    sdrm::fit_vae(*model, protocol.generator, settings_.vae, part_seed(SdrmPart::kVaeFit), validate, on_epoch, &checkpoint);
    keep(settings_.folder, *model, kVae, stage, log.history());
  });
  vae_ = std::move(model);
  pool_trim(Device::kCpu);
  listener.end(stage);
}

void SdrmFamily::fit_score(const ProtocolData& protocol, StageListener& listener) {
  const std::string stage = "sdrm_fit";
  listener.begin(stage);
  auto model = new_score();
  const Tensor latents = vae_->latents(protocol.generator);  // [N + V, K], under strict [N, K]
  const std::string vae = digest_of(*vae_);
  ModelFolder of_these_latents = settings_.folder;  // a fit that learnt from others is not gone on with
  of_these_latents.configuration += ", latents of " + vae;
  fit_with_checkpoint(of_these_latents, kScore, listener, [&](sdrm::FitCheckpoint& checkpoint) {
    FitLog log(listener, stage, {.most = settings_.score.epochs, .usual = settings_.score.epochs}, checkpoint);
    const auto on_epoch = [&](const sdrm::ScoreEpoch& report) { log.epoch(report.epoch, report.loss); };
    sdrm::fit_score_model(*model, latents, settings_.score, part_seed(SdrmPart::kScoreFit), on_epoch, &checkpoint);
    keep(settings_.folder, *model, kScore, stage, log.history(), {{kLatentsOf, vae}});
  });
  score_ = std::move(model);
  pool_trim(Device::kCpu);
  listener.end(stage);
}

Interactions SdrmFamily::sample(Source source, const SampleRequest& request, StageListener& listener) const {
  check(vae_ != nullptr && (source == Source::kPrior || score_ != nullptr), "SdrmFamily::sample: nothing has been fitted yet");
  const std::string stage = sample_stage(source);
  listener.begin(stage);
  const std::int64_t rows = request.rows;
  // Shares of the stage: a row's T passes through the score model against its one through the decoder, in multiplications.
  const auto k = static_cast<double>(settings_.vae.latent);
  const double steps =
      source == Source::kPrior ? 0 : static_cast<double>(settings_.score.timesteps) / (source == Source::kFull ? 1 : 2);
  const double diffusing = steps * k * k * static_cast<double>(settings_.score.hidden_layers + 2);
  const double decoding = static_cast<double>(settings_.vae.hidden) * (k + static_cast<double>(vae_->items()));
  const double share = diffusing / (diffusing + (request.dislikes ? 2 : 1) * decoding);
  const auto diffused = [&](std::int64_t done, std::int64_t total) {
    listener.advance(stage, {.fraction = share * static_cast<double>(done) / static_cast<double>(total)});
  };
  const auto decoded = [&](double fraction) { listener.advance(stage, {.fraction = share + (1 - share) * fraction}); };
  Tensor latents;  // [rows, K]
  if (source == Source::kPrior) {
    latents = sdrm::sample_prior(rows, settings_.vae.latent, part_seed(SdrmPart::kSampleVae), settings_.device);
  } else {
    const bool full = source == Source::kFull;
    const auto options = sdrm::sampling_options(settings_.score, full ? sdrm::Resolution::kFull : sdrm::Resolution::kMulti);
    latents = sdrm::sample_latents(*score_, rows, options, part_seed(full ? SdrmPart::kSampleF : SdrmPart::kSampleM), diffused);
  }
  const sdrm::LogitMatrix logits = {rows, vae_->items(), sdrm::decoded_rows(*vae_, latents)};
  Interactions synthetic = cut_at_density(logits, request, decoded);
  pool_trim(Device::kCpu);
  listener.end(stage);
  return synthetic;
}

std::vector<PlannedStage> SdrmFamily::plan(Source source, const ProtocolData& protocol) const {
  // Operations in matrix products: 2 a product and number, 6 with its gradients, 18 in the three passes of the published
  // objective.
  const sdrm::VaeConfig& vae = settings_.vae;
  const sdrm::ScoreConfig& score = settings_.score;
  const auto rows = static_cast<double>(protocol.generator.rows());
  const auto drawn = static_cast<double>(protocol.synthetic_rows);
  const auto items = static_cast<double>(protocol.generator.cols());
  const auto h = static_cast<double>(vae.hidden), k = static_cast<double>(vae.latent);
  const double network = k * k * static_cast<double>(score.hidden_layers + 2);
  const auto epochs = static_cast<double>(std::min(vae.max_epochs, kTypicalVaeEpochs));
  std::vector<PlannedStage> stages;
  if (!vae_ && !is_kept(settings_.folder, kVae)) {
    stages.push_back({"vae_fit", epochs * rows * 6 * h * (items + 3 * k) / kGuessedRate});
  }
  if (source != Source::kPrior && score.removes_noise && !score_ && !is_kept(settings_.folder, kScore)) {
    stages.push_back({"sdrm_fit", static_cast<double>(score.epochs) * rows * 18 * network / kGuessedRate});
  }
  const double passes = source == Source::kPrior ? 0 : static_cast<double>(score.timesteps) / (source == Source::kFull ? 1 : 2);
  stages.push_back({sample_stage(source), 2 * drawn * (h * (k + items) + network * passes) / kGuessedRate});
  return stages;
}

void SdrmFamily::save(const std::filesystem::path& stem, bool with_score) const {
  check(vae_ != nullptr && (!with_score || score_ != nullptr), "SdrmFamily::save: nothing has been fitted yet");
  const std::string& configuration = settings_.folder.configuration;
  save_model(*vae_, model_file(stem, kVae), configuration);
  if (with_score) save_model(*score_, model_file(stem, kScore), configuration, {{kLatentsOf, digest_of(*vae_)}});
}

void SdrmFamily::load(const std::filesystem::path& stem, std::int64_t items, bool with_score) {
  auto vae = new_vae(items);
  load_model(*vae, model_file(stem, kVae), settings_.folder.configuration);
  if (with_score) {
    auto score = new_score();
    const std::filesystem::path file = model_file(stem, kScore);
    const auto metadata = load_model(*score, file, settings_.folder.configuration);
    check_latents_of(metadata, file, *vae, model_file(stem, kVae));
    score_ = std::move(score);
  } else if (score_ && vae_ && digest_of(*vae_) != digest_of(*vae)) {
    score_.reset();  // it has learnt the latents of the one that goes
  }
  vae_ = std::move(vae);
}

std::unique_ptr<Generator> make_sdrm_generator(const std::string& name, std::shared_ptr<SdrmFamily> family) {
  const std::vector<std::string> known = SdrmFamily::names();
  const auto found = std::find(known.begin(), known.end(), name);
  check(found != known.end(), "make_sdrm_generator: no generator is called ", name);
  return std::make_unique<SdrmGenerator>(name, static_cast<SdrmFamily::Source>(found - known.begin()), std::move(family));
}

}  // namespace tapestry::recsys
