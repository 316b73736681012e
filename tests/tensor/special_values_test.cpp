// Infinities, NaN, zeros of both signs, and lengths, that the random operands of kernels_test.cpp do not have.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tensor/ops.h"
#include "tensor/self_test.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr DType kTypes[] = {DType::kFloat32, DType::kFloat64};

class SpecialValuesTest : public DeviceTest {
 protected:
  static Tensor on_device(const std::vector<double>& values, const Shape& shape, DType dtype = DType::kFloat32) {
    return Tensor::from<double>(values, shape).to(dtype).to(test_device());
  }
  template <typename T>
  static std::vector<T> host(const Tensor& x) {
    const Tensor values = x.to(Device::kCpu);
    return {values.span<T>().begin(), values.span<T>().end()};
  }
  static std::vector<double> numbers(const Tensor& x) { return host<double>(x.to(DType::kFloat64)); }
};

using Columns = std::vector<std::int32_t>;

TEST_F(SpecialValuesTest, NaNComesBehindEveryNumber) {
  for (const DType dtype : kTypes) {
    const Tensor x = on_device({kNan, 1, kNan, 3, -kInf}, {1, 5}, dtype);
    const CsrMatrix none = CsrMatrix::from_rows(5, {{}}).to(test_device());
    EXPECT_EQ(host<std::int32_t>(rank_rows(x, none, 5)), (Columns{3, 1, 4, 0, 2}));
    EXPECT_EQ(host<std::int32_t>(rank_rows(x, CsrMatrix::from_rows(5, {{1}}).to(test_device()), 5)), (Columns{3, 4, 0, 2, -1}));
    EXPECT_EQ(host<std::int32_t>(top_lengths_rows(x, std::vector<std::int64_t>{3}).columns()), (Columns{1, 3, 4}));
    EXPECT_EQ(host<std::int32_t>(top_lengths_rows(x, std::vector<std::int64_t>{4}).columns()), (Columns{0, 1, 3, 4}));
    EXPECT_EQ(kth_largest(x, 3), -kInf);
    EXPECT_EQ(smallest(x).item(), -kInf);
    EXPECT_EQ(smallest(x.reshape({5}).slice_rows(0, 4)).item(), 1);
    EXPECT_EQ(smallest(x.reshape({5}).slice_rows(2, 3)).item(), kInf) << "there is no number";
    EXPECT_EQ(smallest(x.reshape({5}).slice_rows(0, 0)).item(), kInf);
    EXPECT_TRUE(std::isnan(kth_largest(x, 4)));
  }
}

TEST_F(SpecialValuesTest, NaNIsLeftOutOfWideRows) {
  constexpr std::int64_t kCols = 100;  // kernels look at many columns at once
  std::vector<double> scores(kCols, 1);
  scores[0] = scores[40] = scores[41] = scores[99] = kNan;
  scores[50] = scores[90] = 2;
  Columns numbers_then_nan;
  for (std::int32_t col = 0; col < kCols; ++col) {
    if (!std::isnan(scores[static_cast<std::size_t>(col)])) numbers_then_nan.push_back(col);
  }
  numbers_then_nan.insert(numbers_then_nan.end(), {0, 40, 41, 99});
  for (const DType dtype : kTypes) {
    const Tensor x = on_device(scores, {1, kCols}, dtype);
    const auto top = [&](std::int64_t length) { return host<std::int32_t>(top_lengths_rows(x, std::vector{length}).columns()); };
    EXPECT_EQ(top(0), Columns{});
    EXPECT_EQ(top(2), (Columns{50, 90}));
    EXPECT_EQ(top(5), (Columns{1, 2, 3, 50, 90})) << "the lower of equal ones";
    for (const std::int64_t length : {96, 98, 100}) {
      Columns expected(numbers_then_nan.begin(), numbers_then_nan.begin() + length);
      std::sort(expected.begin(), expected.end());
      EXPECT_EQ(top(length), expected) << length;
    }
    const Tensor best = rank_rows(x, CsrMatrix::from_rows(kCols, {{50}}).to(test_device()), 4);
    EXPECT_EQ(host<std::int32_t>(best), (Columns{90, 1, 2, 3}));
  }
}

