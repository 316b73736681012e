#include "recsys/experiment/hyperparameters.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "recsys/generators/sdrm_family.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// The key of Hyperparameters::neumf_exceptions.
std::string unit_kind(const std::string& setting, const std::string& generator) { return setting + "/" + generator; }

struct Row {
  std::string_view dataset, recommender;
  std::int64_t score_batch;
  double score_rate;
  std::int64_t score_epochs, hidden_layers, timesteps, vae_batch, vae_hidden, latent;
  double vae_rate, noise_scale;
};

/// The authors' repository (Multi-resolution-diffusion-recommender/SDRM), one row per data set and recommender, in its order.
constexpr std::array<Row, 15> kRows = {{
    {"ml-100k", "svd", 550, 2.1e-5, 265, 2, 83, 780, 930, 830, 0.0006, 1},
    {"ml-100k", "mlp", 810, 5.2e-5, 200, 0, 58, 50, 40, 40, 0.0034, 1},
    {"ml-100k", "neumf", 190, 2.8e-5, 15, 4, 138, 870, 1000, 950, 0.001, 0.2},
    {"amazon-luxury-beauty", "svd", 370, 3.2e-5, 5, 2, 68, 420, 70, 20, 0.0042, 0.5},
    {"amazon-luxury-beauty", "mlp", 530, 3.9e-5, 200, 0, 43, 340, 550, 400, 0.001, 0.2},
    {"amazon-luxury-beauty", "neumf", 820, 5.9e-5, 485, 2, 33, 720, 450, 400, 0.004, 0.3},
    {"ml-1m", "svd", 720, 5.9e-5, 395, 2, 23, 190, 600, 150, 0.0066, 0.5},
    {"ml-1m", "mlp", 160, 9.8e-5, 15, 1, 78, 270, 490, 340, 0.0002, 1},
    {"ml-1m", "neumf", 830, 5.0e-6, 140, 1, 178, 540, 430, 330, 0.0009, 1},
    {"amazon-digital-music", "svd", 930, 1.0e-6, 60, 1, 163, 380, 210, 160, 0.0011, 0.3},
    {"amazon-digital-music", "mlp", 270, 6.3e-5, 45, 1, 38, 310, 20, 20, 0.0035, 0.7},
    {"amazon-digital-music", "neumf", 850, 1.3e-5, 185, 5, 93, 290, 40, 40, 0.0014, 1},
    {"simulated", "svd", 200, 1.0e-4, 60, 1, 40, 100, 200, 64, 0.002, 0.5},  // ours, not searched, as are the next
    {"simulated", "mlp", 200, 1.0e-4, 60, 1, 40, 100, 200, 64, 0.002, 0.5},
    {"simulated", "neumf", 200, 1.0e-4, 60, 1, 40, 100, 200, 64, 0.002, 0.5},
}};

constexpr std::array<const char*, 2> kVariants = {"published", "paper"};
constexpr std::array<const char*, 4> kNeuMfSelections = {"first-epoch", "best-loss", "best-recall", "best-recall-no-dislikes"};

}  // namespace

Hyperparameters hyperparameters(const std::string& dataset, const std::string& recommender, sdrm::Variant variant) {
  const auto* const row = std::find_if(kRows.begin(), kRows.end(),
                                       [&](const Row& r) { return r.dataset == dataset && r.recommender == recommender; });
  if (row == kRows.end()) {
    fail(ErrorKind::kUsage, "no hyperparameters are known for data set ", dataset, " with recommender ", recommender);
  }
  Hyperparameters values;
  values.vae.hidden = row->vae_hidden;
  values.vae.latent = row->latent;
  values.vae.batch = row->vae_batch;
  values.vae.learning_rate = row->vae_rate;
  values.score.timesteps = row->timesteps;
  values.score.hidden_layers = row->hidden_layers;
  values.score.batch = row->score_batch;
  values.score.learning_rate = row->score_rate;
  values.score.epochs = row->score_epochs;
  values.score.noise_scale = row->noise_scale;
  values.score.variant = variant;
  if (recommender == "mlp") values.mlp.emplace();
  if (recommender == "neumf") values.neumf.emplace();
  return values;
}

void set_default_neumf_rules(const std::string& dataset, bool strict, Hyperparameters& values) {
  if (!values.neumf) return;
  values.neumf_exceptions.clear();
  values.neumf->selection = NeuMfSelection::kBestRecall;
  if (strict) return;
  values.neumf->selection = dataset == "ml-1m" ? NeuMfSelection::kBestLoss : NeuMfSelection::kFirstEpoch;
  // These columns come from the logs of the searches, the others from a script that reads its data anew each time.
  for (const std::string& generator : SdrmFamily::names()) {
    for (const char* setting : {"augment", "replace"}) {
      values.neumf_exceptions[unit_kind(setting, generator)] = NeuMfSelection::kBestRecallNoDislikes;
    }
  }
  if (dataset == "amazon-luxury-beauty") values.neumf_exceptions[unit_kind("replace", "diffrec")] = NeuMfSelection::kBestRecall;
}

Hyperparameters for_unit(Hyperparameters values, const std::string& setting, const std::string& generator) {
  const auto exception = values.neumf_exceptions.find(unit_kind(setting, generator));
  if (values.neumf && exception != values.neumf_exceptions.end()) values.neumf->selection = exception->second;
  return values;
}

