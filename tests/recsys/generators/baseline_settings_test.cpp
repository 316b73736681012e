// recsys/generators/baseline_settings.h: what the generators are trained with, and the text that tells two of them apart.
#include "recsys/generators/baseline_settings.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace tapestry::recsys {
namespace {

/// As one line, DiffRec's layers and learning rate being all in which two data sets differ.
std::string expected_json(const std::string& dims, const std::string& learning_rate) {
  return R"({"multivae":{"hidden":600,"latent":200,"batch":500,"learning_rate":0.001,"max_epochs":200,"patience":200,)"
         R"("dropout":0.5,"kl_cap":0.2,"kl_steps":200000.0,"selection_cutoff":100},)"
         R"("codigem":{"timesteps":3,"beta":0.0001,"width":200,"hidden_layers":5,"batch":200,"learning_rate":0.001,)"
         R"("max_epochs":100,"patience":10,"selection_cutoff":50,"variant":0,"clamp":0.0,"evaluation_noise":true,)"
         R"("tanh_means":false},)"
         R"("diffrec":{"dims":)" +
         dims +
         R"(,"time_width":10,"timesteps":10,"noise_scale":0.0001,"noise_min":0.0005,"noise_max":0.005,"beta_fixed":true,)"
         R"("target":0,"importance":true,"dropout":0.5,"batch":400,"learning_rate":)" +
         learning_rate +
         R"(,"weight_decay":0.0,"max_epochs":1000,"evaluate_every":5,"patience":20,"selection_cutoff":20,)"
         R"("inference_steps":0,"sampling_noise":false},)"
         R"("ctgan":{"latent":128,"hidden":256,"batch":500,"pac":10,"epochs":300,"learning_rate":0.0002,"beta1":0.5,)"
         R"("beta2":0.9,"l2":1e-06,"dropout":0.5,"slope":0.2,"temperature":0.2,"penalty":10.0},)"
         R"("tvae":{"hidden":128,"latent":128,"batch":500,"epochs":300,"learning_rate":0.001,"l2":1e-05,"loss_factor":2.0}})";
}

TEST(BaselineSettings, AreThoseOfThePapersAndTheirPrograms) {
  EXPECT_EQ(to_json(baseline_settings("amazon-digital-music")), expected_json("[1000]", "5e-05"));
  EXPECT_EQ(to_json(baseline_settings("ml-100k")), expected_json("[200,600]", "0.001"));
}

TEST(BaselineSettings, QuickCutsEveryFitShort) {
  BaselineSettings full = baseline_settings("ml-100k");
  const BaselineSettings cut = quick(full);
  EXPECT_EQ(cut.multivae.vae.max_epochs, 5);
  EXPECT_EQ(cut.codigem.max_epochs, 5);
  EXPECT_EQ(cut.diffrec.max_epochs, 5);
  EXPECT_EQ(cut.ctgan.epochs, 2);
  EXPECT_EQ(cut.tvae.epochs, 5);
  full.tvae.epochs = full.ctgan.epochs = full.diffrec.max_epochs = full.codigem.max_epochs = full.multivae.vae.max_epochs = 1;
  EXPECT_EQ(to_json(quick(full)), to_json(full)) << "what is shorter already stays";
}

/// Which kept model is taken up is decided by this text: a field that is missing in it could differ unseen.
TEST(BaselineSettings, JsonShowsEveryChange) {
  const BaselineSettings base = baseline_settings("ml-100k");
  using Change = std::function<void(BaselineSettings&)>;
  const std::vector<Change> changes = {
      [](auto& s) { ++s.multivae.vae.hidden; },
      [](auto& s) { ++s.multivae.vae.latent; },
      [](auto& s) { ++s.multivae.vae.batch; },
      [](auto& s) { s.multivae.vae.learning_rate *= 2; },
      [](auto& s) { ++s.multivae.vae.max_epochs; },
      [](auto& s) { ++s.multivae.vae.patience; },
      [](auto& s) { s.multivae.vae.dropout = 0.1; },
      [](auto& s) { s.multivae.vae.kl_cap = 1; },
      [](auto& s) { s.multivae.vae.kl_steps = 1; },
      [](auto& s) { ++s.multivae.selection_cutoff; },
      [](auto& s) { ++s.codigem.timesteps; },
      [](auto& s) { s.codigem.beta *= 2; },
      [](auto& s) { ++s.codigem.width; },
      [](auto& s) { ++s.codigem.hidden_layers; },
      [](auto& s) { ++s.codigem.batch; },
      [](auto& s) { s.codigem.learning_rate *= 2; },
      [](auto& s) { ++s.codigem.max_epochs; },
      [](auto& s) { ++s.codigem.patience; },
      [](auto& s) { ++s.codigem.selection_cutoff; },
      [](auto& s) { s.codigem.variant = CodigemVariant::kCorrected; },
      [](auto& s) { s.codigem.clamp = 20; },
      [](auto& s) { s.codigem.evaluation_noise = false; },
      [](auto& s) { s.codigem.tanh_means = true; },
      [](auto& s) {
        s.diffrec.dims = {200, 601};
      },
      [](auto& s) { ++s.diffrec.time_width; },
      [](auto& s) { ++s.diffrec.timesteps; },
      [](auto& s) { s.diffrec.noise_scale *= 2; },
      [](auto& s) { s.diffrec.noise_min *= 2; },
      [](auto& s) { s.diffrec.noise_max *= 2; },
      [](auto& s) { s.diffrec.beta_fixed = false; },
      [](auto& s) { s.diffrec.target = DiffRecTarget::kEpsSimple; },
      [](auto& s) { s.diffrec.importance = false; },
      [](auto& s) { s.diffrec.dropout = 0.1; },
      [](auto& s) { ++s.diffrec.batch; },
      [](auto& s) { s.diffrec.learning_rate *= 2; },
      [](auto& s) { s.diffrec.weight_decay = 0.1; },
      [](auto& s) { ++s.diffrec.max_epochs; },
      [](auto& s) { ++s.diffrec.evaluate_every; },
      [](auto& s) { ++s.diffrec.patience; },
      [](auto& s) { ++s.diffrec.selection_cutoff; },
      [](auto& s) { ++s.diffrec.inference_steps; },
      [](auto& s) { s.diffrec.sampling_noise = true; },
      [](auto& s) { ++s.ctgan.latent; },
      [](auto& s) { ++s.ctgan.hidden; },
      [](auto& s) { ++s.ctgan.batch; },
      [](auto& s) { ++s.ctgan.pac; },
      [](auto& s) { ++s.ctgan.epochs; },
      [](auto& s) { s.ctgan.learning_rate *= 2; },
      [](auto& s) { s.ctgan.beta1 = 0.1; },
      [](auto& s) { s.ctgan.beta2 = 0.1; },
      [](auto& s) { s.ctgan.l2 *= 2; },
      [](auto& s) { s.ctgan.dropout = 0.1; },
      [](auto& s) { s.ctgan.slope = 0.1; },
      [](auto& s) { s.ctgan.temperature = 0.1; },
      [](auto& s) { s.ctgan.penalty = 1; },
      [](auto& s) { ++s.tvae.hidden; },
      [](auto& s) { ++s.tvae.latent; },
      [](auto& s) { ++s.tvae.batch; },
      [](auto& s) { ++s.tvae.epochs; },
      [](auto& s) { s.tvae.learning_rate *= 2; },
      [](auto& s) { s.tvae.l2 *= 2; },
      [](auto& s) { s.tvae.loss_factor = 1; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    BaselineSettings changed = base;
    changes[i](changed);
    EXPECT_NE(to_json(changed), to_json(base)) << "change " << i;
  }
}

}  // namespace
}  // namespace tapestry::recsys
