// recsys/experiment/hyperparameters.h and selection.h: the paper's figures under the command line's names.
#include "recsys/experiment/hyperparameters.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "recsys/data/load_dataset.h"
#include "recsys/experiment/selection.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::recsys {
namespace {

using Names = std::vector<std::string>;

TEST(Hyperparameters, AreThoseOfTheSearch) {
  const Hyperparameters values = hyperparameters("amazon-digital-music", "svd");
  EXPECT_EQ(values.score.batch, 930);
  EXPECT_EQ(values.score.learning_rate, 1.0e-6);
  EXPECT_EQ(values.score.epochs, 60);
  EXPECT_EQ(values.score.hidden_layers, 1);
  EXPECT_EQ(values.score.timesteps, 163);
  EXPECT_EQ(values.score.noise_scale, 0.3);
  EXPECT_EQ(values.vae.batch, 380);
  EXPECT_EQ(values.vae.hidden, 210);
  EXPECT_EQ(values.vae.latent, 160);
  EXPECT_EQ(values.vae.learning_rate, 0.0011);
  EXPECT_EQ(values.vae.max_epochs, 500);
  EXPECT_EQ(hyperparameters("ml-100k", "neumf").score.hidden_layers, 4);
  EXPECT_EQ(hyperparameters("ml-1m", "mlp").vae.learning_rate, 0.0002);
}

TEST(Hyperparameters, EveryDataSetHasThemForEveryRecommender) {
  for (const std::string& dataset : known_datasets()) {
    for (const std::string& recommender : known_recommenders()) {
      const Hyperparameters values = hyperparameters(dataset, recommender, sdrm::Variant::kPaper);
      EXPECT_GT(values.vae.hidden * values.vae.latent * values.vae.batch * values.score.batch * values.score.epochs, 0)
          << dataset;
      EXPECT_EQ(values.score.variant, sdrm::Variant::kPaper);
    }
  }
}

TEST(Hyperparameters, UnknownPairIsRefused) {
  const std::string text = tests::error_of(ErrorKind::kUsage, [] { hyperparameters("simulated", "als"); });
  EXPECT_NE(text.find("als"), std::string::npos) << text;
}

TEST(Hyperparameters, QuickChangesEpochsOnly) {
  const Hyperparameters full = hyperparameters("ml-100k", "svd");
  Hyperparameters small = quick(full);
  EXPECT_EQ(small.vae.max_epochs, 5);
  EXPECT_EQ(small.score.epochs, 5);
  small.vae.max_epochs = full.vae.max_epochs;
  small.score.epochs = full.score.epochs;
  EXPECT_EQ(to_json(small), to_json(full));
}

/// What decides a result is compared through this text: a field that is missing in it could differ unseen.
TEST(Hyperparameters, JsonShowsEveryChange) {
  const Hyperparameters base = hyperparameters("ml-100k", "svd");
  const std::vector<std::function<void(Hyperparameters&)>> changes = {[](auto& v) { ++v.vae.hidden; },
                                                                      [](auto& v) { ++v.vae.latent; },
                                                                      [](auto& v) { ++v.vae.batch; },
                                                                      [](auto& v) { v.vae.learning_rate *= 2; },
                                                                      [](auto& v) { ++v.vae.max_epochs; },
                                                                      [](auto& v) { ++v.vae.patience; },
                                                                      [](auto& v) { v.vae.dropout = 0.1; },
                                                                      [](auto& v) { v.vae.kl_cap = 1; },
                                                                      [](auto& v) { v.vae.kl_steps = 1; },
                                                                      [](auto& v) { ++v.score.timesteps; },
                                                                      [](auto& v) { ++v.score.hidden_layers; },
                                                                      [](auto& v) { ++v.score.batch; },
                                                                      [](auto& v) { v.score.learning_rate *= 2; },
                                                                      [](auto& v) { ++v.score.epochs; },
                                                                      [](auto& v) { v.score.noise_scale = 0.1; },
                                                                      [](auto& v) { v.score.dropout = 0.1; },
                                                                      [](auto& v) { v.score.l2 = 1; },
                                                                      [](auto& v) { v.score.variant = sdrm::Variant::kPaper; },
                                                                      [](auto& v) { v.score.objective = sdrm::Objective::kX0; },
                                                                      [](auto& v) { v.score.tied_layers = false; },
                                                                      [](auto& v) { v.score.sampling_dropout = false; },
                                                                      [](auto& v) { v.score.removes_noise = false; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Hyperparameters changed = base;
    changes[i](changed);
    EXPECT_NE(to_json(changed), to_json(base)) << "change " << i;
  }
}

TEST(Hyperparameters, ARecommendersOwnAreItsAlone) {
  EXPECT_FALSE(hyperparameters("ml-100k", "svd").mlp || hyperparameters("ml-100k", "svd").neumf);
  const Hyperparameters mlp = hyperparameters("ml-100k", "mlp"), neumf = hyperparameters("ml-100k", "neumf");
  ASSERT_TRUE(mlp.mlp && !mlp.neumf && neumf.neumf && !neumf.mlp);
  EXPECT_EQ(quick(mlp).mlp->max_epochs, 2);
  EXPECT_EQ(quick(mlp).mlp->batch, 256);
  EXPECT_EQ(quick(neumf).neumf->max_epochs, 2);
  EXPECT_EQ(quick(neumf).neumf->batch, 1024);
  const std::vector<std::function<void(MlpConfig&)>> mlp_changes = {[](auto& c) { ++c.width; },
                                                                    [](auto& c) { ++c.first; },
                                                                    [](auto& c) { ++c.hidden; },
                                                                    [](auto& c) { c.dropout = 0.1; },
                                                                    [](auto& c) { ++c.batch; },
                                                                    [](auto& c) { c.learning_rate *= 2; },
                                                                    [](auto& c) { c.epsilon *= 2; },
                                                                    [](auto& c) { ++c.max_epochs; },
                                                                    [](auto& c) { ++c.patience; },
                                                                    [](auto& c) { c.min_delta *= 2; },
                                                                    [](auto& c) { c.validation_share = 0.1; }};
  for (std::size_t i = 0; i < mlp_changes.size(); ++i) {
    Hyperparameters changed = mlp;
    mlp_changes[i](*changed.mlp);
    EXPECT_NE(to_json(changed), to_json(mlp)) << "change " << i;
  }
  const std::vector<std::function<void(NeuMfConfig&)>> neumf_changes = {
      [](auto& c) { ++c.gmf_width; },
      [](auto& c) { c.mlp_width *= 2; },
      [](auto& c) { c.dropout = 0.1; },
      [](auto& c) { ++c.batch; },
      [](auto& c) { c.learning_rate *= 2; },
      [](auto& c) { ++c.max_epochs; },
      [](auto& c) { c.validation_share = 0.1; },
      [](auto& c) { c.embedding_deviation = 1; },
      [](auto& c) { c.selection = NeuMfSelection::kFirstEpoch; }};
  for (std::size_t i = 0; i < neumf_changes.size(); ++i) {
    Hyperparameters changed = neumf;
    neumf_changes[i](*changed.neumf);
    EXPECT_NE(to_json(changed), to_json(neumf)) << "change " << i;
  }
}

TEST(Hyperparameters, NeuMfSelectionsByName) {
  EXPECT_EQ(parse_neumf_selection("best-loss"), NeuMfSelection::kBestLoss);
  for (const std::string& name : neumf_selections()) EXPECT_EQ(to_string(parse_neumf_selection(name)), name);
  const std::string text = tests::error_of(ErrorKind::kUsage, [] { parse_neumf_selection("last"); });
  for (const std::string& name : neumf_selections()) EXPECT_NE(text.find(name), std::string::npos) << text;
}

TEST(Hyperparameters, NeuMfRulesByDataSetSettingAndGenerator) {
  const auto kept = [](const std::string& dataset, bool strict, const std::string& setting, const std::string& generator) {
    Hyperparameters values = hyperparameters(dataset, "neumf");
    set_default_neumf_rules(dataset, strict, values);
    return for_unit(values, setting, generator).neumf->selection;
  };
  for (const std::string dataset : {"amazon-luxury-beauty", "amazon-digital-music", "ml-100k", "ml-1m"}) {
    for (const std::string generator : {"multivae++", "f-sdrm", "m-sdrm"}) {
      EXPECT_EQ(kept(dataset, false, "augment", generator), NeuMfSelection::kBestRecallNoDislikes);
      EXPECT_EQ(kept(dataset, false, "replace", generator), NeuMfSelection::kBestRecallNoDislikes);
      EXPECT_EQ(kept(dataset, true, "replace", generator), NeuMfSelection::kBestRecall);
    }
  }
  EXPECT_EQ(kept("amazon-luxury-beauty", false, "replace", "diffrec"), NeuMfSelection::kBestRecall);
  EXPECT_EQ(kept("ml-100k", false, "replace", "diffrec"), NeuMfSelection::kFirstEpoch);
  EXPECT_EQ(kept("amazon-luxury-beauty", false, "replace", "tvae"), NeuMfSelection::kFirstEpoch);
  EXPECT_EQ(kept("amazon-luxury-beauty", false, "replace", kOriginal), NeuMfSelection::kFirstEpoch);
  EXPECT_EQ(kept("ml-1m", false, "replace", "multivae"), NeuMfSelection::kBestLoss);
  EXPECT_EQ(kept("amazon-luxury-beauty", true, "augment", "tvae"), NeuMfSelection::kBestRecall);
  EXPECT_EQ(kept("ml-100k", true, "replace", kOriginal), NeuMfSelection::kBestRecall);

  Hyperparameters values = hyperparameters("amazon-luxury-beauty", "neumf");
  const std::string before = to_json(values);
  set_default_neumf_rules("amazon-luxury-beauty", false, values);
  EXPECT_NE(to_json(values), before);
  EXPECT_EQ(neumf_rules(values),
            "first-epoch; best-recall for replace/diffrec; best-recall-no-dislikes for augment/f-sdrm, augment/m-sdrm, "
            "augment/multivae++, replace/f-sdrm, replace/m-sdrm, replace/multivae++");
  EXPECT_EQ(neumf_rules(hyperparameters("ml-100k", "svd")), "");
}

TEST(Hyperparameters, VariantsByName) {
  EXPECT_EQ(parse_variant("paper"), sdrm::Variant::kPaper);
  EXPECT_STREQ(to_string(parse_variant("published")), "published");
  const std::string text = tests::error_of(ErrorKind::kUsage, [] { parse_variant("print"); });
  EXPECT_NE(text.find("published, paper"), std::string::npos) << text;
}

TEST(Selection, KeepsTheOrderOfReportsAndNoRepeats) {
  const Names known = known_generators();
  EXPECT_EQ(select_names("generator", Names{"m-sdrm", "original", "m-sdrm"}, known), (Names{"original", "m-sdrm"}));
  EXPECT_EQ(select_names("generator", Names{"all"}, known),
            (Names{"original", "ctgan", "tvae", "codigem", "diffrec", "multivae", "multivae++", "f-sdrm", "m-sdrm"}));
}

TEST(Selection, WhatIsBeyondAllIsHadByNameAlone) {
  const Names known = {"a", "b"}, beyond = {"c", "d"};
  EXPECT_EQ(select_names("thing", Names{"all"}, known, beyond), known);
  EXPECT_EQ(select_names("thing", Names{"d", "b", "d"}, known, beyond), (Names{"b", "d"}));
  EXPECT_EQ(select_names("thing", Names{"c", "all"}, known, beyond), (Names{"a", "b", "c"}));
  const std::string text = tests::error_of(ErrorKind::kUsage, [&] { select_names("thing", Names{"e"}, known, beyond); });
  EXPECT_EQ(text, "no thing is called 'e', there are: a, b, and by name alone c, d");
}

TEST(Selection, UnknownNamesListTheKnownOnes) {
  const std::string text = tests::error_of(ErrorKind::kUsage, [] {
    select_names("setting", Names{"augment", "replaced"}, known_settings());
  });
  EXPECT_EQ(text, "no setting is called 'replaced', there are: augment, replace");
  tests::error_of(ErrorKind::kUsage, [] { select_names("setting", Names{}, known_settings()); });
  tests::error_of(ErrorKind::kUsage, [] { make_recommender("als", {}, 1); });
}

}  // namespace
}  // namespace tapestry::recsys
