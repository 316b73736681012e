// The operations and bytes that the benches take for necessary, beside those of tiny models counted product by product; and that
// one bench leaves the next what it found.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "bench/graphs_switch.h"
#include "bench/step_work.h"

namespace tapestry::tests {
namespace {

/// Operations of C = A B, C [m, n], sums over k: a product and an addition for each term.
constexpr double product(double m, double n, double k) { return 2 * m * n * k; }

constexpr std::int64_t kParameters = 100;
/// A float32 weight and its two moments, each read and written.
constexpr double kUpdateBytes = 100 * 3 * 2 * 4;

TEST(BenchWork, UpdateOfMultiVae) {
  const sdrm::VaeConfig config = {.hidden = 3, .latent = 2, .batch = 4, .dropout = 0.5};
  const bench::Work found = bench::vae_update_work(5, config, 6, kParameters);
  // Of 6 stored entries dropout keeps 3, each with H = 3 weights: forward, and the gradient by the weight.
  const double sparse = 2 * product(1, 3, 3);
  // h [4, 3] -> mu and log variance [4, 4]; z [4, 2] -> [4, 3] -> logits [4, 5]: forward, and both gradients.
  const double dense = 3 * (product(4, 4, 3) + product(4, 3, 2) + product(4, 5, 3));
  EXPECT_EQ(found.flops, sparse + dense);
  EXPECT_EQ(found.bytes, kUpdateBytes + 6 * 4);
}

/// B = 4, K = 3, T = 2, one hidden block.
constexpr sdrm::ScoreConfig kScore = {.timesteps = 2, .hidden_layers = 1, .batch = 4};

TEST(BenchWork, UpdateOfTheScoreModel) {
  const bench::Work found = bench::score_update_work(3, kScore, kParameters);
  // Three passes of B = 4 rows. z [12, 3] -> [12, 3] without a gradient by z; the block and the output with both.
  const double rows = 2 * product(12, 3, 3) + 2 * 3 * product(12, 3, 3);
  // The embeddings of t = 0, 1, 2, [3, 2] -> [3, 2] without a gradient by them, -> [3, 3] with both, however many rows there are.
  const double steps = 2 * product(3, 2, 2) + 3 * product(3, 3, 2);
  EXPECT_EQ(found.flops, rows + steps);
  EXPECT_EQ(found.bytes, kUpdateBytes + 4 * 3 * 4);
}

TEST(BenchWork, Sampling) {
  const bench::Work found = bench::sampling_work(3, kScore, 5, 9, kParameters);
  // 9 passes of one row through three layers [3, 3]; the embeddings of t = 1, 2 once.
  EXPECT_EQ(found.flops, 9 * 3 * product(1, 3, 3) + product(2, 2, 2) + product(2, 3, 2));
  EXPECT_EQ(found.bytes, 100 * 4 + 5 * 3 * 4);
}

TEST(BenchWork, ScoresOfSvd) {
  const bench::Work found = bench::svd_scores_work(3, 5, 2, 6);
  // x V of 6 stored entries, then [3, 2] -> [3, 5]; scores in float32, V [5, 2] in float64, 32-bit columns of x.
  EXPECT_EQ(found.flops, product(6, 2, 1) + product(3, 5, 2));
  EXPECT_EQ(found.bytes, 3 * 5 * 4 + 5 * 2 * 8 + 6 * 4);
}

TEST(BenchWork, TheFloorIsTheSlowerOfArithmeticAndMemory) {
  const bench::Peaks peaks = {.flops = 50, .bytes = 10};
  EXPECT_EQ(bench::floor_seconds({.flops = 100, .bytes = 30}, peaks), 3);
  EXPECT_EQ(bench::floor_seconds({.flops = 200, .bytes = 30}, peaks), 4);
}

TEST(BenchGraphs, AreAfterABenchAsTheyWereBefore) {
  const auto graphs = [] {
    const char* value = std::getenv("TAPESTRY_GRAPHS");
    return std::string(value == nullptr ? "unset" : value);
  };
  const std::string before = graphs();
  {
    const bench::GraphsSwitch off("off");
    EXPECT_EQ(graphs(), "off");
    {
      const bench::GraphsSwitch on("on");
      EXPECT_EQ(graphs(), "on");
    }
    EXPECT_EQ(graphs(), "off");
  }
  EXPECT_EQ(graphs(), before);
}

}  // namespace
}  // namespace tapestry::tests
