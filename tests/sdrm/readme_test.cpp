// The example of sdrm/README.md, compiled and run.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sdrm/binarize.h"
#include "sdrm/sampling.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/snippet.h"

namespace tapestry::sdrm {
namespace {

/// Synthetic users as a matrix with the density of `real`.
CsrMatrix synthesize(const CsrMatrix& real, std::int64_t users, std::uint64_t seed) {
  VaeConfig vae_config;
  vae_config.hidden = 32;
  vae_config.latent = 8;
  vae_config.max_epochs = 30;
  nn::Initializer vae_init(derive_seed(seed, 0));
  MultiVae vae(real.cols(), vae_config, vae_init);
  // What early stopping looks at is the caller's: a ranking metric of users held out, here simply the last epoch.
  fit_vae(vae, real, vae_config, derive_seed(seed, 1), [](const MultiVae&, std::int64_t epoch) { return double(epoch); });

  ScoreConfig score_config;
  score_config.timesteps = 20;
  score_config.epochs = 30;
  nn::Initializer score_init(derive_seed(seed, 2));
  ScoreModel score(vae.latent(), score_config, score_init);
  fit_score_model(score, vae.latents(real), score_config, derive_seed(seed, 3));

  const SamplingOptions options = sampling_options(score_config, Resolution::kMulti);
  const Tensor latents = sample_latents(score, users, options, derive_seed(seed, 4));
  const double density = double(real.nnz()) / double(real.rows() * real.cols());
  return binarize_at_density({users, real.cols(), decoded_rows(vae, latents)}, density).ones;
}

TEST(Readme, TheExampleGivesAMatrixOfTheRealDensity) {
  const CsrMatrix real = tests::grouped_matrix(90, 40, 4, 5);
  const CsrMatrix synthetic = synthesize(real, 120, 7);
  EXPECT_EQ(synthetic.rows(), 120);
  EXPECT_EQ(synthetic.cols(), 40);
  EXPECT_NEAR(double(synthetic.nnz()) / (120 * 40), double(real.nnz()) / (90 * 40), 2e-3);
  EXPECT_TRUE(tests::same_bits(synthetic.columns(), synthesize(real, 120, 7).columns()));
}

TEST(Readme, HasTheExampleAsItIsCompiled) {
  const std::string root = TAPESTRY_SOURCE_DIR;
  const std::vector<std::string> blocks = tests::code_blocks(root + "/sdrm/README.md");
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_GT(blocks.front().size(), 500u);
  EXPECT_TRUE(tests::is_compiled_in(blocks.front(), root + "/tests/sdrm/readme_test.cpp"));
}

}  // namespace
}  // namespace tapestry::sdrm
