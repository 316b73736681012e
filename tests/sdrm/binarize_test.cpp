#include "sdrm/binarize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "sdrm/multivae.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

/// A matrix in memory behind the interface of one that is computed by tiles, counting how often each row is asked for.
struct Held {
  std::int64_t rows;
  std::int64_t cols;
  std::vector<float> values;
  std::vector<int> asked = std::vector<int>(static_cast<std::size_t>(rows), 0);

  LogitMatrix matrix() {
    return {rows, cols, [this](std::int64_t begin, std::int64_t end) {
              for (std::int64_t row = begin; row < end; ++row) ++asked[static_cast<std::size_t>(row)];
              return Tensor::from<float>(std::span(values).subspan(static_cast<std::size_t>(begin * cols),
                                                                   static_cast<std::size_t>((end - begin) * cols)),
                                         {end - begin, cols});
            }};
  }
};

/// numpy.quantile(values, q), by a full sort.
double quantile(std::vector<float> values, double q) {
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(place);
  const double below = values[low];
  const double above = values[std::min(low + 1, values.size() - 1)];
  return below + (place - std::floor(place)) * (above - below);
}

std::vector<std::vector<std::int32_t>> rows_of(const CsrMatrix& matrix) {
  std::vector<std::vector<std::int32_t>> rows;
  for (std::int64_t row = 0; row < matrix.rows(); ++row) rows.emplace_back(matrix.row(row).begin(), matrix.row(row).end());
  return rows;
}

template <typename Keep>
std::vector<std::vector<std::int32_t>> rows_where(const Held& held, const Keep& keep) {
  std::vector<std::vector<std::int32_t>> rows(static_cast<std::size_t>(held.rows));
  for (std::int64_t i = 0; i < held.rows * held.cols; ++i) {
    if (keep(static_cast<double>(held.values[static_cast<std::size_t>(i)]))) {
      rows[static_cast<std::size_t>(i / held.cols)].push_back(static_cast<std::int32_t>(i % held.cols));
    }
  }
  return rows;
}

/// Compares both thresholds with the full sort's.
void expect_sorted_twin(Held held, double density, const std::string& what) {
  SCOPED_TRACE(concat(what, ": ", held.rows, " x ", held.cols, " at density ", density));
  const Binarized high = binarize_at_density(held.matrix(), density);
  EXPECT_NEAR(high.threshold, quantile(held.values, 1 - density), 1e-13 * std::max(1.0, std::abs(high.threshold)));
  EXPECT_EQ(rows_of(high.ones), rows_where(held, [&](double value) { return value >= high.threshold; }));
  EXPECT_EQ(high.ones.rows(), held.rows);
  EXPECT_EQ(high.ones.cols(), held.cols);
  const Binarized low = lowest_at_density(held.matrix(), density);
  EXPECT_NEAR(low.threshold, quantile(held.values, density), 1e-13 * std::max(1.0, std::abs(low.threshold)));
  EXPECT_EQ(rows_of(low.ones), rows_where(held, [&](double value) { return value <= low.threshold; }));
  const int most = *std::max_element(held.asked.begin(), held.asked.end());
  EXPECT_LE(most, 4);  // twice for each of the two calls
}

Held random_held(std::int64_t rows, std::int64_t cols, std::uint64_t seed, double step = 0) {
  Held held{rows, cols, tests::random_values<float>(rows * cols, seed)};
  for (float& value : held.values) {
    if (step > 0) value = static_cast<float>(std::round(value / step) * step);  // many ties, negative zeros among them
  }
  return held;
}

TEST(Binarize, EqualsAFullSort) {
  std::uint64_t seed = 1;
  for (const auto& [rows, cols] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 1}, {1, 37}, {41, 1}, {7, 5}, {60, 33}}) {
    for (const double density : {0.0, 1e-3, 0.05, 0.1007, 0.5, 0.63, 0.999, 1.0}) {
      expect_sorted_twin(random_held(rows, cols, ++seed), density, "distinct");
      expect_sorted_twin(random_held(rows, cols, ++seed, 0.5), density, "ties");
      expect_sorted_twin(random_held(rows, cols, ++seed, 3), density, "few values");
      expect_sorted_twin({rows, cols, std::vector<float>(static_cast<std::size_t>(rows * cols), -1.25f)}, density, "constant");
    }
  }
}

