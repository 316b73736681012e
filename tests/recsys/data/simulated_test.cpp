#include "recsys/data/simulated.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "recsys/data/protocol.h"
#include "tensor/random.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::recsys {
namespace {

using tests::expect_same_content;

TEST(Simulated, HasTheSizePromised) {
  const Dataset dataset = simulate_dataset();
  EXPECT_EQ(dataset.name, "simulated");
  EXPECT_EQ(dataset.source, "simulated, seed 1");
  EXPECT_GE(dataset.stored.rows(), 950);
  EXPECT_LE(dataset.stored.rows(), 1000);
  EXPECT_GE(dataset.stored.cols(), 650);
  EXPECT_LE(dataset.stored.cols(), 750);
  const double liked = static_cast<double>(likes(dataset.stored).nnz()) / static_cast<double>(dataset.stored.nnz());
  EXPECT_GT(liked, 0.5);
  EXPECT_LT(liked, 0.8) << "there are dislikes: explicit zeros";
}

TEST(Simulated, IsTheSameForASeed) {
  const Dataset dataset = simulate_dataset();
  expect_same_content(simulate_dataset(), dataset);
  SimulationConfig other;
  other.seed = 2;
  EXPECT_NE(simulate_dataset(other).sha256, dataset.sha256);
  EXPECT_EQ(simulate_dataset(other).source, "simulated, seed 2");
}

// The process as simulated.h has it, number by number.
TEST(Simulated, IsTheProcessThatIsDescribed) {
  const SimulationConfig config = {.users = 40, .items = 30, .groups = 4, .activity_median = 9, .activity_least = 6, .seed = 3};
  const Ratings ratings = simulate_ratings(config);
  RandomSequence random({3, Purpose::kSimulation, 0});
  const auto below = [&](std::uint32_t bound) { return random.below(bound); };
  std::vector<std::int32_t> ranks(30);
  std::iota(ranks.begin(), ranks.end(), 1);
  for (std::uint32_t i = 29; i > 0; --i) std::swap(ranks[i], ranks[below(i + 1)]);
  std::vector<std::uint32_t> group;
  std::vector<double> quality;
  for (int item = 0; item < 30; ++item) {
    group.push_back(below(4));
    quality.push_back(0.5 * random.normal());
  }
  std::size_t at = 0;
  std::int64_t least = 30, most = 0;
  for (std::int32_t user = 0; user < 40; ++user) {
    const std::uint32_t first = below(4), second = (first + 1 + below(3)) % 4;
    std::vector<double> affinity;
    for (std::uint32_t g = 0; g < 4; ++g)
      affinity.push_back((g == first ? 1 : g == second ? 0.5 : -0.5) + 0.25 * random.normal());
    const double activity = std::exp(std::log(9.0) + 0.7 * random.normal());
    const auto count = static_cast<std::int64_t>(std::clamp(activity, 6.0, 15.0));
    least = std::min(least, count);
    most = std::max(most, count);
    std::vector<std::pair<double, std::int32_t>> arrivals;
    for (std::int32_t item = 0; item < 30; ++item) {
      const auto i = static_cast<std::size_t>(item);
      const double odds = std::pow(ranks[i], -0.8) * std::exp(2.4 * affinity[group[i]]);
      arrivals.emplace_back(-std::log(1 - random.uniform()) / odds, item);
    }
    std::sort(arrivals.begin(), arrivals.end());
    std::vector<std::int32_t> chosen;
    for (std::int64_t n = 0; n < count; ++n) chosen.push_back(arrivals[static_cast<std::size_t>(n)].second);
    std::sort(chosen.begin(), chosen.end());
    for (const std::int32_t item : chosen) {
      const auto i = static_cast<std::size_t>(item);
      const double opinion = 3.5 + 0.9 * affinity[group[i]] + quality[i] + 0.7 * random.normal();
      ASSERT_LT(at, ratings.values.size());
      EXPECT_EQ(ratings.users[at], user) << at;
      EXPECT_EQ(ratings.items[at], item) << at;
      EXPECT_EQ(ratings.values[at], std::clamp(std::round(opinion), 1.0, 5.0)) << at;
      ++at;
    }
  }
  EXPECT_EQ(at, ratings.values.size());
  EXPECT_TRUE(least == 6 && most == 15) << "both ends of the activity are reached: " << least << " to " << most;
}

TEST(Simulated, PopularityAndActivityAreSkewed) {
  const CsrMatrix items = pattern(simulate_dataset().stored).transpose();
  std::vector<std::int64_t> counts;
  for (std::int64_t item = 0; item < items.rows(); ++item) counts.push_back(items.row_nnz(item));
  std::sort(counts.begin(), counts.end(), std::greater<>());
  const std::int64_t head =
      std::accumulate(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(counts.size() / 5), std::int64_t{0});
  EXPECT_GT(head, items.nnz() * 2 / 5) << "a fifth of the items has over two fifths of the entries";

  const Ratings ratings = simulate_ratings();
  std::vector<double> activity(ratings.user_ids.size());
  for (const std::int32_t user : ratings.users) ++activity[static_cast<std::size_t>(user)];
  std::sort(activity.begin(), activity.end());
  // A log-normal's median and quantiles: 45 and 45 e^(+-0.7 * 0.674).
  EXPECT_NEAR(activity[500], 45, 4);
  EXPECT_NEAR(activity[250], 28, 4);
  EXPECT_NEAR(activity[750], 72, 7);
  EXPECT_EQ(activity.front(), 15);
  EXPECT_GE(*std::min_element(ratings.values.begin(), ratings.values.end()), 1);
  EXPECT_LE(*std::max_element(ratings.values.begin(), ratings.values.end()), 5);
}

using Vector = std::vector<double>;

/// The leading `rank` right singular directions of a matrix of ones, by orthogonal iteration: reference code, slow and plain.
std::vector<Vector> leading_directions(const CsrMatrix& matrix, int rank, int iterations) {
  RandomSequence random({7, Purpose::kTest, 0});
  std::vector<Vector> basis(static_cast<std::size_t>(rank), Vector(static_cast<std::size_t>(matrix.cols())));
  for (Vector& direction : basis) std::generate(direction.begin(), direction.end(), [&] { return random.normal(); });
  for (int iteration = 0; iteration < iterations; ++iteration) {
    for (std::size_t k = 0; k < basis.size(); ++k) {
      Vector next(basis[k].size());
      for (std::int64_t row = 0; row < matrix.rows(); ++row) {
        double product = 0;
        for (const std::int32_t item : matrix.row(row)) product += basis[k][static_cast<std::size_t>(item)];
        for (const std::int32_t item : matrix.row(row)) next[static_cast<std::size_t>(item)] += product;
      }
      for (std::size_t before = 0; before < k; ++before) {
        const double along = std::inner_product(next.begin(), next.end(), basis[before].begin(), 0.0);
        for (std::size_t i = 0; i < next.size(); ++i) next[i] -= along * basis[before][i];
      }
      const double norm = std::sqrt(std::inner_product(next.begin(), next.end(), next.begin(), 0.0));
      for (std::size_t i = 0; i < next.size(); ++i) basis[k][i] = next[i] / norm;
    }
  }
  return basis;
}

/// Mean share of held-out items among the ten best scored items that are not input.
template <typename Score>
double recall_at_10(const HeldOut& evaluation, const Score& score) {
  constexpr std::size_t kBest = 10;
  double sum = 0;
  for (std::int64_t user = 0; user < evaluation.input.rows(); ++user) {
    Vector scores = score(evaluation.input.row(user));
    for (const std::int32_t item : evaluation.input.row(user)) scores[static_cast<std::size_t>(item)] = -1e30;
    std::vector<std::int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + kBest, order.end(), [&](std::int32_t a, std::int32_t b) {
      return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
    });
    const std::span<const std::int32_t> wanted = evaluation.heldout.row(user);
    const auto hits = std::count_if(order.begin(), order.begin() + kBest,
                                    [&](std::int32_t item) { return std::binary_search(wanted.begin(), wanted.end(), item); });
    sum += static_cast<double>(hits) / static_cast<double>(std::min(kBest, wanted.size()));
  }
  return sum / static_cast<double>(evaluation.input.rows());
}

