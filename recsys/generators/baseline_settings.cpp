#include "recsys/generators/baseline_settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tapestry::recsys {

BaselineSettings baseline_settings(const std::string& dataset) {
  BaselineSettings settings;
  if (dataset.rfind("ml-", 0) == 0) {
    settings.diffrec.dims = {200, 600};
    settings.diffrec.learning_rate = 1e-3;
  }
  return settings;
}

BaselineSettings quick(BaselineSettings full) {
  constexpr std::int64_t kEpochs = 5;
  full.multivae.vae.max_epochs = std::min(full.multivae.vae.max_epochs, kEpochs);
  full.codigem.max_epochs = std::min(full.codigem.max_epochs, kEpochs);
  full.diffrec.max_epochs = std::min(full.diffrec.max_epochs, kEpochs);
  full.ctgan.epochs = std::min<std::int64_t>(full.ctgan.epochs, 2);  // the most expensive ones by far
  full.tvae.epochs = std::min(full.tvae.epochs, kEpochs);
  return full;
}

std::string to_json(const BaselineSettings& settings) {
  nlohmann::ordered_json json;
  const sdrm::VaeConfig& vae = settings.multivae.vae;
  json["multivae"] = {{"hidden", vae.hidden},         {"latent", vae.latent},
                      {"batch", vae.batch},           {"learning_rate", vae.learning_rate},
                      {"max_epochs", vae.max_epochs}, {"patience", vae.patience},
                      {"dropout", vae.dropout},       {"kl_cap", vae.kl_cap},
                      {"kl_steps", vae.kl_steps},     {"selection_cutoff", settings.multivae.selection_cutoff}};
  const CodigemConfig& codigem = settings.codigem;
  json["codigem"] = {{"timesteps", codigem.timesteps},
                     {"beta", codigem.beta},
                     {"width", codigem.width},
                     {"hidden_layers", codigem.hidden_layers},
                     {"batch", codigem.batch},
                     {"learning_rate", codigem.learning_rate},
                     {"max_epochs", codigem.max_epochs},
                     {"patience", codigem.patience},
                     {"selection_cutoff", codigem.selection_cutoff},
                     {"variant", static_cast<int>(codigem.variant)},
                     {"clamp", codigem.clamp},
                     {"evaluation_noise", codigem.evaluation_noise},
                     {"tanh_means", codigem.tanh_means}};
  const DiffRecConfig& diffrec = settings.diffrec;
  json["diffrec"] = {{"dims", diffrec.dims},
                     {"time_width", diffrec.time_width},
                     {"timesteps", diffrec.timesteps},
                     {"noise_scale", diffrec.noise_scale},
                     {"noise_min", diffrec.noise_min},
                     {"noise_max", diffrec.noise_max},
                     {"beta_fixed", diffrec.beta_fixed},
                     {"target", static_cast<int>(diffrec.target)},
                     {"importance", diffrec.importance},
                     {"dropout", diffrec.dropout},
                     {"batch", diffrec.batch},
                     {"learning_rate", diffrec.learning_rate},
                     {"weight_decay", diffrec.weight_decay},
                     {"max_epochs", diffrec.max_epochs},
                     {"evaluate_every", diffrec.evaluate_every},
                     {"patience", diffrec.patience},
                     {"selection_cutoff", diffrec.selection_cutoff},
                     {"inference_steps", diffrec.inference_steps},
                     {"sampling_noise", diffrec.sampling_noise}};
  const CtganConfig& ctgan = settings.ctgan;
  json["ctgan"] = {{"latent", ctgan.latent},   {"hidden", ctgan.hidden}, {"batch", ctgan.batch},
                   {"pac", ctgan.pac},         {"epochs", ctgan.epochs}, {"learning_rate", ctgan.learning_rate},
                   {"beta1", ctgan.beta1},     {"beta2", ctgan.beta2},   {"l2", ctgan.l2},
                   {"dropout", ctgan.dropout}, {"slope", ctgan.slope},   {"temperature", ctgan.temperature},
                   {"penalty", ctgan.penalty}};
  const TvaeConfig& tvae = settings.tvae;
  json["tvae"] = {{"hidden", tvae.hidden},
                  {"latent", tvae.latent},
                  {"batch", tvae.batch},
                  {"epochs", tvae.epochs},
                  {"learning_rate", tvae.learning_rate},
                  {"l2", tvae.l2},
                  {"loss_factor", tvae.loss_factor}};
  return json.dump();
}

}  // namespace tapestry::recsys
