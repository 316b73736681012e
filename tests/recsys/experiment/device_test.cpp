// Ranking and the SVD on a GPU against the same on the CPU.
#include <algorithm>
#include <cmath>
#include <limits>

#include "recsys/data/simulated.h"
#include "recsys/experiment/fit_data.h"
#include "recsys/experiment/measures.h"
#include "recsys/experiment/selection.h"
#include "recsys/metrics/ranking.h"
#include "recsys/recommenders/svd.h"
#include "tensor/memory.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::test_device;

class RecommendersOnDevice : public tapestry::tests::GpuTest {};

/// Scores with ties, NaN and infinities, and masks up to whole rows.
struct RankingCase {
  RankingCase(std::int64_t users, std::int64_t items)
      : scores(tapestry::tests::random_tensor({users, items}, 3, -2, 2, DType::kFloat32)),
        masked(CsrMatrix::from_rows(items, tapestry::tests::random_pattern(users, items, 0.3, 4))) {
    const float special[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(), -0.0f};
    for (std::int64_t i = 0; i < scores.numel(); ++i) {
      float& score = scores.span<float>()[static_cast<std::size_t>(i)];
      score = i % 3 == 0 ? special[i / 3 % 4] : std::round(2 * score) / 2;
    }
  }
  Tensor scores;
  CsrMatrix masked;
};

TEST_F(RecommendersOnDevice, ListsAreTheSame) {
  for (const auto& [users, items, count] : {std::tuple{9, 140, 50}, {3, 1, 2}, {1, 33, 50}, {5, 40, 1}}) {
    const RankingCase data(users, items);
    const Tensor expected = rank_items(data.scores, data.masked, count);
    const Tensor there = data.scores.to(test_device());
    const std::int64_t before = copy_stats().bytes_to_host;
    const Tensor ours = rank_items([&](auto begin, auto end) { return there.slice_rows(begin, end); }, data.masked, count, 4);
    EXPECT_EQ(copy_stats().bytes_to_host - before, 4 * users * count) << "the lists alone cross to the host";
    EXPECT_TRUE(std::ranges::equal(ours.span<std::int32_t>(), expected.span<std::int32_t>())) << users << " x " << items;
  }
}

/// A decomposition on the device: the host's values, space and number of vectors.
void expect_same_decomposition(const CsrMatrix& matrix, int rank) {
  const TruncatedSvd expected = truncated_svd(matrix, rank);
  const TruncatedSvd ours = truncated_svd(matrix, rank, {.device = test_device()});
  ASSERT_EQ(ours.rank(), expected.rank());
  const double largest = expected.singular_values[0];
  for (std::size_t r = 0; r < expected.singular_values.size(); ++r) {
    EXPECT_FALSE(!(std::abs(ours.singular_values[r] - expected.singular_values[r]) <= 1e-10 * largest)) << r;
  }
  // Vectors are orthonormal, and have the projector V V^T of the host's.
  const auto inner = [&](const TruncatedSvd& a, std::int64_t i, const TruncatedSvd& b, std::int64_t j) {
    double sum = 0;
    for (std::int64_t c = 0; c < matrix.cols(); ++c) {
      sum += a.right[static_cast<std::size_t>(i * matrix.cols() + c)] * b.right[static_cast<std::size_t>(j * matrix.cols() + c)];
    }
    return sum;
  };
  for (std::int64_t i = 0; i < ours.rank(); ++i) {
    double within = 0;
    for (std::int64_t j = 0; j < ours.rank(); ++j) {
      EXPECT_FALSE(!(std::abs(inner(ours, i, ours, j) - (i == j ? 1 : 0)) <= 1e-12)) << i << " " << j;
      within += std::pow(inner(ours, i, expected, j), 2);
    }
    EXPECT_FALSE(!(std::abs(within - 1) <= 1e-9)) << "vector " << i << " leaves the host's space";
  }
}

