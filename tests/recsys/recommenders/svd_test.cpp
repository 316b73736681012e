#include "recsys/recommenders/svd.h"

#include <gtest/gtest.h>
#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "recsys/metrics/ranking.h"
#include "recsys/recommenders/block_ops.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tests/recsys/data/data_support.h"
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

/// The products of small matrices between those are too small here to show it.
TEST(TruncatedSvdTest, EigenIsBuiltWithoutThreadsOfItsOwn) {
#ifndef EIGEN_DONT_PARALLELIZE
  FAIL() << "Eigen's products would depend on the number of threads";
#endif
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

/// A matrix whose singular values are these numbers, and whose singular vectors are unit vectors.
CsrMatrix diagonal(const std::vector<float>& values) {
  const auto n = static_cast<std::int64_t>(values.size());
  std::vector<std::vector<std::int32_t>> rows;
  for (std::int32_t i = 0; i < n; ++i) rows.push_back({i});
  return CsrMatrix::from_rows(n, rows).with_values(Tensor::from<float>(values, {n}));
}

/// 400 values from 2 down to 1, from number 200 on and round, times `scale`: so close together that the search has to restart.
std::vector<float> crowded_values(float scale) {
  std::vector<float> values;
  for (int i = 0; i < 400; ++i) values.push_back(scale * (2 - static_cast<float>((i + 200) % 400) / 400));
  return values;
}

/// The largest |M^T M v - s^2 v| of the vectors found, as a share of s_1^2.
double worst_residual(const CsrMatrix& matrix, const TruncatedSvd& svd) {
  const Dense m = dense_of(matrix), v = right_vectors(svd);
  const Eigen::VectorXd s = Eigen::Map<const Eigen::VectorXd>(svd.singular_values.data(), svd.rank());
  const Dense residual = m.transpose() * (m * v) - v * s.cwiseAbs2().asDiagonal();
  return residual.colwise().norm().maxCoeff() / (s[0] * s[0]);
}

TEST(TruncatedSvdTest, AVectorIsAcceptedByItsResidualAndNotEarlier) {
  const CsrMatrix matrix = diagonal(crowded_values(100));  // a residual of one is nothing beside values of 40000
  std::vector<int> work;
  for (const double tolerance : {1e-2, 1e-5, 1e-10}) {
    const TruncatedSvd svd = truncated_svd(matrix, 4, {.tolerance = tolerance});
    ASSERT_EQ(svd.rank(), 4);
    const double worst = worst_residual(matrix, svd);
    EXPECT_TRUE(worst <= 1.001 * tolerance) << worst << " for " << tolerance;
    work.push_back(svd.applications);
  }
  EXPECT_LT(work[0], work[1]) << "who asks for less waits less";
  EXPECT_LT(work[1], work[2]);
  EXPECT_EQ(TruncatedSvdOptions().tolerance, 1e-10);
}

TEST(TruncatedSvdTest, RestartsFromTheBestVectorsUntilTheResidualIsSmall) {
  const std::vector<float> values = crowded_values(1);
  const CsrMatrix matrix = diagonal(values);
  const TruncatedSvd svd = truncated_svd(matrix, 4);
  ASSERT_EQ(svd.rank(), 4);
  const Dense v = right_vectors(svd);
  for (std::int32_t r = 0; r < 4; ++r) {
    const double expected = values[static_cast<std::size_t>(200 + r)], found = svd.singular_values[static_cast<std::size_t>(r)];
    EXPECT_TRUE(std::abs(found - expected) <= 1e-12) << found << " instead of " << expected;
    EXPECT_TRUE(std::abs(std::abs(v(200 + r, r)) - 1) <= 1e-9) << v(200 + r, r);
  }
  // Blocks of 8 vectors in a basis of 80, of which a restart keeps 24.
  ASSERT_GT(svd.restarts, 0);
  EXPECT_EQ(svd.applications % 8, 0);
  EXPECT_GT(svd.applications, 80 + 56 * (svd.restarts - 1));
  EXPECT_LE(svd.applications, 80 + 56 * svd.restarts);

  // So many restarts are enough, and one fewer is not.
  EXPECT_EQ(truncated_svd(matrix, 4, {.max_restarts = svd.restarts}).right, svd.right);
  const std::string text =
      tests::error_of(ErrorKind::kFit, [&] { truncated_svd(matrix, 4, {.max_restarts = svd.restarts - 1}); });
  EXPECT_NE(text.find(concat("not converged after ", svd.restarts - 1, " restarts of a 80-vector basis")), std::string::npos)
      << text;
  // Another start shows in the last digits alone.
  const TruncatedSvd other = truncated_svd(matrix, 4, {.seed = 1});
  EXPECT_NE(other.right, svd.right);
  for (std::size_t r = 0; r < 4; ++r) EXPECT_TRUE(std::abs(other.singular_values[r] - svd.singular_values[r]) <= 1e-12);
}

TEST(Orthonormalise, LosesNoDigitsOfColumnsNearlyEqualAndReplacesOneThatLiesInTheOthersSpace) {
  RandomSequence random({9, Purpose::kTest, 0});
  const auto fill = [&](Eigen::Ref<Eigen::VectorXd> column) {
    for (std::int64_t i = 0; i < column.size(); ++i) column[i] = random.normal();
  };
  Dense w(300, 4);
  for (const int c : {0, 1, 3}) fill(w.col(c));
  w.col(1) = w.col(0) + 1e-9 * w.col(1);
  w.col(2) = 2 * w.col(0) + w.col(1);
  Dense q = w;
  const Dense r = block::orthonormalise(q, 1e-10, fill);
  EXPECT_TRUE((q.transpose() * q - Dense::Identity(4, 4)).cwiseAbs().maxCoeff() <= 1e-13);
  EXPECT_TRUE((q * r - w).cwiseAbs().maxCoeff() <= 1e-12);
  EXPECT_GT(r(1, 1), 1e-9);
  EXPECT_EQ(r(2, 2), 0) << "nothing of its own";
  EXPECT_EQ(Dense(r.triangularView<Eigen::StrictlyLower>()).cwiseAbs().maxCoeff(), 0);
}

TEST(TruncatedSvdTest, ValuesBelowAMillionthOfTheLargestAreLeftOut) {
  // Two millionths of 3, and half a millionth of it.
  EXPECT_EQ(truncated_svd(diagonal({3, 6e-6f, 1.5e-6f}), 20).rank(), 2);
}

TEST(SvdRecommenderTest, ScoresMoreItemsThanATileAndCountsTheInputsValues) {
  constexpr std::int64_t kItems = 2100;  // two tiles of 1024, and some
  const CsrMatrix matrix = random_matrix(40, kItems, 0.02, 8);
  SvdRecommender recommender(6);
  recommender.fit(matrix);
  const CsrMatrix inputs = matrix.slice_rows(10, 14);
  const Dense v = right_vectors(recommender.decomposition()), expected = dense_of(inputs) * v * v.transpose();
  const Tensor scores = recommender.score(inputs);
  const Tensor doubled = recommender.score(inputs.with_values(Tensor::full({inputs.nnz()}, 2)));
  for (std::int64_t u = 0; u < 4; ++u) {
    for (std::int64_t i = 0; i < kItems; ++i) {
      const float score = scores.data<float>()[u * kItems + i];
      ASSERT_TRUE(std::abs(score - expected(u, i)) <= 1e-5) << u << " " << i;
      ASSERT_EQ(doubled.data<float>()[u * kItems + i], 2 * score) << u << " " << i;
    }
  }
}

TEST(SvdRecommenderTest, FitsTheStackAndMasksTheEvaluationUsersInputs) {
  const CsrMatrix rows = random_matrix(40, 60, 0.1, 11);
  FitData data;
  data.block(Block::kReal).likes = rows.slice_rows(0, 30);
  data.block(Block::kEvaluation).likes = rows.slice_rows(30, 36);
  data.block(Block::kSynthetic).likes = rows.slice_rows(36, 40);
  data.order = {Block::kReal, Block::kEvaluation};
  SvdRecommender recommender(5), plain(5);
  EXPECT_THROW(recommender.masked(), Error);
  recommender.fit(data, {});
  plain.fit(rows.slice_rows(0, 36));
  EXPECT_EQ(recommender.decomposition().right, plain.decomposition().right);
  EXPECT_EQ(tests::listing(recommender.masked()), tests::listing(rows.slice_rows(30, 36)));
  const Tensor ours = recommender.score(2, 5), expected = plain.score(rows.slice_rows(32, 35));
  const auto a = ours.span<float>(), b = expected.span<float>();
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  // A second fit starts afresh, also one of rows that are nobody's.
  recommender.fit(rows.slice_rows(0, 30));
  EXPECT_EQ(recommender.masked().rows(), 0);
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
    const double expected = tapestry::tests::exact_svd_original().at(data.name)[m];
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