TEST_F(SpecialValuesTest, AColumnWithAScoreThatIsNoFiniteNumberHasNoChoice) {
  const CategoryPlanes planes = {3, 2, 1};  // scores of a row: columns 0, 1, 2; 0, 1; 0
  const auto integers = [](const std::vector<std::int32_t>& values) {
    return Tensor::from<std::int32_t>(values, {static_cast<std::int64_t>(values.size())}, test_device());
  };
  const CategoryTable table = {integers({5, 6, 7, 8, 9, 10}), integers({0, 0, 0, 1, 1, 2}), integers({0, 1, 2})};
  for (const DType dtype : kTypes) {
    for (const double bad : {kNan, kInf, -kInf}) {
      for (std::size_t at = 0; at < 6; ++at) {
        std::vector<double> scores = {1, 1, 1, 2, 0, 0};
        scores[at] = bad;
        const std::vector<double> chosen = numbers(category_choice(planes, on_device(scores, {1, 6}, dtype), table));
        for (std::size_t column = 0; column < 3; ++column) {
          const double expected[] = {8, 6, 7};
          const bool own = column == at || (at >= 3 && column == (at - 3) % 2);
          EXPECT_TRUE(own ? std::isnan(chosen[column]) : chosen[column] == expected[column]) << bad << " at " << at;
        }
      }
    }
  }
}

TEST_F(SpecialValuesTest, LogSumExpOfInfinitiesAndNaN) {
  struct Row {
    double most, one, other;  // in 38 columns, and in one each
    double expected;
  };
  const std::vector<Row> rows = {{1, kInf, kNan, kNan},        {1, kNan, kInf, kNan},    {kInf, kNan, kInf, kNan},
                                 {1, kNan, 2, kNan},           {kNan, kNan, kNan, kNan}, {kNan, kInf, kNan, kNan},
                                 {1, kInf, 2, kInf},           {-kInf, kInf, 0, kInf},   {kInf, kInf, kInf, kInf},
                                 {-kInf, -kInf, -kInf, -kInf}, {-kInf, 0, -kInf, 0},     {-kInf, -kInf, 5, 5}};
  const auto count = static_cast<std::int64_t>(rows.size());
  std::vector<double> values;
  for (const Row& row : rows) {
    std::vector<double> numbers(40, row.most);
    numbers[3] = row.one;
    numbers[37] = row.other;
    values.insert(values.end(), numbers.begin(), numbers.end());
  }
  const CsrMatrix nothing = CsrMatrix::from_rows(40, std::vector<std::vector<std::int32_t>>(rows.size())).to(test_device());
  for (const DType dtype : kTypes) {
    const std::vector<double> found = numbers(multinomial_nll(on_device(values, {count, 40}, dtype), nothing).lse);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double expected = rows[i].expected;
      EXPECT_TRUE(std::isnan(expected) ? std::isnan(found[i]) : found[i] == expected)
          << dtype << " row " << i << ": " << found[i] << ", not " << expected;
    }
  }
}

TEST_F(SpecialValuesTest, ABlockOfItemsThatNobodyCanLikeCountsForNothing) {
  constexpr std::int64_t kItems = 272;  // the CPU takes them in two blocks
  std::vector<double> biases(kItems, 0.5);
  std::fill_n(biases.begin(), kItems / 2, -kInf);
  const CsrMatrix target = CsrMatrix::from_rows(kItems, {{200, 271}, {140}}).to(test_device());
  for (const DType dtype : kTypes) {
    const Tensor h = random_tensor({2, 3}, 1, -1, 1, dtype, test_device());
    const Tensor w = random_tensor({kItems, 3}, 2, -1, 1, dtype, test_device());
    const Tensor bias = on_device(biases, {kItems}, dtype), scale = Tensor::full({1}, 1, dtype, test_device());
    const Tensor logits = binary(BinaryOp::kAdd, matmul(h, w, false, true), bias);
    const MultinomialNll plain = multinomial_nll(logits, target);
    const Tensor dlogits = multinomial_nll_backward(logits, target, plain.lse, scale);
    const LinearMultinomialNll forward = linear_multinomial_nll(h, w, bias, target);
    const LinearMultinomialGradients found = linear_multinomial_nll_backward(h, w, target, forward, scale);
    const auto difference = [](const Tensor& x, const Tensor& y) { return largest_difference(x, y.to(Device::kCpu)); };
    EXPECT_TRUE(difference(forward.loss, plain.loss) <= 1e-5) << dtype;
    EXPECT_TRUE(difference(found.dbias, column_sum(dlogits)) <= 1e-5) << dtype;
    EXPECT_TRUE(difference(found.dw, matmul(dlogits, h, true, false)) <= 1e-5) << dtype;
    EXPECT_TRUE(difference(found.dh, matmul(dlogits, w)) <= 1e-5) << dtype;
  }
}

