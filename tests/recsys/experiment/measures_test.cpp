// What an evaluation is reduced to, and what synthetic users are reduced to beside real ones.
#include "recsys/experiment/measures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "recsys/metrics/catalogue.h"
#include "recsys/metrics/ranking.h"
#include "recsys/metrics/synthetic_summary.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using Rows = std::vector<std::vector<std::int32_t>>;

double value(const Measures& measures, const std::string& name) {
  const auto found = std::find(measures.names.begin(), measures.names.end(), name);
  EXPECT_NE(found, measures.names.end()) << name;
  return measures.means.at(static_cast<std::size_t>(found - measures.names.begin()));
}

struct Case {
  static constexpr std::int64_t kUsers = 40, kItems = 70;
  Tensor scores = tests::random_tensor({kUsers, kItems}, 3, -1, 1, DType::kFloat32);
  HeldOut users = {CsrMatrix::from_rows(kItems, tests::random_pattern(kUsers, kItems, 0.1, 4)),
                   CsrMatrix::from_rows(kItems, tests::random_pattern(kUsers, kItems, 0.08, 5))};
  CsrMatrix train = CsrMatrix::from_rows(kItems, tests::random_pattern(90, kItems, 0.2, 6));
  Tensor ranked = rank_items(scores, users.input, 50);
};

TEST(Measures, AreTheMetricsOfTheSameLists) {
  const Case data;
  const Measures measures = measure(data.ranked, data.users.heldout, data.train, true);
  EXPECT_EQ(measures.names, measure_names(true));
  const UserMetrics metrics = ranking_metrics(data.scores, data.users);
  const UserMetrics over_k = ranking_metrics(data.scores, data.users, {.ideal = IdealDcg::kCutoff});
  for (const int k : kCutoffs) {
    EXPECT_EQ(value(measures, concat("Recall@", k)), mean_over_users(metrics.values(concat("Recall@", k))).value);
    EXPECT_EQ(value(measures, concat("NDCG@", k)), mean_over_users(metrics.values(concat("NDCG@", k))).value);
    EXPECT_EQ(value(measures, concat("NDCG-k@", k)), mean_over_users(over_k.values(concat("NDCG@", k))).value);
  }
  const CatalogueMetrics of_ten =
      catalogue_metrics(rank_items(data.scores, data.users.input, 10), 10, data.users.heldout, data.train);
  EXPECT_EQ(value(measures, "Coverage@10"), of_ten.coverage);
  EXPECT_EQ(value(measures, "Gini@10"), of_ten.gini);
  EXPECT_EQ(value(measures, "Novelty@10"), mean_over_users(of_ten.novelty).value);
  EXPECT_EQ(value(measures, "Recall-tail@10"), mean_over_users(of_ten.recall[2]).value);
  EXPECT_NE(value(measures, "Recall-head@10"), value(measures, "Recall-mid@10"));
  for (std::size_t i = 0; i < measures.names.size(); ++i) {
    const bool of_all = measures.names[i] == "Coverage@10" || measures.names[i] == "Gini@10";
    EXPECT_EQ(measures.users[i].size(), of_all ? 0U : 40U) << measures.names[i];
  }
}

TEST(Measures, ListsInTilesAreTheSame) {
  const Case data;
  for (const std::int64_t tile : {1, 7, 40, 1000}) {
    const auto score = [&](std::int64_t begin, std::int64_t end) { return data.scores.slice_rows(begin, end); };
    const Tensor tiled = rank_items(score, data.users.input, 50, tile);
    const auto expected = data.ranked.span<std::int32_t>(), found = tiled.span<std::int32_t>();
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), found.begin(), found.end())) << tile;
  }
}

TEST(Measures, WithoutListsThereAreNoFigures) {
  const Measures measures = no_measures(3, false);
  EXPECT_EQ(measures.names, measure_names(false));
  EXPECT_EQ(measures.names.size(), 18U);
  EXPECT_EQ(measure_names(true).size(), 24U);
  for (std::size_t i = 0; i < measures.names.size(); ++i) {
    EXPECT_TRUE(std::isnan(measures.means[i])) << measures.names[i];
    for (const double one : measures.users[i]) EXPECT_TRUE(std::isnan(one));
  }
  EXPECT_EQ(measures.users.front().size(), 3U);
}

TEST(Measures, ListsThatAreTooShortAreRefused) {
  const Case data;
  EXPECT_THROW(measure(rank_items(data.scores, data.users.input, 49), data.users.heldout, data.train, false), Error);
  EXPECT_THROW(list_metrics(data.ranked, data.train), Error);
  EXPECT_THROW(list_metrics(data.scores, data.users.heldout), Error);
}

TEST(SyntheticSummary, SmallExample) {
  const CsrMatrix real = CsrMatrix::from_rows(6, Rows{{0, 1, 2}, {3, 4}, {5}});
  const CsrMatrix synthetic = CsrMatrix::from_rows(6, Rows{{3, 4}, {0, 1}, {}, {0, 1, 2, 3, 4}});
  const SyntheticSummary summary = summarise_synthetic(synthetic, real);
  EXPECT_EQ(summary.shape.users_by_length, (std::vector<std::int64_t>{1, 0, 2, 0, 0, 1}));
  EXPECT_EQ(summary.shape.items_by_users, (std::vector<std::int64_t>{1, 1, 4}));
  // {3,4} is a copy; {0,1} shares 2 of 3; {0..4} shares 3 of 5 with the first and 2 of 5 with the second.
  EXPECT_EQ(summary.pairs, (SimilarityHistogram{8, 0, 0, 0, 1, 0, 2, 0, 0, 1}));
  EXPECT_EQ(summary.nearest, (SimilarityHistogram{1, 0, 0, 0, 0, 0, 2, 0, 0, 1}));
  EXPECT_EQ(summary.copies, 1);
}

}  // namespace
}  // namespace tapestry::recsys
