#include "recsys/recommenders/svd.h"

#include <gtest/gtest.h>
#include <Eigen/Dense>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "recsys/metrics/ranking.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tests/recsys/recommenders/exact_svd.h"

namespace tapestry::recsys {
namespace {

using Dense = Eigen::MatrixXd;

Dense dense_of(const CsrMatrix& matrix) {
  Dense out = Dense::Zero(matrix.rows(), matrix.cols());
  const Tensor values = matrix.has_values() ? matrix.values().to(DType::kFloat64) : Tensor();
  std::int64_t entry = 0;
  for (std::int64_t r = 0; r < matrix.rows(); ++r) {
    for (const std::int32_t c : matrix.row(r)) out(r, c) = values.defined() ? values.span<double>()[entry] : 1.0, ++entry;
  }
  return out;
}

CsrMatrix random_matrix(std::int64_t rows, std::int64_t cols, double density, std::uint32_t step) {
  RandomSequence random({7, Purpose::kTest, step});
  std::vector<std::vector<std::int32_t>> lists(static_cast<std::size_t>(rows));
  for (auto& list : lists) {
    for (std::int64_t c = 0; c < cols; ++c) {
      // Popular items first, as in real data, so that the spectrum falls.
      if (random.uniform() < density * 4.0 / (1.0 + 6.0 * static_cast<double>(c) / static_cast<double>(cols))) {
        list.push_back(static_cast<std::int32_t>(c));
      }
    }
  }
  return CsrMatrix::from_rows(cols, lists);
}

/// The projector V V^T of the leading `rank` right singular vectors by a dense Jacobi decomposition.
Dense reference_projector(const Dense& matrix, int rank) {
  const Eigen::JacobiSVD<Dense> svd(matrix, Eigen::ComputeThinV);
  const Dense v = svd.matrixV().leftCols(std::min<std::int64_t>(rank, svd.rank()));
  return v * v.transpose();
}

Dense right_vectors(const TruncatedSvd& svd) {
  return Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(svd.right.data(), svd.rank(),
                                                                                                  svd.items)
      .transpose();
}

void expect_matches_reference(const CsrMatrix& matrix, int rank, double tolerance) {
  const Dense dense = dense_of(matrix);
  // Jacobi, not Eigen's faster BDCSVD, which loses copies of repeated values.
  const Eigen::VectorXd expected = Eigen::JacobiSVD<Dense>(dense).singularValues();
  const TruncatedSvd svd = truncated_svd(matrix, rank);
  for (std::int64_t r = 0; r < svd.rank(); ++r) {
    EXPECT_FALSE(!(std::abs(svd.singular_values[static_cast<std::size_t>(r)] - expected[r]) <= tolerance * expected[0])) << r;
  }
  for (std::int64_t r = svd.rank(); r < std::min<std::int64_t>(rank, expected.size()); ++r) {
    EXPECT_FALSE(!(expected[r] <= 1e-5 * expected[0])) << "left out value " << r << " of " << expected[r];
  }
  const Dense v = right_vectors(svd);
  const Dense identity = Dense::Identity(v.cols(), v.cols());
  EXPECT_FALSE(!((v.transpose() * v - identity).norm() <= 1e-10)) << "columns of V are not orthonormal";
  // Whatever basis of a degenerate space was found, what is left of M must be the optimum (Eckart and Young).
  const double left = (dense - dense * v * v.transpose()).squaredNorm();
  const double optimum = expected.tail(std::max<std::int64_t>(0, expected.size() - rank)).squaredNorm();
  EXPECT_FALSE(!(std::abs(left - optimum) <= tolerance * dense.squaredNorm())) << left << " instead of " << optimum;
}

TEST(TruncatedSvdTest, EqualsDenseJacobiReferenceBelowAndAboveTheDenseLimit) {
  for (const auto& [rows, cols] : {std::pair{60, 40}, {90, 260}, {320, 290}, {100, 420}}) {
    const CsrMatrix matrix = random_matrix(rows, cols, 0.1, static_cast<std::uint32_t>(cols));
    SCOPED_TRACE(testing::Message() << rows << " x " << cols);
    expect_matches_reference(matrix, 20, 1e-11);
    const Dense v = right_vectors(truncated_svd(matrix, 5));
    EXPECT_FALSE(!((v * v.transpose() - reference_projector(dense_of(matrix), 5)).cwiseAbs().maxCoeff() <= 1e-7));
  }
}

TEST(TruncatedSvdTest, StoredValuesCount) {
  std::vector<float> values(static_cast<std::size_t>(random_matrix(50, 400, 0.1, 3).nnz()));
  RandomSequence random({8, Purpose::kTest, 0});
  for (float& value : values) value = static_cast<float>(random.normal());
  const CsrMatrix pattern = random_matrix(50, 400, 0.1, 3);
  expect_matches_reference(pattern.with_values(Tensor::from<float>(values, {pattern.nnz()})), 20, 1e-11);
}

TEST(TruncatedSvdTest, RepeatedSingularValuesAreAllFound) {
  // 40 equal users x 10 private items give 40 times the same value; scaled copies give a staircase of pairs.
  std::vector<std::vector<std::int32_t>> equal(40), pairs;
  for (std::int32_t u = 0; u < 40; ++u) {
    for (std::int32_t i = 0; i < 10; ++i) equal[static_cast<std::size_t>(u)].push_back(10 * u + i);
  }
  for (std::int32_t block = 0; block < 30; ++block) {
    for (std::int32_t copy = 0; copy < 5 + block / 2; ++copy) pairs.push_back({12 * block, 12 * block + 5, 12 * block + 11});
  }
  expect_matches_reference(CsrMatrix::from_rows(400, equal), 20, 1e-11);
  expect_matches_reference(CsrMatrix::from_rows(400, pairs), 20, 1e-11);
  expect_matches_reference(CsrMatrix::from_rows(360, pairs), 21, 1e-11);
}

TEST(TruncatedSvdTest, LowRankAndEmptyRows) {
  std::vector<std::vector<std::int32_t>> rows(30);
  for (std::int32_t u = 0; u < 30; u += 2) rows[static_cast<std::size_t>(u)] = {u % 3, 100 + u % 3, 399};
  const CsrMatrix low = CsrMatrix::from_rows(400, rows);
  EXPECT_EQ(truncated_svd(low, 20).rank(), 3);
  expect_matches_reference(low, 20, 1e-11);
  expect_matches_reference(random_matrix(7, 500, 0.2, 9), 20, 1e-11);
}

TEST(TruncatedSvdTest, TinyAndEmptyMatrices) {
  const TruncatedSvd one = truncated_svd(CsrMatrix::from_rows(1, {{0}, {}, {0}, {0}, {0}}), 20);
  ASSERT_EQ(one.rank(), 1);
  EXPECT_DOUBLE_EQ(one.singular_values[0], 2.0);
  EXPECT_DOUBLE_EQ(std::abs(one.right[0]), 1.0);
  EXPECT_EQ(truncated_svd(CsrMatrix::from_rows(5, {{}, {}}), 20).rank(), 0);
  EXPECT_EQ(truncated_svd(CsrMatrix::from_rows(1000, {}), 20).rank(), 0);
  expect_matches_reference(random_matrix(12, 9, 0.3, 4), 20, 1e-12);
  EXPECT_THROW(truncated_svd(CsrMatrix::from_rows(5, {{1}}), 0), Error);
}

TEST(TruncatedSvdTest, AnyNumberOfThreadsGivesTheSameBits) {
  const CsrMatrix matrix = random_matrix(700, 900, 0.05, 6);
  const int before = num_threads();
  set_num_threads(1);
  const TruncatedSvd alone = truncated_svd(matrix, 20);
  set_num_threads(3);
  const TruncatedSvd three = truncated_svd(matrix, 20);
  set_num_threads(before);
  EXPECT_EQ(alone.singular_values, three.singular_values);
  EXPECT_EQ(alone.right, three.right);
}

TEST(TruncatedSvdTest, ReportsWhenItCannotConverge) {
  TruncatedSvdOptions options;
  options.max_restarts = 0;
  options.tolerance = 0;
  try {
    truncated_svd(random_matrix(500, 600, 0.1, 5), 20, options);
    FAIL() << "an unreachable tolerance was reached";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
  }
}

TEST(SvdRecommenderTest, ScoresAreTheRowsOfTheTruncatedMatrix) {
  const CsrMatrix matrix = random_matrix(120, 330, 0.1, 2);
  const Eigen::JacobiSVD<Dense> svd(dense_of(matrix), Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Dense expected =
      svd.matrixU().leftCols(20) * svd.singularValues().head(20).asDiagonal() * svd.matrixV().leftCols(20).transpose();
  SvdRecommender recommender;
  EXPECT_THROW(recommender.score(matrix), Error);
  recommender.fit(matrix);
  const Tensor scores = recommender.score(matrix.slice_rows(40, 120));
  ASSERT_EQ(scores.shape(), (Shape{80, 330}));
  for (std::int64_t u = 0; u < 80; ++u) {
    for (std::int64_t i = 0; i < 330; ++i) {
      ASSERT_FALSE(!(std::abs(scores.span<float>()[static_cast<std::size_t>(u * 330 + i)] - expected(40 + u, i)) <= 1e-6))
          << u << " " << i;
    }
  }
  EXPECT_THROW(recommender.score(random_matrix(3, 331, 0.1, 2)), Error);
}

TEST(SvdRecommenderTest, AMatrixWithoutEntriesScoresZero) {
  SvdRecommender recommender;
  recommender.fit(CsrMatrix::from_rows(4, {{}, {}}));
  const Tensor scores = recommender.score(CsrMatrix::from_rows(4, {{1, 2}}));
  for (const float score : scores.span<float>()) EXPECT_EQ(score, 0.0f);
}

using Lists = std::vector<std::vector<std::int32_t>>;

/// Column lists by user from a CSV with a header and rows user,item[,liked]; rows with liked == 0 only where `dislikes`.
Lists read_lists(const std::string& path, std::size_t users, const std::vector<bool>& dislikes) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  Lists lists(users);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    int user = 0, item = 0, liked = 1;
    EXPECT_GE(std::sscanf(line.c_str(), "%d,%d,%d", &user, &item, &liked), 2) << path << ": " << line;
    if (liked != 0 || dislikes[static_cast<std::size_t>(user)]) lists[static_cast<std::size_t>(user)].push_back(item);
  }
  return lists;
}

struct Published {
  const char* name;
  std::int32_t users, items, train_and_test;
};

class SvdOriginalTest : public testing::TestWithParam<Published> {};

// protocol.md's check values: the fit sees [D; valid inputs], where a valid user's dislikes count as interactions.
TEST_P(SvdOriginalTest, GivesTheTwelvePublishedMetrics) {
  const char* root = std::getenv("TAPESTRY_DATA");
  if (root == nullptr) GTEST_SKIP() << "TAPESTRY_DATA is not set: the published SVD figures need the real data";
  const Published& data = GetParam();
  const std::string folder = std::string(root) + "/" + data.name;
  if (!std::ifstream(folder + "/interactions.csv")) GTEST_SKIP() << folder << " has no interactions.csv";
  const std::size_t users = static_cast<std::size_t>(data.users), fitted = static_cast<std::size_t>(data.train_and_test);
  std::vector<bool> valid(users, false);
  std::fill(valid.begin() + data.train_and_test, valid.end(), true);
  Lists rows = read_lists(folder + "/interactions.csv", users, valid);
  const Lists heldout = read_lists(folder + "/holdout.csv", users, valid);
  for (std::size_t u = fitted; u < users; ++u) {
    std::erase_if(rows[u], [&](int item) { return std::find(heldout[u].begin(), heldout[u].end(), item) != heldout[u].end(); });
  }
  const CsrMatrix stacked = CsrMatrix::from_rows(data.items, rows);
  const HeldOut evaluation{stacked.slice_rows(data.train_and_test, data.users),
                           CsrMatrix::from_rows(data.items, heldout).slice_rows(data.train_and_test, data.users)};
  SvdRecommender recommender;
  recommender.fit(stacked);
  const UserMetrics metrics =
      ranking_metrics([&](const CsrMatrix& inputs) { return recommender.score(inputs); }, evaluation, RankingOptions{});
  const std::vector<std::string> names = metric_names();
  for (std::size_t m = 0; m < names.size(); ++m) {
    const double expected = tests::exact_svd_original().at(data.name)[m];
    const double ours = mean_over_users(metrics.values(names[m])).value;
    EXPECT_FALSE(!(std::abs(ours - expected) <= 0.00005 + 1e-9)) << names[m] << " " << ours << " instead of " << expected;
  }
}

INSTANTIATE_TEST_SUITE_P(RealData, SvdOriginalTest,
                         testing::Values(Published{"amazon-luxury-beauty", 1344, 729, 1208}, Published{"ml-100k", 938, 1008, 843},
                                         Published{"amazon-digital-music", 10621, 8582, 9558},
                                         Published{"ml-1m", 6034, 3125, 5429}),
                         [](const auto& test) {
                           std::string name = test.param.name;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace tapestry::recsys