TEST_F(SpecialValuesTest, AtTheKinkTheDerivativeIsThatOfTheNegativeSide) {
  for (const DType dtype : kTypes) {
    const Tensor zeros = on_device({0.0, -0.0}, {2}, dtype), ones = on_device({1, 1}, {2}, dtype);
    const std::vector<double> slopes = {0.25, 0.25};
    EXPECT_EQ(numbers(unary_backward(UnaryOp::kLeakyRelu, zeros, ones, 0.25)), slopes);
    EXPECT_EQ(numbers(unary_backward(UnaryOp::kRelu, zeros, ones)), (std::vector<double>{0, 0}));
    const auto [dx, dslope] = prelu_backward(zeros, on_device({0.25}, {1}, dtype), ones);
    EXPECT_EQ(numbers(dx), slopes);
    EXPECT_EQ(dslope.item(), 0);
  }
}

TEST_F(SpecialValuesTest, ARowOfNextToNothingIsDividedByTheFloor) {
  const CsrMatrix x = CsrMatrix::from(2, 2, {0, 2, 3}, {0, 1, 0}, {0, 0, 1e-13f}).to(test_device());
  const std::vector<double> found = numbers(normalize_rows(x, DType::kFloat32).values());
  EXPECT_EQ(found[0], 0);
  EXPECT_EQ(found[1], 0);
  EXPECT_TRUE(std::abs(found[2] - 0.1) <= 1e-6) << found[2];
}

TEST_F(SpecialValuesTest, ASlopeGradientOfMoreChunksThanPartialSums) {
  if (test_device() != Device::kCpu) GTEST_SKIP() << "a GPU cuts them otherwise";
  constexpr std::int64_t kCount = 3 << 20;
  const Tensor x = Tensor::full({3, 1 << 20}, -1), slope = Tensor::full({1}, 0.5);
  const auto [dx, dslope] = prelu_backward(x, slope, Tensor::full({3, 1 << 20}, 1));
  EXPECT_EQ(dslope.item(), -kCount);
  EXPECT_EQ(sum(dx).item(), 0.5 * kCount);
}

TEST_F(SpecialValuesTest, CountsOfMoreChunksThanABlockHasThreads) {
  constexpr std::int64_t kCount = 300000;
  const Tensor x = random_tensor({kCount}, 1, -1, 1, DType::kFloat32);
  std::vector<std::int64_t> starts = {0};
  for (std::int64_t begin = 0; begin < kCount; begin += kSelectChunk) {
    std::int64_t count = starts.back();
    for (std::int64_t i = begin; i < std::min(kCount, begin + kSelectChunk); ++i) count += x.data<float>()[i] >= 0.25f ? 1 : 0;
    starts.push_back(count);
  }
  const AtLeast found = count_at_least(x.to(test_device()), 1, 0.25);
  EXPECT_EQ(host<std::int64_t>(found.starts), starts);
  EXPECT_EQ(found.count, starts.back());
}

TEST_F(SpecialValuesTest, NoMoreIsTakenThanWasCounted) {
  const Tensor x = on_device({1, 0, 1, 0, 0, 0}, {6});
  const AtLeast found = count_at_least(x, 1, 1);
  copy_into(x, on_device(std::vector<double>(6, 1), {6}));
  const Tensor places = Tensor::from<std::int64_t>({-1, -1, -1, -1, -1, -1}, {6}, test_device());
  take_at_least(x, found, {}, 0, {}, places.slice_rows(0, found.count));
  EXPECT_EQ(host<std::int64_t>(places), (std::vector<std::int64_t>{0, 1, -1, -1, -1, -1}));
}

}  // namespace
}  // namespace tapestry::tests