TEST(Binarize, EqualsAFullSortBeyondOneTile) {
  // Two tiles of rows, and more entries than are collected before the first selection.
  for (const double density : {0.0, 0.002, 0.1, 0.7, 1.0}) expect_sorted_twin(random_held(700, 500, 3), density, "large");
  expect_sorted_twin(random_held(700, 500, 3, 0.25), 0.1, "large with ties");
  Held rising{700, 500, {}};  // every entry beats all before it: the worst order for a selection
  for (int i = 0; i < 350000; ++i) rising.values.push_back(static_cast<float>(i));
  expect_sorted_twin(rising, 0.01, "rising");
  std::reverse(rising.values.begin(), rising.values.end());
  expect_sorted_twin(rising, 0.01, "falling");
}

TEST(Binarize, HasRoomForAnyNumberOfEqualEntries) {
  // Tile after tile of entries that are as large as the threshold: those of a model whose output is saturated.
  for (const double density : {0.01, 0.1, 0.4}) {
    expect_sorted_twin({3000, 8, std::vector<float>(24000, 1)}, density, "constant");
    expect_sorted_twin(random_held(3000, 8, 5, 3), density, "few values");
  }
}

TEST(Binarize, OfTenValues) {
  Held held{2, 5, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
  const Binarized high = binarize_at_density(held.matrix(), 0.2);
  EXPECT_NEAR(high.threshold, 7.2, 1e-12);
  EXPECT_EQ(rows_of(high.ones), (std::vector<std::vector<std::int32_t>>{{}, {3, 4}}));
  const Binarized low = lowest_at_density(held.matrix(), 0.2);
  EXPECT_NEAR(low.threshold, 1.8, 1e-12);
  EXPECT_EQ(rows_of(low.ones), (std::vector<std::vector<std::int32_t>>{{0, 1}, {}}));
}

TEST(Binarize, NegativeZeroEqualsZero) {
  Held held{1, 4, {-0.0f, 0.0f, -1.0f, -0.0f}};
  EXPECT_EQ(binarize_at_density(held.matrix(), 0).ones.nnz(), 3);
  Held other{1, 4, {-0.0f, 0.0f, 1.0f, -0.0f}};
  EXPECT_EQ(lowest_at_density(other.matrix(), 0).ones.nnz(), 3);
  EXPECT_EQ(binarize_positive(other.matrix()).nnz(), 1);
}

TEST(Binarize, ReachesTheRequestedDensityWithinTies) {
  Held held = random_held(200, 300, 9);
  const std::map<float, int> counts = [&] {
    std::map<float, int> map;
    for (const float value : held.values) ++map[value];
    return map;
  }();
  for (const double density : {0.001, 0.0631, 0.1007, 0.4}) {
    const Binarized result = binarize_at_density(held.matrix(), density);
    const auto ties = counts.lower_bound(static_cast<float>(result.threshold))->second;
    EXPECT_NEAR(static_cast<double>(result.ones.nnz()), density * 60000, 1 + ties);
  }
}

TEST(Binarize, AsksForEachRowAtMostTwiceAndKeepsLittle) {
  // 4,000 x 2,500 = 40 MB were it held; it is made by tiles, and the ones are 1 %.
  std::vector<int> asked(4000, 0);
  std::int64_t widest = 0;
  const LogitMatrix logits = {4000, 2500, [&](std::int64_t begin, std::int64_t end) {
                                for (std::int64_t row = begin; row < end; ++row) ++asked[static_cast<std::size_t>(row)];
                                widest = std::max(widest, end - begin);
                                const Tensor tile = Tensor::empty({end - begin, 2500});
                                for (std::int64_t i = 0; i < tile.numel(); ++i) {
                                  const auto mixed = static_cast<std::uint64_t>(begin * 2500 + i) * 0x9E3779B97F4A7C15u;
                                  tile.data<float>()[i] = static_cast<float>(mixed >> 40);
                                }
                                return tile;
                              }};
  std::int64_t done = 0;
  const Binarized result = binarize_at_density(logits, 0.01, [&](std::int64_t at, std::int64_t total) {
    EXPECT_GT(at, done);
    EXPECT_EQ(total, 4000);
    done = at;
  });
  EXPECT_EQ(done, 4000);
  EXPECT_LE(*std::max_element(asked.begin(), asked.end()), 2);
  EXPECT_LE(widest * 2500, 1 << 21);
  EXPECT_NEAR(static_cast<double>(result.ones.nnz()), 100000, 10);
}

TEST(Binarize, RefusesNaNInfinityAndWrongTiles) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    Held held{2, 3, {0, 1, 2, bad, 4, 5}};
    const std::vector<std::int64_t> lengths = {1, 1};
    for (const std::function<void()>& call : std::vector<std::function<void()>>{
             [&] { binarize_at_density(held.matrix(), 0.5); }, [&] { lowest_at_density(held.matrix(), 0.5); },
             [&] { binarize_positive(held.matrix()); }, [&] { binarize_row_lengths(held.matrix(), lengths); }}) {
      try {
        call();
        ADD_FAILURE() << "accepted " << bad;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kFit);
        EXPECT_NE(std::string(error.what()).find("row 1, column 0"), std::string::npos) << error.what();
      }
    }
  }
  Held held{2, 3, {0, 1, 2, 3, 4, 5}};
  for (const double density : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(binarize_at_density(held.matrix(), density), Error);
  }
  LogitMatrix narrow = held.matrix();
  narrow.cols = 4;
  EXPECT_THROW(binarize_positive(narrow), Error);
}