TEST(Simulated, TasteCanBeLearned) {
  const ProtocolData data = make_protocol(simulate_dataset(), ProtocolName::kStrict, 1);
  const auto items = static_cast<std::size_t>(data.train.cols());
  Vector popularity(items);
  for (const std::int32_t item : data.train.columns().span<std::int32_t>()) ++popularity[static_cast<std::size_t>(item)];
  const double by_popularity = recall_at_10(data.evaluation, [&](std::span<const std::int32_t>) { return popularity; });

  const std::vector<Vector> basis = leading_directions(data.train, 20, 15);
  const double by_svd = recall_at_10(data.evaluation, [&](std::span<const std::int32_t> input) {
    Vector scores(items);
    for (const Vector& direction : basis) {
      double factor = 0;
      for (const std::int32_t item : input) factor += direction[static_cast<std::size_t>(item)];
      for (std::size_t item = 0; item < items; ++item) scores[item] += factor * direction[item];
    }
    return scores;
  });
  RecordProperty("recall_by_popularity", std::to_string(by_popularity));
  RecordProperty("recall_by_svd", std::to_string(by_svd));
  EXPECT_GT(by_popularity, 0.05) << "popular items are popular with the evaluation users as well";
  EXPECT_GT(by_svd, 1.5 * by_popularity);
}

}  // namespace
}  // namespace tapestry::recsys
