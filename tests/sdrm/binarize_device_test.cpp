// Binarisation of logits that lie on a GPU against the same on the host: the same ones and thresholds, and nothing else that
// crosses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "sdrm/binarize.h"
#include "tensor/memory.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

class BinarizeOnDevice : public tests::GpuTest {};

struct Logits {
  std::int64_t rows, cols;
  std::vector<float> values;

  LogitMatrix on(Device device) const {
    return {rows, cols, [this, device](std::int64_t begin, std::int64_t end) {
              const auto part = std::span(values).subspan(static_cast<std::size_t>(begin * cols),
                                                          static_cast<std::size_t>((end - begin) * cols));
              return Tensor::from<float>(part, {end - begin, cols}, device);
            }};
  }
};

/// Multiples of `step`, many of them equal; 0: as drawn.
Logits random_logits(std::int64_t rows, std::int64_t cols, std::uint64_t seed, float step = 0) {
  Logits logits = {rows, cols, tests::random_values<float>(rows * cols, seed)};
  for (float& value : logits.values) value = step > 0 ? std::round(value / step) * step : value;
  return logits;
}

void expect_same(const CsrMatrix& ours, const CsrMatrix& expected) {
  EXPECT_EQ(ours.device(), Device::kCpu);
  EXPECT_EQ(ours.rows(), expected.rows());
  EXPECT_EQ(ours.cols(), expected.cols());
  const auto offsets = expected.offsets().span<std::int64_t>();
  const auto columns = expected.columns().span<std::int32_t>();
  EXPECT_TRUE(std::ranges::equal(ours.offsets().span<std::int64_t>(), offsets));
  EXPECT_TRUE(std::ranges::equal(ours.columns().span<std::int32_t>(), columns));
}

void expect_same_cuts(const Logits& logits, double density, const char* what) {
  SCOPED_TRACE(concat(what, ": ", logits.rows, " x ", logits.cols, " at density ", density));
  for (const auto& cut : {binarize_at_density, lowest_at_density}) {
    const Binarized expected = cut(logits.on(Device::kCpu), density, {});
    const Binarized ours = cut(logits.on(tests::test_device()), density, {});
    EXPECT_EQ(ours.threshold, expected.threshold);
    expect_same(ours.ones, expected.ones);
  }
}

TEST_F(BinarizeOnDevice, CutsAtTheSameDensity) {
  for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {1, 37}, {41, 1}, {30, 43}}) {
    for (const double density : {0.0, 0.1007, 1.0}) {
      expect_same_cuts(random_logits(rows, cols, 1), density, "distinct");
      if (rows * cols > 100) expect_same_cuts(random_logits(rows, cols, 2, 0.5), density, "ties");
    }
  }
  expect_same_cuts({5, 7, std::vector<float>(35, -1.25f)}, 0.3, "all equal");
  expect_same_cuts({1, 4, {-0.0f, 0.0f, -1.0f, -0.0f}}, 0, "zeros of both signs");
}

TEST_F(BinarizeOnDevice, CutsAlikeWithMoreCandidatesThanAreKept) {
  // Three tiles of up to 512 rows; a tile fills what is kept, and so each of the others makes the bound rise.
  Logits rising = {1300, 2, {}};
  for (int i = 0; i < 2600; ++i) rising.values.push_back(static_cast<float>(i));
  expect_same_cuts(rising, 0.01, "rising");
  for (float& value : rising.values) value = std::floor(value / 50);
  expect_same_cuts(rising, 0.01, "rising with ties");
  expect_same_cuts({1300, 2, std::vector<float>(2600, 3.0f)}, 0.01, "all equal");
}

TEST_F(BinarizeOnDevice, CutsAtZeroAndAtRowLengths) {
  const Logits logits = random_logits(30, 43, 4, 0.5);
  expect_same(binarize_positive(logits.on(tests::test_device())), binarize_positive(logits.on(Device::kCpu)));
  std::vector<std::int64_t> lengths;
  for (std::int64_t row = 0; row < 30; ++row) lengths.push_back(row * 43 / 29);
  expect_same(binarize_row_lengths(logits.on(tests::test_device()), lengths),
              binarize_row_lengths(logits.on(Device::kCpu), lengths));
  const Logits nothing = {0, 5, {}};
  expect_same(binarize_positive(nothing.on(tests::test_device())), binarize_positive(nothing.on(Device::kCpu)));
}

TEST_F(BinarizeOnDevice, RefusesWhatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    try {
      binarize_at_density(Logits{2, 3, {0, 1, 2, 3, bad, bad}}.on(tests::test_device()), 0.5);
      ADD_FAILURE() << "accepted " << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kFit);
      EXPECT_NE(std::string(error.what()).find("row 1, column 1"), std::string::npos) << error.what();
    }
  }
}

TEST_F(BinarizeOnDevice, OnlyTheOnesCrossToTheHost) {
  const Logits logits = random_logits(700, 20, 5);
  const std::int64_t before = copy_stats().bytes_to_host;
  const CsrMatrix ones = binarize_at_density(logits.on(tests::test_device()), 0.02).ones;
  const std::int64_t crossed = copy_stats().bytes_to_host - before;
  EXPECT_GE(crossed, 4 * ones.nnz() + 8 * 701);  // columns and offsets
  EXPECT_LE(crossed, 4 * ones.nnz() + 8 * 701 + 100) << "a few counts, where the logits are " << 4 * 700 * 20 << " bytes";
}

}  // namespace
}  // namespace tapestry::sdrm