TEST(Binarize, OfNothing) {
  for (const auto& [rows, cols] : std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 5}, {4, 0}}) {
    Held held{rows, cols, {}};
    const Binarized result = binarize_at_density(held.matrix(), 0.5);
    EXPECT_EQ(result.ones.rows(), rows);
    EXPECT_EQ(result.ones.cols(), cols);
    EXPECT_EQ(result.ones.nnz(), 0);
    EXPECT_EQ(binarize_positive(held.matrix()).nnz(), 0);
    EXPECT_EQ(lowest_at_density(held.matrix(), 0.5).ones.nnz(), 0);
  }
}

TEST(BinarizePositive, KeepsWhatIsAboveZero) {
  Held held = random_held(30, 20, 4, 0.5);
  EXPECT_EQ(rows_of(binarize_positive(held.matrix())), rows_where(held, [](double value) { return value > 0; }));
}

TEST(BinarizeRowLengths, KeepsTheLargestOfEachRow) {
  Held held{3, 4, {1, 3, 2, 3, 5, 5, 5, 5, -1, -2, -3, -4}};
  const auto of = [&](std::vector<std::int64_t> lengths) { return rows_of(binarize_row_lengths(held.matrix(), lengths)); };
  EXPECT_EQ(of({2, 2, 1}), (std::vector<std::vector<std::int32_t>>{{1, 3}, {0, 1}, {0}}));
  EXPECT_EQ(of({1, 0, 4}), (std::vector<std::vector<std::int32_t>>{{1}, {}, {0, 1, 2, 3}}));
  EXPECT_THROW(of({1, 5, 1}), Error);
  EXPECT_THROW(of({1, -1, 1}), Error);
  EXPECT_THROW(of({1, 1}), Error);
}

TEST(DecodedRows, AreTheModelsLogits) {
  VaeConfig config;
  config.hidden = 4;
  config.latent = 3;
  nn::Initializer init(3);
  const MultiVae vae(11, config, init);
  const Tensor z = tests::random_tensor({9, 3}, 4, -2, 2, DType::kFloat32);
  const Tensor part = decoded_rows(vae, z)(2, 6);
  ASSERT_EQ(part.shape(), (Shape{4, 11}));
  EXPECT_TRUE(tests::relative_error(part, vae.decode(z).value().slice_rows(2, 6)) <= 1e-6);
}

TEST(DrawRowLengths, TakesTheRealLengthsWithTheirFrequencies) {
  const CsrMatrix real = CsrMatrix::from_rows(6, {{0, 1, 2}, {3}, {3}, {}});
  std::map<std::int64_t, int> seen;
  for (const std::int64_t length : draw_row_lengths(real, 4000, 7)) ++seen[length];
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_NEAR(seen[3], 1000, 120);
  EXPECT_NEAR(seen[1], 2000, 140);
  EXPECT_NEAR(seen[0], 1000, 120);
  EXPECT_EQ(draw_row_lengths(real, 9, 7), draw_row_lengths(real, 9, 7));
  EXPECT_NE(draw_row_lengths(real, 9, 7), draw_row_lengths(real, 9, 8));
  EXPECT_THROW(draw_row_lengths(CsrMatrix::from_rows(3, {}), 4, 7), Error);
}

}  // namespace
}  // namespace tapestry::sdrm
