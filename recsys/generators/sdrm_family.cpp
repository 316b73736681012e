#include "recsys/generators/sdrm_family.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "nn/safetensors.h"
#include "recsys/metrics/ranking.h"
#include "sdrm/binarize.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tensor/atomic_file.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kVae = "vae";
constexpr const char* kScore = "score";
constexpr const char* kConfiguration = "configuration";  // metadata key

std::string digits(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

/// Mean Recall@10 of ranking with mu decoded, the input masked, in tiles of users.
double recall_at_10(const sdrm::MultiVae& model, const HeldOut& users) {
  const auto score = [&](const CsrMatrix& rows) { return model.decode(model.encode(rows).mu).value(); };
  return mean_over_users(ranking_metrics(score, users, {.cutoffs = {10}}).recall(0)).value;
}

class SdrmGenerator : public Generator {
 public:
  SdrmGenerator(std::string name, SdrmFamily::Source source, std::shared_ptr<SdrmFamily> family)
      : name_(std::move(name)), source_(source), family_(std::move(family)) {}

  const std::string& name() const override { return name_; }
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

std::filesystem::path SdrmFamily::model_file(const std::filesystem::path& stem, const std::string& part) {
  return stem.string() + "-" + part + ".safetensors";
}

std::unique_ptr<sdrm::MultiVae> SdrmFamily::new_vae(std::int64_t items) const {
  nn::Initializer init(part_seed(SdrmPart::kVaeInit));
  return std::make_unique<sdrm::MultiVae>(items, settings_.vae, init);
}

std::unique_ptr<sdrm::ScoreModel> SdrmFamily::new_score() const {
  nn::Initializer init(part_seed(SdrmPart::kScoreInit));
  return std::make_unique<sdrm::ScoreModel>(settings_.vae.latent, settings_.score, init);
}

bool SdrmFamily::load_kept(nn::Module& module, const char* part, StageListener& listener) const {
  if (settings_.folder.models.empty()) return false;
  const std::filesystem::path file = model_file(settings_.folder.models, part);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return false;
  try {
    const auto metadata = nn::load_module(module, file);
    const auto found = metadata.find(kConfiguration);
    if (found != metadata.end() && found->second == settings_.folder.configuration) return true;
    listener.warn(file.string() + ": made with another configuration, trained again");
  } catch (const Error& error) {
    listener.warn(std::string(error.what()) + ", trained again");
  }
  return false;
}

void SdrmFamily::keep(const nn::Module& module, const char* part, const std::string& stage, const std::string& history) const {
  const ModelFolder& folder = settings_.folder;
  if (!folder.history.empty()) write_file_atomically(folder.history.string() + "-" + stage + ".csv", history);
  if (!folder.models.empty()) {
    nn::save_module(module, model_file(folder.models, part), {{kConfiguration, folder.configuration}});
  }
}

void SdrmFamily::need_vae(const ProtocolData& protocol, StageListener& listener) {
  if (vae_) return;
  auto kept = new_vae(protocol.generator.cols());
  if (load_kept(*kept, kVae, listener)) {
    vae_ = std::move(kept);
  } else {
    kept.reset();
    fit_vae(protocol, listener);
  }
}

void SdrmFamily::need_score(const ProtocolData& protocol, StageListener& listener) {
  if (score_) return;
  need_vae(protocol, listener);
  auto kept = new_score();
  if (load_kept(*kept, kScore, listener)) {
    score_ = std::move(kept);
  } else {
    kept.reset();
    fit_score(protocol, listener);
  }
}

void SdrmFamily::fit_vae(const ProtocolData& protocol, StageListener& listener) {
  const std::string stage = "vae_fit";
  listener.begin(stage);
  auto model = new_vae(protocol.generator.cols());
  const std::uint64_t selection_seed = part_seed(SdrmPart::kVaeSelection);
  const auto validate = [&](const sdrm::MultiVae& fitted, std::int64_t epoch) {
    return recall_at_10(fitted, protocol.selection(selection_seed, static_cast<int>(epoch)));
  };
  std::string history = "epoch,loss,metric\n";
  double best = -1;
  std::int64_t best_epoch = 0;
  const auto on_epoch = [&](const sdrm::VaeEpoch& report) {
    history += std::to_string(report.epoch + 1) + "," + digits(report.loss) + "," + digits(report.metric) + "\n";
    if (report.metric > best) {
      best = report.metric;
      best_epoch = report.epoch;
    }
    // When it will stop is not known: some way behind the best epoch so far.
    const auto likely = static_cast<double>(std::max(kTypicalVaeEpochs, best_epoch * 13 / 10 + settings_.vae.patience));
    const double expected = std::min(static_cast<double>(settings_.vae.max_epochs), likely);
    listener.advance(stage, {.fraction = std::min(1.0, static_cast<double>(report.epoch + 1) / expected),
                             .epoch = report.epoch,
                             .loss = report.loss,
                             .metric = report.metric});
  };
  sdrm::fit_vae(*model, protocol.generator, settings_.vae, part_seed(SdrmPart::kVaeFit), validate, on_epoch);
  keep(*model, kVae, stage, history);
  vae_ = std::move(model);
  pool_trim(Device::kCpu);
  listener.end(stage);
}

void SdrmFamily::fit_score(const ProtocolData& protocol, StageListener& listener) {
  const std::string stage = "sdrm_fit";
  listener.begin(stage);
  auto model = new_score();
  const Tensor latents = vae_->latents(protocol.generator);  // [N, K]
  std::string history = "epoch,loss,metric\n";
  const auto on_epoch = [&](const sdrm::ScoreEpoch& report) {
    history += std::to_string(report.epoch + 1) + "," + digits(report.loss) + ",\n";
    listener.advance(stage, {.fraction = static_cast<double>(report.epoch + 1) / static_cast<double>(settings_.score.epochs),
                             .epoch = report.epoch,
                             .loss = report.loss});
  };
  sdrm::fit_score_model(*model, latents, settings_.score, part_seed(SdrmPart::kScoreFit), on_epoch);
  keep(*model, kScore, stage, history);
  score_ = std::move(model);
  pool_trim(Device::kCpu);
  listener.end(stage);
}

Interactions SdrmFamily::sample(Source source, const SampleRequest& request, StageListener& listener) const {
  check(vae_ != nullptr && (source == Source::kPrior || score_ != nullptr), "SdrmFamily::sample: nothing has been fitted yet");
  const std::string stage = source == Source::kPrior ? "sample_vae" : source == Source::kFull ? "sample_f" : "sample_m";
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
  const auto decoded = [&](std::int64_t done, std::int64_t total) {
    const double part = (1 - share) / (request.dislikes ? 2 : 1);
    listener.advance(stage, {.fraction = share + part * static_cast<double>(done) / static_cast<double>(total)});
  };
  Tensor latents;  // [rows, K]
  if (source == Source::kPrior) {
    latents = sdrm::sample_prior(rows, settings_.vae.latent, part_seed(SdrmPart::kSampleVae));
  } else {
    const bool full = source == Source::kFull;
    const sdrm::SamplingOptions options = {.resolution = full ? sdrm::Resolution::kFull : sdrm::Resolution::kMulti,
                                           .noise_scale = settings_.score.noise_scale,
                                           .dropout = settings_.score.dropout,
                                           .objective = settings_.score.objective};
    latents = sdrm::sample_latents(*score_, rows, options, part_seed(full ? SdrmPart::kSampleF : SdrmPart::kSampleM), diffused);
  }
  const sdrm::LogitMatrix logits = {rows, vae_->items(), sdrm::decoded_rows(*vae_, latents)};
  Interactions synthetic = {
      sdrm::binarize_at_density(logits, request.density, decoded).ones,
      CsrMatrix::from_rows(vae_->items(), std::vector<std::vector<std::int32_t>>(static_cast<std::size_t>(rows)))};
  if (request.dislikes) synthetic.dislikes = sdrm::lowest_at_density(logits, request.density).ones;
  pool_trim(Device::kCpu);
  listener.end(stage);
  return synthetic;
}

void SdrmFamily::save(const std::filesystem::path& stem, bool with_score) const {
  check(vae_ != nullptr && (!with_score || score_ != nullptr), "SdrmFamily::save: nothing has been fitted yet");
  nn::save_module(*vae_, model_file(stem, kVae));
  if (with_score) nn::save_module(*score_, model_file(stem, kScore));
}

void SdrmFamily::load(const std::filesystem::path& stem, std::int64_t items, bool with_score) {
  auto vae = new_vae(items);
  nn::load_module(*vae, model_file(stem, kVae));
  std::unique_ptr<sdrm::ScoreModel> score;
  if (with_score) {
    score = new_score();
    nn::load_module(*score, model_file(stem, kScore));
  }
  vae_ = std::move(vae);
  score_ = std::move(score);
}

std::vector<std::unique_ptr<Generator>> make_sdrm_generators(std::span<const std::string> names, SdrmSettings settings) {
  const auto family = std::make_shared<SdrmFamily>(std::move(settings));
  const std::vector<std::string> known = SdrmFamily::names();
  std::vector<std::unique_ptr<Generator>> generators;
  for (const std::string& name : names) {
    const auto found = std::find(known.begin(), known.end(), name);
    check(found != known.end(), "make_sdrm_generators: no generator is called ", name);
    generators.push_back(std::make_unique<SdrmGenerator>(name, static_cast<SdrmFamily::Source>(found - known.begin()), family));
  }
  return generators;
}

}  // namespace tapestry::recsys