TEST_F(RecommendersOnDevice, TheDecompositionIsTheSame) {
  const CsrMatrix matrix = CsrMatrix::from_rows(210, tapestry::tests::random_pattern(80, 210, 0.1, 5));
  expect_same_decomposition(matrix, 4);
  std::vector<float> values;
  for (std::int64_t i = 0; i < matrix.nnz(); ++i) values.push_back(static_cast<float>(1 + i % 5));
  expect_same_decomposition(matrix.with_values(Tensor::from<float>(values, {matrix.nnz()})), 4);
  expect_same_decomposition(CsrMatrix::from_rows(40, tapestry::tests::random_pattern(30, 40, 0.2, 6)), 4);  // few items
}

TEST_F(RecommendersOnDevice, WhatADecompositionBringsToTheHostDoesNotGrowWithTheUsers) {
  const CsrMatrix once = CsrMatrix::from_rows(210, tapestry::tests::random_pattern(80, 210, 0.1, 5));
  std::vector<std::int64_t> crossed;
  std::vector<int> applications;
  for (const CsrMatrix& matrix : {once, concat_rows(std::vector<CsrMatrix>(5, once))}) {  // the same space
    const std::int64_t before = copy_stats().bytes_to_host;
    applications.push_back(truncated_svd(matrix, 4, {.device = test_device()}).applications);
    crossed.push_back(copy_stats().bytes_to_host - before);
  }
  EXPECT_EQ(applications[1], applications[0]);
  EXPECT_EQ(crossed[1], crossed[0]);
  EXPECT_GT(crossed[0], 4 * 210 * 8);
}

TEST_F(RecommendersOnDevice, TheDecompositionFindsALowRank) {
  std::vector<std::vector<std::int32_t>> rows(30);  // of rank 3: blocks lose rank at once
  for (std::int32_t u = 0; u < 30; u += 2) {
    for (std::int32_t copy = 0; copy <= u % 3; ++copy) rows[static_cast<std::size_t>(u)].push_back(u % 3 + 70 * copy);
  }
  expect_same_decomposition(CsrMatrix::from_rows(210, rows), 4);
  EXPECT_EQ(truncated_svd(CsrMatrix::from_rows(210, rows), 4, {.device = test_device()}).rank(), 3);
}

TEST_F(RecommendersOnDevice, SvdOfTheOriginalDataHasTheSameMeasures) {
  SimulationConfig config;
  config.users = 260;
  config.items = 420;
  const ProtocolData protocol = make_protocol(simulate_dataset(config), ProtocolName::kPublished, 1);
  const FitData data = make_fit_data(protocol, "svd", kOriginal, "augment", {});
  ASSERT_GT(protocol.train.cols(), 264) << "enough items for the search by blocks";
  std::vector<Measures> measured;
  for (const Device device : {Device::kCpu, test_device()}) {
    const auto recommender = make_recommender("svd", {}, 1, device);
    recommender->fit(data, [](const StageProgress&) {});
    EXPECT_EQ(recommender->score(0, 2).device(), device);
    const std::int64_t fitted = copy_stats().bytes_to_host;
    const auto score = [&](std::int64_t begin, std::int64_t end) { return recommender->score(begin, end); };
    const Tensor ranked = rank_items(score, recommender->masked(), 50);
    measured.push_back(measure(ranked, heldout_for(protocol, "svd"), protocol.train, false));
    if (device == Device::kCpu) continue;
    EXPECT_EQ(copy_stats().bytes_to_host - fitted, ranked.bytes()) << "the lists alone";
  }
  ASSERT_EQ(measured[1].names, measured[0].names);
  for (std::size_t i = 0; i < measured[0].names.size(); ++i) {
    EXPECT_FALSE(!(std::abs(measured[1].means[i] - measured[0].means[i]) < 0.00005)) << measured[0].names[i];
  }
}

}  // namespace
}  // namespace tapestry::recsys
