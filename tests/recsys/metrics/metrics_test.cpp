#include <gtest/gtest.h>
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "recsys/metrics/ranking.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

using Lists = std::vector<std::vector<std::int32_t>>;

void expect_near(double actual, double expected, double tolerance) {
  EXPECT_FALSE(!(std::abs(actual - expected) <= tolerance)) << actual << " instead of " << expected;
}

HeldOut held_out(std::int64_t items, const Lists& input, const Lists& heldout) {
  return {CsrMatrix::from_rows(items, input), CsrMatrix::from_rows(items, heldout)};
}

/// One user's list, as long as there are items. `masked` ascends.
std::vector<std::int32_t> best_items(std::span<const float> scores, const std::vector<std::int32_t>& masked, int count) {
  const auto items = static_cast<std::int64_t>(scores.size());
  const Tensor ranked = rank_items(Tensor::from<float>(scores, {1, items}), CsrMatrix::from_rows(items, {masked}), count);
  const std::span<const std::int32_t> list = ranked.span<std::int32_t>();
  return {list.begin(), std::find(list.begin(), list.end(), -1)};
}

/// The worked example of docs/metrics.md.
struct Toy {
  Tensor scores = Tensor::from<float>({.2f, .9f, .7f, .4f, .4f, .1f}, {1, 6});
  HeldOut users = held_out(6, {{1}}, {{0, 4}});
};

TEST(RankingTest, TheWorkedExampleOfTheDocumentation) {
  const Toy toy;
  EXPECT_EQ(best_items(toy.scores.span<float>(), {1}, 6), (std::vector<std::int32_t>{2, 3, 4, 0, 5}));
  const UserMetrics metrics = ranking_metrics(toy.scores, toy.users, {.cutoffs = {1, 3, 5, 50}});
  EXPECT_DOUBLE_EQ(metrics.values("Recall@1")[0], 0.0);
  EXPECT_DOUBLE_EQ(metrics.values("Recall@3")[0], 0.5);
  EXPECT_DOUBLE_EQ(metrics.values("Recall@5")[0], 1.0);
  EXPECT_DOUBLE_EQ(metrics.values("Recall@50")[0], 1.0);
  EXPECT_DOUBLE_EQ(metrics.values("NDCG@1")[0], 0.0);
  expect_near(metrics.values("NDCG@3")[0], 0.3065735964, 1e-9);
  expect_near(metrics.values("NDCG@5")[0], 0.5706417190, 1e-9);
  expect_near(metrics.values("NDCG@50")[0], 0.5706417190, 1e-9);
  EXPECT_THROW(metrics.values("Recall@10"), Error);
}

TEST(RankingTest, IdealOverAllPositionsIsTheFormOfThePrintedNeuMfResults) {
  const Toy toy;
  const UserMetrics metrics = ranking_metrics(toy.scores, toy.users, {.cutoffs = {3, 5}, .ideal = IdealDcg::kCutoff});
  expect_near(metrics.values("NDCG@3")[0], 0.2346393630, 1e-9);
  expect_near(metrics.values("NDCG@5")[0], 0.3156484524, 1e-9);
  EXPECT_DOUBLE_EQ(metrics.values("Recall@5")[0], 1.0);
}

TEST(RankingTest, APerfectRankingScoresOneAndMissedItemsZero) {
  const Tensor scores = Tensor::from<float>({5, 4, 3, 2, 1, 5, 4, 3, 2, 1}, {2, 5});
  const UserMetrics metrics = ranking_metrics(scores, held_out(5, {{}, {0}}, {{0, 1, 2}, {4}}), {.cutoffs = {1, 3}});
  for (const std::string& metric : metric_names(metrics.cutoffs())) {
    EXPECT_DOUBLE_EQ(metrics.values(metric)[0], 1.0) << metric;
    EXPECT_DOUBLE_EQ(metrics.values(metric)[1], 0.0) << metric;
  }
}

TEST(RankingTest, UsersWithoutHeldOutItemsAreSkipped) {
  const Tensor scores = Tensor::from<float>({1, 2, 1, 2, 2, 1}, {3, 2});
  const UserMetrics metrics = ranking_metrics(scores, held_out(2, {{}, {}, {}}, {{1}, {}, {1}}), {.cutoffs = {1}});
  EXPECT_TRUE(std::isnan(metrics.recall(0)[1]));
  EXPECT_TRUE(std::isnan(metrics.ndcg(0)[1]));
  const MeanOverUsers mean = mean_over_users(metrics.recall(0));
  EXPECT_DOUBLE_EQ(mean.value, 0.5);
  EXPECT_EQ(mean.users, 2);
  EXPECT_TRUE(std::isnan(mean_over_users(metrics.recall(0).subspan(1, 1)).value));
}

