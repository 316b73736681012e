// recsys/generators/sdrm_family.h: multivae++, f-sdrm and m-sdrm written out.
#include "recsys/generators/sdrm_family.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "recsys/metrics/ranking.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tests/recsys/generators/generator_support.h"

namespace tapestry::recsys {
namespace {

using tests::make_one;
using tests::RecordingListener;
using tests::same_pattern;

/// Recall@10 on the selection users after each epoch, the best epoch's encoder for the latents of all rows to learn from, and
/// latents of three kinds through its decoder, cut at one quantile. Every part of a run draws from a seed of its own.
TEST(SdrmFamily, IsOneVaeStoppedOnRecallAt10AndOneScoreModelOfItsLatents) {
  const ProtocolData protocol = tests::tiny_protocol();
  ASSERT_GT(protocol.generator.rows(), protocol.train.rows());
  GeneratorSettings settings = tests::tiny_settings(5);
  settings.score.noise_scale = 0.5;
  settings.score.dropout = 0.3;
  const auto seed = [&](std::uint64_t part) { return derive_seed(settings.seed, part); };

  nn::Initializer vae_init(seed(1));
  sdrm::MultiVae vae(protocol.generator.cols(), settings.vae, vae_init);
  std::vector<double> metrics;
  sdrm::fit_vae(vae, protocol.generator, settings.vae, seed(2), [&](const sdrm::MultiVae& fitted, std::int64_t epoch) {
    const HeldOut users = protocol.selection(seed(3), static_cast<int>(epoch));
    const Tensor scores = fitted.decode(fitted.encode(users.input).mu).value();
    metrics.push_back(mean_over_users(ranking_metrics(scores, users, {.cutoffs = {10}}).values("Recall@10")).value);
    return metrics.back();
  });
  nn::Initializer score_init(seed(4));
  sdrm::ScoreModel score(settings.vae.latent, settings.score, score_init);
  const auto losses = sdrm::fit_score_model(score, vae.latents(protocol.generator), settings.score, seed(5));
  const auto sampled = [&](sdrm::Resolution resolution, std::uint64_t part) {
    return sdrm::sample_latents(score, 30, {.resolution = resolution, .noise_scale = 0.5, .dropout = 0.3}, seed(part));
  };
  const std::map<std::string, Tensor> latents = {{"multivae++", sdrm::sample_prior(30, settings.vae.latent, seed(6))},
                                                 {"f-sdrm", sampled(sdrm::Resolution::kFull, 7)},
                                                 {"m-sdrm", sampled(sdrm::Resolution::kMulti, 8)}};
  for (const auto& [name, z] : latents) {
    const CsrMatrix expected = sdrm::binarize_at_density({30, vae.items(), sdrm::decoded_rows(vae, z)}, 0.15).ones;
    RecordingListener listener;
    const auto generator = make_one(name, settings);
    generator->fit(protocol, listener);
    EXPECT_TRUE(same_pattern(generator->sample({30, 0.15}, listener).likes, expected)) << name;
    const std::vector<StageProgress>& vae_epochs = listener.progress["vae_fit"];
    ASSERT_EQ(vae_epochs.size(), metrics.size());
    for (std::size_t i = 0; i < metrics.size(); ++i) EXPECT_EQ(vae_epochs[i].metric, metrics[i]);
    if (name == "multivae++") {
      EXPECT_EQ(listener.progress.count("sdrm_fit"), 0U);
      continue;
    }
    const std::vector<StageProgress>& score_epochs = listener.progress["sdrm_fit"];
    ASSERT_EQ(score_epochs.size(), losses.size());
    for (std::size_t i = 0; i < losses.size(); ++i) EXPECT_EQ(score_epochs[i].loss, losses[i].loss);
  }
}

}  // namespace
}  // namespace tapestry::recsys
