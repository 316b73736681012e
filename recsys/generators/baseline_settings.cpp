#include "recsys/generators/baseline_settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tapestry::recsys {

BaselineSettings baseline_settings(const std::string& /*dataset*/) { return {}; }

BaselineSettings quick(BaselineSettings full) {
  constexpr std::int64_t kEpochs = 5;
  full.multivae.vae.max_epochs = std::min(full.multivae.vae.max_epochs, kEpochs);
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
  return json.dump();
}

}  // namespace tapestry::recsys