TEST(RankingTest, NanRanksBelowEveryNumberAndMaskedItemsNeverReturn) {
  const std::vector<float> scores = {kNaN, -kInfinity, 3, kNaN, kInfinity, 3};
  const std::vector<std::int32_t> none, masked = {2, 3};
  EXPECT_EQ(best_items(scores, none, 6), (std::vector<std::int32_t>{4, 2, 5, 1, 0, 3}));
  EXPECT_EQ(best_items(scores, none, 4), (std::vector<std::int32_t>{4, 2, 5, 1}));
  EXPECT_EQ(best_items(scores, masked, 50), (std::vector<std::int32_t>{4, 5, 1, 0}));
  const Tensor ranked = rank_items(Tensor::from<float>(scores, {1, 6}), CsrMatrix::from_rows(6, {masked}), 5);
  EXPECT_EQ(ranked.span<std::int32_t>()[3], 0);
  EXPECT_EQ(ranked.span<std::int32_t>()[4], -1);
}

TEST(RankingTest, OneItemAndMoreCutoffsThanItems) {
  const Tensor scores = Tensor::from<float>({0.f, 0.f}, {2, 1});
  const UserMetrics metrics = ranking_metrics(scores, held_out(1, {{}, {0}}, {{0}, {}}));
  for (const std::string& metric : metric_names()) {
    EXPECT_DOUBLE_EQ(metrics.values(metric)[0], 1.0) << metric;
    EXPECT_TRUE(std::isnan(metrics.values(metric)[1])) << metric;
  }
}

TEST(RankingTest, RefusesWhatDoesNotFit) {
  const Toy toy;
  EXPECT_THROW(ranking_metrics(toy.scores, toy.users, {.cutoffs = {0}}), Error);
  EXPECT_THROW(ranking_metrics(toy.scores, toy.users, {.cutoffs = {}}), Error);
  EXPECT_THROW(ranking_metrics(toy.scores, held_out(7, {{1}}, {{0}})), Error);
  EXPECT_THROW(ranking_metrics(toy.scores, held_out(6, {{1}}, {{0}, {1}})), Error);
  EXPECT_THROW(ranking_metrics(Tensor::zeros({1, 6}, DType::kFloat64), toy.users), Error);
}

/// The obvious computation: sort all items, look at every position.
struct Brute {
  double recall = 0, ndcg = 0;
};

Brute brute_force(std::span<const float> scores, std::span<const std::int32_t> input, std::span<const std::int32_t> heldout,
                  int k, IdealDcg ideal) {
  const auto contains = [](std::span<const std::int32_t> list, int item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  };
  std::vector<int> order;
  for (int i = 0; i < static_cast<int>(scores.size()); ++i) {
    if (!contains(input, i)) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    if (std::isnan(scores[a]) || std::isnan(scores[b])) return !std::isnan(scores[a]) && std::isnan(scores[b]);
    return scores[a] > scores[b];
  });
  const int reachable = std::min<int>(k, static_cast<int>(heldout.size()));
  double hits = 0, dcg = 0, best = 0;
  for (int rank = 1; rank <= k; ++rank) {
    if (rank <= (ideal == IdealDcg::kCutoff ? k : reachable)) best += 1 / std::log2(rank + 1);
    if (rank <= static_cast<int>(order.size()) && contains(heldout, order[rank - 1])) {
      hits += 1;
      dcg += 1 / std::log2(rank + 1);
    }
  }
  return {hits / reachable, dcg / best};
}

/// Scores on a coarse grid, so that ties abound, a tenth of them NaN or infinite.
struct RandomCase {
  RandomCase(std::int64_t users_count, std::int64_t items, std::uint32_t step) : scores(Tensor::empty({users_count, items})) {
    RandomSequence random({3, Purpose::kTest, step});
    for (float& score : scores.span<float>()) {
      const std::uint32_t special = random.below(20);
      score = special == 0 ? kNaN : special == 1 ? -kInfinity : static_cast<float>(random.below(40)) - 20;
    }
    Lists input(static_cast<std::size_t>(users_count)), heldout(input);
    for (std::size_t u = 0; u < input.size(); ++u) {
      const std::uint32_t input_share = random.below(10), heldout_share = random.below(4);
      for (std::int32_t i = 0; i < items; ++i) {
        if (random.below(10) < input_share) {
          input[u].push_back(i);
        } else if (random.below(10) < heldout_share) {
          heldout[u].push_back(i);
        }
      }
    }
    users = held_out(items, input, heldout);
  }
  Tensor scores;
  HeldOut users;
};

