// Synthetic beside real users: against all pairs one by one.
#include "recsys/metrics/similarity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

/// The obvious way: intersection and union of every pair.
struct Plain {
  SimilarityHistogram histogram = {};
  std::vector<double> nearest;
};

Plain plain(const CsrMatrix& a, const CsrMatrix& b) {
  Plain result;
  for (std::int64_t i = 0; i < a.rows(); ++i) {
    double best = 0;
    for (std::int64_t j = 0; j < b.rows(); ++j) {
      std::vector<std::int32_t> both, either;
      std::set_intersection(a.row(i).begin(), a.row(i).end(), b.row(j).begin(), b.row(j).end(), std::back_inserter(both));
      std::set_union(a.row(i).begin(), a.row(i).end(), b.row(j).begin(), b.row(j).end(), std::back_inserter(either));
      const double similarity = either.empty() ? 0 : static_cast<double>(both.size()) / static_cast<double>(either.size());
      best = std::max(best, similarity);
      int bin = 0;  // exact: bin b starts where 10 |both| reaches b |either|
      while (bin < 9 && !either.empty() && 10 * both.size() >= static_cast<std::size_t>(bin + 1) * either.size()) ++bin;
      ++result.histogram[static_cast<std::size_t>(bin)];
    }
    result.nearest.push_back(best);
  }
  return result;
}

std::vector<double> similarities(const std::vector<Overlap>& pairs) {
  std::vector<double> values;
  for (const Overlap& pair : pairs) values.push_back(static_cast<double>(pair.shared) / pair.united);
  return values;
}

TEST(SimilarityTest, HistogramByHand) {
  const CsrMatrix real = CsrMatrix::from_rows(6, {{0, 1, 2}, {3}, {}});
  const CsrMatrix synthetic = CsrMatrix::from_rows(6, {{0, 1, 2}, {0, 3}, {}});
  // Row 0: a copy, then nothing shared, then an empty user. Row 1: 1/4, 1/2, 0. Row 2: nothing.
  const Similarities found = jaccard_similarities(synthetic, real);
  EXPECT_EQ(found.pairs, (SimilarityHistogram{6, 0, 1, 0, 0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(similarities(found.nearest), (std::vector<double>{1, 0.5, 0}));
  EXPECT_EQ(found.nearest[0].shared, 3);
  EXPECT_EQ(found.nearest[0].united, 3);
  EXPECT_EQ(length_distribution(real), (std::vector<std::int64_t>{1, 1, 0, 1}));
  EXPECT_EQ(length_distribution(CsrMatrix::from_rows(6, {})), (std::vector<std::int64_t>{0}));
}

TEST(SimilarityTest, BinsAreExactAtTheirBounds) {
  for (std::int32_t tenths = 0; tenths <= 10; ++tenths) {
    for (const std::int32_t n : {1, 3, 7, 100000000}) {
      const auto bin = static_cast<std::size_t>(tenths);
      EXPECT_EQ(similarity_bin({tenths * n, 10 * n}), std::min<std::size_t>(bin, 9)) << tenths << " tenths of " << n;
      if (tenths == 0) continue;
      EXPECT_EQ(similarity_bin({tenths * n - 1, 10 * n}), bin - 1) << "below " << tenths << " tenths of " << n;
    }
  }
  EXPECT_EQ(similarity_bin({}), 0U);
}

TEST(SimilarityTest, AgreesWithAllPairsForAnyNumberOfThreads) {
  const CsrMatrix a = tests::random_csr(61, 23, 5, false), b = tests::random_csr(47, 23, 6, false);
  const Plain expected = plain(a, b);
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    const Similarities found = jaccard_similarities(a, b);
    EXPECT_EQ(found.pairs, expected.histogram) << threads;
    EXPECT_EQ(similarities(found.nearest), expected.nearest) << threads;
  }
  set_num_threads(0);
  const SimilarityHistogram itself = jaccard_similarities(a, a).pairs;
  EXPECT_EQ(std::accumulate(itself.begin(), itself.end(), std::int64_t{0}), 61 * 61);
  EXPECT_GE(itself[9], 59) << "all but the empty users are copies of themselves";
}

TEST(SimilarityTest, NeedsTheSameItems) {
  EXPECT_THROW(jaccard_similarities(CsrMatrix::from_rows(3, {{0}}), CsrMatrix::from_rows(4, {{0}})), Error);
}

}  // namespace
}  // namespace tapestry::recsys
