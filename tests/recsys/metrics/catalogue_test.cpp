// What a recommender does to the catalogue, by hand on small lists.
#include "recsys/metrics/catalogue.h"

#include <gtest/gtest.h>

#include <cmath>

#include "recsys/metrics/ranking.h"
#include "tensor/error.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

bool near(double a, double b) { return std::abs(a - b) <= 1e-12; }

/// Lists [rows, k] from one vector.
Tensor lists(std::int64_t k, const std::vector<std::int32_t>& items) {
  Tensor ranked = Tensor::empty({static_cast<std::int64_t>(items.size()) / k, k}, DType::kInt32);
  std::copy(items.begin(), items.end(), ranked.data<std::int32_t>());
  return ranked;
}

// Five items; 0 is liked by all four users, 1 by two, 2 by one, 3 and 4 by none.
CsrMatrix train_rows() { return CsrMatrix::from_rows(5, {{0, 1}, {0, 1}, {0, 2}, {0}}); }

TEST(CatalogueTest, PopularityAndThirds) {
  const std::vector<std::int64_t> popularity = item_popularity(train_rows());
  EXPECT_EQ(popularity, (std::vector<std::int64_t>{4, 2, 1, 0, 0}));
  EXPECT_EQ(popularity_thirds(popularity), (std::vector<int>{0, 0, 1, 1, 2})) << "the odd items go to the head, then the middle";
  EXPECT_EQ(popularity_thirds(std::vector<std::int64_t>{1, 5, 3}), (std::vector<int>{2, 0, 1}));
  EXPECT_EQ(popularity_thirds(std::vector<std::int64_t>{7}), (std::vector<int>{0}));
  EXPECT_TRUE(popularity_thirds({}).empty());
}

TEST(CatalogueTest, GiniOfEqualSkewedAndNoCounts) {
  EXPECT_TRUE(near(gini({3, 3, 3, 3}), 0));
  EXPECT_TRUE(near(gini({0, 0, 0, 8}), 0.75)) << "one of n items has it all: 1 - 1/n";
  EXPECT_TRUE(near(gini({3, 1}), 0.25)) << "whatever the order";
  EXPECT_TRUE(std::isnan(gini({0, 0})));
  EXPECT_TRUE(std::isnan(gini({})));
}

TEST(CatalogueTest, MeasuresByHand) {
  // User 0 sees 0 and 3, user 1 sees 0 and then nothing is left, user 2 sees nothing at all.
  const CatalogueMetrics found =
      catalogue_metrics(lists(2, {0, 3, 0, -1, -1, -1}), 2, CsrMatrix::from_rows(5, {{0, 1, 3}, {2, 4}, {0}}), train_rows());
  EXPECT_TRUE(near(found.coverage, 2.0 / 5));
  EXPECT_TRUE(near(found.gini, gini({2, 0, 0, 1, 0})));
  const double of_zero = -std::log2(5.0 / 5), of_three = -std::log2(1.0 / 5);
  EXPECT_TRUE(near(found.novelty[0], (of_zero + of_three) / 2));
  EXPECT_TRUE(near(found.novelty[1], of_zero));
  EXPECT_TRUE(std::isnan(found.novelty[2]));
  // User 0: held out in the head are 0 and 1, of which 0 was shown; 3 in the middle was shown; none in the tail.
  EXPECT_TRUE(near(found.recall[0][0], 0.5));
  EXPECT_TRUE(near(found.recall[1][0], 1));
  EXPECT_TRUE(std::isnan(found.recall[2][0]));
  EXPECT_TRUE(near(found.recall[1][1], 0));
  EXPECT_TRUE(near(found.recall[2][1], 0));
  EXPECT_TRUE(near(found.recall[0][2], 0)) << "an empty list finds nothing";
}

TEST(CatalogueTest, AShortListIsMeasuredByK) {
  // Items 0, 1 and 2 are the head of nine; of the three held out there a list of one item finds one, of the two that k = 2
  // allows.
  const CsrMatrix train = CsrMatrix::from_rows(9, {{0, 1, 2, 3, 4, 5, 6, 7, 8}, {0, 1, 2}});
  const CatalogueMetrics found = catalogue_metrics(lists(2, {0, -1}), 2, CsrMatrix::from_rows(9, {{0, 1, 2}}), train);
  EXPECT_TRUE(near(found.recall[0][0], 0.5)) << found.recall[0][0];
}

TEST(CatalogueTest, ThirdsTogetherAreRecall) {
  // With k of at least |H|, hits of the thirds add up to those of all: sum of recall * |H in third| = Recall@k * |H|.
  const CsrMatrix input = tests::random_csr(40, 90, 1, false), train = tests::random_csr(60, 90, 2, false);
  std::vector<std::vector<std::int32_t>> out(40);
  for (std::int32_t user = 0; user < 40; ++user) {
    for (std::int32_t item = user % 7; item < 90; item += 13) {
      const auto row = input.row(user);
      if (!std::binary_search(row.begin(), row.end(), item)) out[static_cast<std::size_t>(user)].push_back(item);
    }
  }
  const HeldOut users = {input, CsrMatrix::from_rows(90, out)};
  const Tensor scores = tests::random_tensor({40, 90}, 3, 0, 1, DType::kFloat32);
  const CatalogueMetrics found = catalogue_metrics(rank_items(scores, users.input, 30), 20, users.heldout, train);
  const UserMetrics metrics = ranking_metrics(scores, users, {.cutoffs = {20}});
  const std::vector<int> thirds = popularity_thirds(item_popularity(train));
  for (std::size_t user = 0; user < 40; ++user) {
    if (out[user].empty()) continue;
    double hits = 0;
    for (int third = 0; third < 3; ++third) {
      const auto row = users.heldout.row(static_cast<std::int64_t>(user));
      const auto wanted = std::count_if(row.begin(), row.end(),
                                        [&](std::int32_t item) { return thirds[static_cast<std::size_t>(item)] == third; });
      if (wanted > 0) hits += found.recall[third][user] * static_cast<double>(wanted);
    }
    EXPECT_TRUE(near(hits, metrics.recall(0)[user] * static_cast<double>(out[user].size()))) << user;
  }
}

TEST(CatalogueTest, RefusesWhatDoesNotFit) {
  const CsrMatrix heldout = CsrMatrix::from_rows(5, {{0}});
  EXPECT_THROW(catalogue_metrics(lists(1, {5}), 1, heldout, train_rows()), Error);
  EXPECT_THROW(catalogue_metrics(lists(1, {0}), 2, heldout, train_rows()), Error);
  EXPECT_THROW(catalogue_metrics(lists(1, {0}), 0, heldout, train_rows()), Error);
  EXPECT_THROW(catalogue_metrics(lists(1, {0, 1}), 1, heldout, train_rows()), Error);
  EXPECT_THROW(catalogue_metrics(lists(1, {0}), 1, CsrMatrix::from_rows(4, {{0}}), train_rows()), Error);
}

}  // namespace
}  // namespace tapestry::recsys