TEST(RankingTest, EqualsBruteForceWithTiesNanAndEmptySets) {
  int undefined = 0;
  for (const std::int64_t items : {1, 2, 7, 33, 65, 257}) {
    const RandomCase data(40, items, static_cast<std::uint32_t>(items));
    for (const IdealDcg ideal : {IdealDcg::kHeldOut, IdealDcg::kCutoff}) {
      const UserMetrics metrics = ranking_metrics(data.scores, data.users, {.ideal = ideal});
      for (std::int64_t user = 0; user < 40; ++user) {
        const std::span<const float> scores =
            data.scores.span<float>().subspan(static_cast<std::size_t>(user * items), static_cast<std::size_t>(items));
        for (std::size_t c = 0; c < kCutoffs.size(); ++c) {
          const double recall = metrics.recall(c)[static_cast<std::size_t>(user)],
                       ndcg = metrics.ndcg(c)[static_cast<std::size_t>(user)];
          if (data.users.heldout.row(user).empty()) {
            EXPECT_TRUE(std::isnan(recall) && std::isnan(ndcg));
            ++undefined;
            continue;
          }
          const Brute expected =
              brute_force(scores, data.users.input.row(user), data.users.heldout.row(user), kCutoffs[c], ideal);
          expect_near(recall, expected.recall, 1e-15);
          expect_near(ndcg, expected.ndcg, 1e-14);
        }
      }
    }
  }
  EXPECT_GT(undefined, 0);
}

bool same_bits(std::span<const double> a, std::span<const double> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y); });
}

TEST(RankingTest, NeitherThreadsNorTilesChangeABit) {
  const std::int64_t items = 130;
  const RandomCase data(101, items, 77);
  const UserMetrics expected = ranking_metrics(data.scores, data.users);
  const int before = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    for (const std::int64_t tile : {1, 7, 101, 1000}) {
      std::int64_t next = 0;
      const auto score = [&](const CsrMatrix& inputs) {
        EXPECT_LE(inputs.rows(), tile);
        next += inputs.rows();
        return data.scores.slice_rows(next - inputs.rows(), next);
      };
      const UserMetrics tiled = ranking_metrics(score, data.users, {.tile_users = tile});
      EXPECT_EQ(next, 101);
      for (const std::string& metric : metric_names()) {
        EXPECT_TRUE(same_bits(tiled.values(metric), expected.values(metric))) << metric << " tile " << tile;
      }
    }
  }
  set_num_threads(before);
}

TEST(RankingTest, OfManyItemsFewerUsersAreScoredAtATime) {
  // No more than 16 MiB of scores: of two million items two users, of more than four million one.
  for (const std::int64_t items : {std::int64_t{1} << 21, (std::int64_t{1} << 22) + 1}) {
    const std::int64_t most = items == (1 << 21) ? 2 : 1;
    std::vector<std::int64_t> asked;
    const RowScores score = [&](std::int64_t begin, std::int64_t end) {
      asked.push_back(end - begin);
      return Tensor::zeros({end - begin, items});
    };
    rank_items(score, CsrMatrix::from_rows(items, {{}, {}, {}}), 1);
    EXPECT_EQ(asked.front(), most) << items;
    EXPECT_EQ(std::accumulate(asked.begin(), asked.end(), std::int64_t{0}), 3) << items;
  }
}

TEST(RankingTest, OneCutoffAloneEqualsTheFullEvaluation) {
  const RandomCase data(60, 90, 5);
  const UserMetrics metrics = ranking_metrics(data.scores, data.users);
  for (const int k : kCutoffs) {
    EXPECT_TRUE(
        same_bits(ranking_metrics(data.scores, data.users, {.cutoffs = {k}}).recall(0), metrics.values(concat("Recall@", k))));
  }
}

TEST(RankingTest, MetricNamesAreInReportOrder) {
  const std::vector<int> cutoffs = {1, 10};
  EXPECT_EQ(metric_names(cutoffs), (std::vector<std::string>{"Recall@1", "Recall@10", "NDCG@1", "NDCG@10"}));
  EXPECT_EQ(metric_names().size(), 12u);
}

}  // namespace
}  // namespace tapestry::recsys
