// recsys/generators/multivae_generator.h: the stock MultiVAE as a generator.
#include "recsys/generators/multivae_generator.h"

#include <gtest/gtest.h>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "recsys/metrics/ranking.h"
#include "sdrm/sampling.h"
#include "sdrm/vae_training.h"
#include "tests/recsys/generators/generator_support.h"

namespace tapestry::recsys {
namespace {

using tests::make_one;
using tests::RecordingListener;
using tests::same_pattern;
using tests::tiny_protocol;
using tests::tiny_settings;

TEST(MultiVaeGenerator, SaysWhenItDiverges) {
  GeneratorSettings settings = tiny_settings();
  settings.baselines.multivae.vae.learning_rate = 1e6;
  tests::expect_divergence_is_told("multivae", settings);
}

TEST(MultiVaeGenerator, HasTheSettingsOfTheOriginal) {
  const MultiVaeConfig config;
  EXPECT_EQ(config.vae.hidden, 600);
  EXPECT_EQ(config.vae.latent, 200);
  EXPECT_EQ(config.vae.batch, 500);
  EXPECT_EQ(config.vae.max_epochs, 200);
  // beta at updates 0, 10,000 and 39,999 of the 200,000 schedule; the cap is reached at 40,000.
  EXPECT_EQ(sdrm::kl_weight(config.vae, 0), 0);
  EXPECT_EQ(sdrm::kl_weight(config.vae, 10000), 0.05);
  EXPECT_LT(sdrm::kl_weight(config.vae, 39999), 0.2);
  EXPECT_EQ(sdrm::kl_weight(config.vae, 40000), 0.2);
  EXPECT_EQ(sdrm::kl_weight(config.vae, 1000000), 0.2);
}

// The likelihood does not see a constant added to a user's logits; the cut over the whole matrix does.
TEST(MultiVaeGenerator, AConstantThatTheLossIgnoresChangesTheCut) {
  const CsrMatrix x = CsrMatrix::from_rows(3, {{0, 2}, {1}});
  const auto loss_and_gradient = [&](const Tensor& logits) {
    const auto variable = autograd::Variable::parameter(logits);
    autograd::Tape tape;
    const autograd::Variable loss = autograd::multinomial_nll(variable, x);
    tape.backward(loss);
    return std::pair(loss.value().item(), variable.gradient());
  };
  const auto cut = [](const Tensor& logits) {
    return sdrm::binarize_at_density({2, 3, [&](std::int64_t begin, std::int64_t end) { return logits.slice_rows(begin, end); }},
                                     0.5)
        .ones;
  };
  const Tensor logits = Tensor::from<float>({1, -2, 3, 0.5, 2, -1}, {2, 3});
  const Tensor shifted = Tensor::from<float>({11, 8, 13, 0.5, 2, -1}, {2, 3});
  const auto [loss, gradient] = loss_and_gradient(logits);
  const auto [shifted_loss, shifted_gradient] = loss_and_gradient(shifted);
  EXPECT_NEAR(loss, shifted_loss, 1e-6);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(gradient.span<float>()[i], shifted_gradient.span<float>()[i], 1e-6);
  EXPECT_TRUE(same_pattern(cut(logits), CsrMatrix::from_rows(3, {{0, 2}, {1}})));
  EXPECT_TRUE(same_pattern(cut(shifted), CsrMatrix::from_rows(3, {{0, 1, 2}, {}})));
}

// Written out: NDCG@100 on the selection users after each epoch, the best epoch's decoder on z ~ N(0, I), one quantile.
TEST(MultiVaeGenerator, IsMultiVaeStoppedOnNdcgAt100AndDecodedFromThePrior) {
  const ProtocolData protocol = tiny_protocol();
  const GeneratorSettings settings = tiny_settings();
  const sdrm::VaeConfig& config = settings.baselines.multivae.vae;
  constexpr std::uint64_t kGenerator = 20;  // its place in make_generators.cpp
  const auto seed = [&](std::uint64_t part) { return derive_seed(derive_seed(settings.seed, kGenerator), part); };
  nn::Initializer init(seed(1));
  sdrm::MultiVae model(protocol.generator.cols(), config, init);
  std::vector<double> metrics;
  sdrm::fit_vae(model, protocol.generator, config, seed(2), [&](const sdrm::MultiVae& fitted, std::int64_t epoch) {
    const HeldOut users = protocol.selection(seed(3), static_cast<int>(epoch));
    const Tensor scores = fitted.decode(fitted.encode(users.input).mu).value();
    metrics.push_back(mean_over_users(ranking_metrics(scores, users, {.cutoffs = {100}}).values("NDCG@100")).value);
    return metrics.back();
  });
  const Tensor z = sdrm::sample_prior(30, config.latent, seed(4));
  const CsrMatrix expected = sdrm::binarize_at_density({30, model.items(), sdrm::decoded_rows(model, z)}, 0.15).ones;

  RecordingListener listener;
  const auto generator = make_one("multivae", settings);
  generator->fit(protocol, listener);
  EXPECT_TRUE(same_pattern(generator->sample({30, 0.15}, listener).likes, expected));
  ASSERT_EQ(listener.progress["multivae_fit"].size(), metrics.size());
  for (std::size_t i = 0; i < metrics.size(); ++i) EXPECT_EQ(listener.progress["multivae_fit"][i].metric, metrics[i]);
}

}  // namespace
}  // namespace tapestry::recsys
