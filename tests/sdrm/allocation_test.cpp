// After warm-up a training step asks the system for no memory: neither the pool nor operator new.
#include <gtest/gtest.h>

#include <new>
#include <vector>

#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tensor/memory.h"
#include "tests/support/counted_new.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

/// What had been asked of the system when an epoch ended.
struct Count {
  std::int64_t pool;
  std::int64_t heap;
};

Count count_now() { return {pool_stats(Device::kCpu).system_allocations, tests::counted_new()}; }

/// Epochs between which a trainer's history vector does not grow: it doubles when epoch 4 and epoch 8 are appended.
constexpr std::size_t kFrom = 4;
constexpr std::size_t kTo = 7;

TEST(Allocations, AWarmScoreTrainingStepMakesNone) {
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    for (const Objective objective : {Objective::kScore, Objective::kEpsilon}) {
      ScoreConfig config;
      config.timesteps = 20;
      config.batch = 50;
      config.epochs = 8;
      config.variant = variant;
      config.objective = objective;
      nn::Initializer init(1);
      ScoreModel model(24, config, init);
      const Tensor z0 = random_normal({170, 24}, {2, Purpose::kTest, 0});  // the last batch is shorter
      std::vector<Count> counts;
      counts.reserve(8);
      fit_score_model(model, z0, config, 3, [&](const ScoreEpoch&) { counts.push_back(count_now()); });
      ASSERT_EQ(counts.size(), 8u);
      EXPECT_EQ(counts[kTo].heap - counts[kFrom].heap, 0);
      EXPECT_EQ(counts[kTo].pool - counts[0].pool, 0);
    }
  }
}

/// What fit_vae has asked for at the end of every epoch.
std::vector<Count> vae_counts(const CsrMatrix& x, std::int64_t epochs) {
  VaeConfig config;
  config.hidden = 30;
  config.latent = 10;
  config.batch = 50;
  config.max_epochs = epochs;
  config.patience = epochs;
  nn::Initializer init(1);
  MultiVae model(x.cols(), config, init);
  std::vector<Count> counts;
  counts.reserve(static_cast<std::size_t>(epochs));
  const auto validate = [](const MultiVae&, std::int64_t epoch) {
    return -static_cast<double>(epoch);
  };  // no copy of a best model
  fit_vae(model, x, config, 3, validate, [&](const VaeEpoch&) { counts.push_back(count_now()); });
  return counts;
}

TEST(Allocations, AWarmVaeTrainingStepMakesNone) {
  std::vector<std::vector<std::int32_t>> rows;
  for (std::int32_t row = 0; row < 170; ++row) rows.push_back({row % 20, 20 + row % 7, 30 + row % 29});
  const std::vector<Count> counts = vae_counts(CsrMatrix::from_rows(60, rows), 8);
  ASSERT_EQ(counts.size(), 8u);
  EXPECT_EQ(counts[kTo].heap - counts[kFrom].heap, 0);
  EXPECT_EQ(counts[kTo].pool - counts[0].pool, 0);
}

TEST(Allocations, OfBatchesWithMoreOrFewerEntriesMakeNone) {
  const std::vector<Count> counts = vae_counts(tests::grouped_matrix(170, 60, 4, 5), 30);  // every batch has room for the fullest
  ASSERT_EQ(counts.size(), 30u);
  EXPECT_EQ(counts[kTo].heap - counts[kFrom].heap, 0);
  EXPECT_EQ(counts[29].pool - counts[0].pool, 0);
}

TEST(Allocations, AreCounted) {
  const Count before = count_now();
  ::operator delete(::operator new(100));  // called by its name: a vector that nobody reads may be left out, as Clang does
  const Tensor in_the_pool = Tensor::empty({7'654'321});
  EXPECT_GE(count_now().pool - before.pool, 1);
  EXPECT_GE(count_now().heap - before.heap, 1);
  EXPECT_EQ(in_the_pool.rows(), 1);
}

}  // namespace
}  // namespace tapestry::sdrm