std::string neumf_rules(const Hyperparameters& values) {
  if (!values.neumf) return "";
  std::string text = to_string(values.neumf->selection);
  for (const std::string& name : neumf_selections()) {
    std::string kinds;
    for (const auto& [kind, selection] : values.neumf_exceptions) {
      if (to_string(selection) == name) kinds += (kinds.empty() ? "" : ", ") + kind;
    }
    if (!kinds.empty()) text += "; " + name + " for " + kinds;
  }
  return text;
}

Hyperparameters quick(Hyperparameters full) {
  constexpr std::int64_t kEpochs = 5;
  full.vae.max_epochs = std::min(full.vae.max_epochs, kEpochs);
  full.score.epochs = std::min(full.score.epochs, kEpochs);
  if (full.mlp) {
    full.mlp->max_epochs = std::min<std::int64_t>(full.mlp->max_epochs, 2);
    // An update passes over the whole first layer, whatever the batch: with the 16 of the full job two epochs on
    // amazon-digital-music are a thousand such passes.
    full.mlp->batch = std::max<std::int64_t>(full.mlp->batch, 256);
  }
  if (full.neumf) {
    full.neumf->max_epochs = std::min<std::int64_t>(full.neumf->max_epochs, 2);
    full.neumf->batch = std::max<std::int64_t>(full.neumf->batch, 1024);  // likewise, over the vectors of all users and items
  }
  return full;
}

std::string to_json(const Hyperparameters& values) {
  nlohmann::ordered_json json;
  json["vae"] = {{"hidden", values.vae.hidden},         {"latent", values.vae.latent},
                 {"batch", values.vae.batch},           {"learning_rate", values.vae.learning_rate},
                 {"max_epochs", values.vae.max_epochs}, {"patience", values.vae.patience},
                 {"dropout", values.vae.dropout},       {"kl_cap", values.vae.kl_cap},
                 {"kl_steps", values.vae.kl_steps}};
  json["score"] = {{"timesteps", values.score.timesteps},
                   {"hidden_layers", values.score.hidden_layers},
                   {"batch", values.score.batch},
                   {"learning_rate", values.score.learning_rate},
                   {"epochs", values.score.epochs},
                   {"noise_scale", values.score.noise_scale},
                   {"dropout", values.score.dropout},
                   {"l2", values.score.l2},
                   {"variant", to_string(values.score.variant)},
                   {"objective", static_cast<int>(values.score.objective)}};
  if (values.score.tied_layers) json["score"]["tied_layers"] = *values.score.tied_layers;
  if (values.score.sampling_dropout) json["score"]["sampling_dropout"] = *values.score.sampling_dropout;
  if (!values.score.removes_noise) json["score"]["removes_noise"] = false;
  if (const std::optional<MlpConfig>& mlp = values.mlp) {
    json["mlp"] = {{"width", mlp->width},
                   {"first", mlp->first},
                   {"hidden", mlp->hidden},
                   {"dropout", mlp->dropout},
                   {"learning_rate", mlp->learning_rate},
                   {"epsilon", mlp->epsilon},
                   {"batch", mlp->batch},
                   {"max_epochs", mlp->max_epochs},
                   {"patience", mlp->patience},
                   {"min_delta", mlp->min_delta},
                   {"validation_share", mlp->validation_share}};
  }
  if (const std::optional<NeuMfConfig>& neumf = values.neumf) {
    json["neumf"] = {{"gmf_width", neumf->gmf_width},
                     {"mlp_width", neumf->mlp_width},
                     {"dropout", neumf->dropout},
                     {"learning_rate", neumf->learning_rate},
                     {"batch", neumf->batch},
                     {"max_epochs", neumf->max_epochs},
                     {"validation_share", neumf->validation_share},
                     {"embedding_deviation", neumf->embedding_deviation},
                     {"selection", to_string(neumf->selection)}};
    for (const auto& [kind, selection] : values.neumf_exceptions) json["neumf"]["exceptions"][kind] = to_string(selection);
  }
  return json.dump();
}

sdrm::Variant parse_variant(const std::string& text) {
  const auto* const found = std::find(kVariants.begin(), kVariants.end(), text);
  if (found == kVariants.end()) fail(ErrorKind::kUsage, "no variant is called '", text, "', there are: published, paper");
  return static_cast<sdrm::Variant>(found - kVariants.begin());
}

const char* to_string(sdrm::Variant variant) { return kVariants[static_cast<std::size_t>(variant)]; }

std::vector<std::string> neumf_selections() { return {kNeuMfSelections.begin(), kNeuMfSelections.end()}; }

NeuMfSelection parse_neumf_selection(const std::string& text) {
  const auto* const found = std::find(kNeuMfSelections.begin(), kNeuMfSelections.end(), text);
  if (found == kNeuMfSelections.end()) {
    fail(ErrorKind::kUsage, "no selection of NeuMF's epoch is called '", text,
         "', there are: first-epoch, best-loss, best-recall, best-recall-no-dislikes");
  }
  return static_cast<NeuMfSelection>(found - kNeuMfSelections.begin());
}

const char* to_string(NeuMfSelection selection) { return kNeuMfSelections[static_cast<std::size_t>(selection)]; }

}  // namespace tapestry::recsys
