#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tensor/ops.h"
#include "tests/support/device.h"
#include "tests/support/misuse.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

class TensorTest : public DeviceTest {
 protected:
  static std::vector<double> host(const Tensor& x) {
    const Tensor values = x.to(Device::kCpu).to(DType::kFloat64);
    return {values.span<double>().begin(), values.span<double>().end()};
  }
  static Tensor counting(const Shape& shape, DType dtype = DType::kFloat32) {
    std::vector<double> values(static_cast<std::size_t>(shape.numel()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
    return Tensor::from<double>(values, shape).to(dtype).to(test_device());
  }
};

TEST(ShapeTest, RowsAndColumns) {
  EXPECT_EQ(Shape().numel(), 1);
  EXPECT_EQ(Shape({7}).rows(), 1);
  EXPECT_EQ(Shape({7}).cols(), 7);
  EXPECT_EQ(Shape({2, 3, 5}).rows(), 6);
  EXPECT_EQ(Shape({2, 3, 5}).cols(), 5);
  EXPECT_EQ(Shape({0, 5}).numel(), 0);
  EXPECT_EQ(Shape({2, 3, 5}).with_rows(9), Shape({9, 3, 5}));
  EXPECT_NE(Shape({3}), Shape({3, 1}));
  EXPECT_EQ(Shape({2, 3}).to_string(), "[2, 3]");
  expect_misuse([] { Shape({1, 2, 3, 4, 5}); }, {"rank 5"});
  expect_misuse([] { Shape({2, -1}); }, {"-1"});
  expect_misuse([] { Shape({2, 3}).with_rows(-1); }, {"-1"});
}

TEST(ShapeTest, RefusesMoreElementsThanCanBeCounted) {
  constexpr std::int64_t kHalf = std::int64_t{1} << 32;
  expect_misuse([] { Tensor::empty({kHalf, kHalf}); }, {"[4294967296, 4294967296]"});
  expect_misuse([] { Shape({kHalf, kHalf, kHalf, kHalf}); }, {"more elements"});
  expect_misuse([] { Shape({0, kHalf, kHalf}); }, {"more elements"});  // rows() of others like it would overflow
  expect_misuse([] { Shape({3, kHalf}).with_rows(kHalf); }, {"more elements"});
  expect_misuse([] { Shape({kHalf, kHalf >> 4, 2}); }, {"more elements"});  // their bytes could not be counted
  EXPECT_EQ(Shape({kHalf, kHalf >> 5}).numel(), std::int64_t{1} << 59);
}

TEST_F(TensorTest, RowViewsShareStorage) {
  const Tensor x = counting({4, 3});
  const Tensor view = x.slice_rows(1, 3);
  EXPECT_EQ(view.shape(), Shape({2, 3}));
  EXPECT_EQ(host(view), (std::vector<double>{3, 4, 5, 6, 7, 8}));
  add_in_place(view, Tensor::full({2, 3}, 100, DType::kFloat32, test_device()));
  EXPECT_EQ(host(x), (std::vector<double>{0, 1, 2, 103, 104, 105, 106, 107, 108, 9, 10, 11}));
  EXPECT_EQ(x.slice_rows(2, 2).numel(), 0);
  EXPECT_EQ(host(view.slice_rows(1, 2)), (std::vector<double>{106, 107, 108}));
}

TEST_F(TensorTest, ReshapeSharesAndCloneDoesNot) {
  const Tensor x = counting({2, 3});
  const Tensor flat = x.reshape({6});
  const Tensor copy = x.clone();
  add_in_place(flat, flat.clone());
  EXPECT_EQ(host(x), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(host(copy), (std::vector<double>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(copy.shape(), x.shape());
}

TEST_F(TensorTest, SoleOwnerCountsViews) {
  Tensor x = counting({4, 3});
  EXPECT_TRUE(x.sole_owner());
  {
    const Tensor view = x.slice_rows(0, 1);
    EXPECT_FALSE(x.sole_owner());
    EXPECT_FALSE(view.sole_owner());
  }
  EXPECT_TRUE(x.sole_owner());
  const Tensor moved = std::move(x);
  EXPECT_TRUE(moved.sole_owner());
  EXPECT_FALSE(Tensor().sole_owner());
}

TEST_F(TensorTest, Conversion) {
  const Tensor x = Tensor::from<double>({1.0, -2.5, 1e-300}, {3}, test_device());
  EXPECT_EQ(host(x.to(DType::kFloat32)), (std::vector<double>{1.0, -2.5, 0.0}));
  EXPECT_EQ(x.to(DType::kFloat64).raw_data(), x.raw_data());
  EXPECT_EQ(x.to(test_device()).raw_data(), x.raw_data());
  expect_misuse([&] { x.to(DType::kInt32); }, {"float64", "int32"});
}

TEST_F(TensorTest, ItemAndFilling) {
  EXPECT_EQ(Tensor::full({}, 2.5, DType::kFloat64, test_device()).item(), 2.5);
  EXPECT_EQ(Tensor::from<std::int64_t>({1234567890123}, {1}, test_device()).item(), 1234567890123.0);
  EXPECT_EQ(Tensor::zeros({1, 1}, DType::kInt32, test_device()).item(), 0);
  EXPECT_EQ(host(Tensor::zeros({2, 2}, DType::kFloat32, test_device())), std::vector<double>(4, 0.0));
  expect_misuse([] { Tensor::zeros({2}).item(); }, {"item", "[2]"});
}

template <typename T>
concept CanBeRead = requires(const Tensor& x) {
  x.data<T>();
  x.span<T>();
};

// Numbers are read as element types only, which is for the compiler to say: int64 has a twin of another name.
using OtherLong = std::conditional_t<std::is_same_v<std::int64_t, long>, long long, long>;
static_assert(CanBeRead<float> && CanBeRead<double> && CanBeRead<std::int32_t> && CanBeRead<std::int64_t>);
static_assert(!CanBeRead<OtherLong> && !CanBeRead<std::uint32_t> && !CanBeRead<bool> && !CanBeRead<char>);

TEST_F(TensorTest, MisuseNamesWhatWasFound) {
  const Tensor x = counting({4, 3});
  expect_misuse([&] { x.slice_rows(2, 5); }, {"slice_rows", "[2, 5)", "[4, 3]"});
  expect_misuse([&] { x.slice_rows(-1, 2); }, {"slice_rows", "-1"});
  expect_misuse([&] { x.slice_rows(3, 2); }, {"slice_rows"});
  expect_misuse([&] { Tensor::zeros({}).slice_rows(0, 0); }, {"slice_rows", "scalar"});
  expect_misuse([&] { x.reshape({5}); }, {"reshape", "[4, 3]", "[5]"});
  expect_misuse([&] { x.data<double>(); }, {"float64", "float32"});
  expect_misuse([] { Tensor::from<float>({1, 2}, {3}); }, {"2 values", "[3]"});
  expect_misuse([] { static_cast<void>(Tensor().device()); }, {"before it was given a value"});
}

TEST_F(TensorTest, OperationsNameThemselvesAndTheShapes) {
  const Tensor a = counting({4, 3});
  const Tensor b = counting({2, 3});
  const std::vector<std::pair<BinaryOp, std::string>> operations = {
      {BinaryOp::kAdd, "add"},       {BinaryOp::kSubtract, "subtract"}, {BinaryOp::kMultiply, "multiply"},
      {BinaryOp::kDivide, "divide"}, {BinaryOp::kMinimum, "minimum"},   {BinaryOp::kMaximum, "maximum"}};
  for (const auto& [op, name] : operations) {
    expect_misuse([op = op, &a, &b] { binary(op, a, b); }, {name + ": shapes [4, 3] and [2, 3]"});
  }
  const Tensor other = b.to(a.dtype() == DType::kFloat32 ? DType::kFloat64 : DType::kFloat32);
  expect_misuse([&] { binary(BinaryOp::kAdd, a, other); }, {"add: operands are", "float32", "float64", "[4, 3]", "[2, 3]"});
  expect_misuse([&] { binary(BinaryOp::kAdd, a, Tensor()); }, {"add: an operand was used before it was given a value"});
  expect_misuse([&] { matmul(Tensor(), a); }, {"matmul: an operand was used before it was given a value"});
  expect_misuse([&] { matmul(a, b); }, {"matmul", "[4, 3]", "[2, 3]"});
  expect_misuse([&] { matmul(a, b.reshape({6})); }, {"matmul", "[6]"});
  expect_misuse([&] { matmul_accumulate(a, b, false, true, a); }, {"matmul_accumulate", "[4, 2]", "[4, 3]"});
  expect_misuse([&] { add_in_place(a, b); }, {"add_in_place", "[4, 3]", "[2, 3]"});
  expect_misuse([&] { linear_combination({{1, a}, {1, b}}); }, {"linear_combination", "[4, 3]", "[2, 3]"});
  expect_misuse([&] { bias_activation(Activation::kNone, a.clone(), counting({4})); }, {"bias_activation", "4", "3"});
  expect_misuse([&] { concat_columns({a, b}); }, {"concat_columns", "[4, 3]", "[2, 3]"});
  expect_misuse([&] { concat_rows({a, counting({2, 2})}); }, {"concat_rows", "[4, 3]", "[2, 2]"});
  expect_misuse([&] { copy_into(a, counting({2, 2})); }, {"copy_into", "[2, 2]", "[4, 3]"});
  expect_misuse([&] { copy_into(a, a.to(a.dtype() == DType::kFloat32 ? DType::kFloat64 : DType::kFloat32)); },
                {"copy_into", "float32", "float64"});
  expect_misuse([&] { slice_columns(a, 1, 4); }, {"slice_columns", "[1, 4)", "[4, 3]"});
  expect_misuse([&] { rank_rows(a, random_csr(4, 3, 1, false).to(test_device()), 0); }, {"rank_rows", "k = 0"});
  const CsrMatrix x = random_csr(4, 3, 1, false).to(test_device());
  expect_misuse([&] { csr_matmul(x, b); }, {"csr_matmul", "[4, 3]", "[2, 3]"});
  expect_misuse([&] { csr_transpose_matmul(x, b); }, {"csr_transpose_matmul", "[4, 3]", "[2, 3]"});
  expect_misuse([&] { multinomial_nll(b, x); }, {"multinomial_nll", "[4, 3]", "[2, 3]"});
}

TEST_F(TensorTest, OperationsNameThemselvesWhereTypesDoNotFit) {
  const auto integers = [](const Shape& shape) { return Tensor::zeros(shape, DType::kInt32, test_device()); };
  const auto numbers = [](const Shape& shape, DType dtype) { return Tensor::zeros(shape, dtype, test_device()); };
  expect_misuse([&] { unary(UnaryOp::kExp, integers({2})); }, {"unary", "int32"});
  expect_misuse([&] { row_sum(integers({2, 3})); }, {"row_sum", "int32"});
  expect_misuse([&] { concat_rows({integers({2, 3}), integers({1, 3})}); }, {"concat_rows", "int32"});
  expect_misuse(
      [&] {
        random_uniform({2}, {1, Purpose::kTest, 0}, 0, 1, DType::kInt64, test_device());
      },
      {"random_uniform", "int64"});
  expect_misuse([&] { Tensor::full({2}, 1, DType::kInt64, test_device()); }, {"Tensor::full", "int64"});
  expect_misuse([&] { add_integer(numbers({1}, DType::kFloat32), 1); }, {"add_integer", "float32", "int32"});
  const Tensor h = numbers({4, 3}, DType::kFloat32), bias = numbers({3}, DType::kFloat64);
  expect_misuse([&] { bias_activation(Activation::kNone, h, bias); }, {"bias_activation", "float32", "float64"});
  const CsrMatrix x = random_csr(4, 3, 1, true, DType::kFloat64).to(test_device());
  expect_misuse([&] { csr_matmul(x, numbers({3, 2}, DType::kFloat32)); }, {"csr_matmul", "float64", "float32"});
  expect_misuse([&] { normalize_rows(x, DType::kFloat32); }, {"normalize_rows", "float64", "float32"});
  expect_misuse([&] { multinomial_nll(h, x); }, {"multinomial_nll", "float64", "float32"});
  const Tensor p = numbers({2}, DType::kFloat32), u = numbers({1}, DType::kFloat64);
  expect_misuse([&] { draw_steps({p, p}, u, DType::kFloat32); }, {"draw_steps", "float32", "float64"});
}

TEST_F(TensorTest, CopiesBetweenViewsThatOverlapInPartAreRefused) {
  const Tensor x = counting({4, 2});
  expect_misuse([&] { copy_into(x.slice_rows(0, 3), x.slice_rows(1, 4)); }, {"copy_into", "[3, 2]", "overlap"});
  expect_misuse([&] { copy_into(x.slice_rows(1, 4), x.slice_rows(0, 3)); }, {"copy_into", "[3, 2]", "overlap"});
  copy_into(x, x.reshape({8}));
  copy_into(x.slice_rows(1, 1), x.slice_rows(0, 0));
  copy_into(x.slice_rows(2, 4), x.slice_rows(0, 2));
  EXPECT_EQ(host(x), (std::vector<double>{0, 1, 2, 3, 0, 1, 2, 3}));
}

TEST_F(TensorTest, IndicesOutsideAreRefused) {
  if (test_device() != Device::kCpu) GTEST_SKIP() << "a GPU does not look at indices";
  const Tensor table = counting({4, 3});
  expect_misuse([&] { gather_rows(table, Tensor::from<std::int32_t>({0, 4}, {2})); }, {"gather_rows", "4"});
  expect_misuse([&] { gather_rows(table, Tensor::from<std::int32_t>({-1}, {1})); }, {"gather_rows", "-1"});
  expect_misuse(
      [&] {
        scatter_add_rows(counting({1, 3}), Tensor::from<std::int32_t>({4}, {1}), table);
      },
      {"scatter_add_rows", "4"});
}

TEST_F(TensorTest, BroadcastShapes) {
  const Tensor matrix = counting({4, 3});
  const auto shape_of = [&](const Shape& a, const Shape& b) { return binary(BinaryOp::kAdd, counting(a), counting(b)).shape(); };
  EXPECT_EQ(shape_of({4, 3}, {3}), Shape({4, 3}));
  EXPECT_EQ(shape_of({3}, {4, 3}), Shape({4, 3}));
  EXPECT_EQ(shape_of({4, 1}, {1, 3}), Shape({4, 3}));
  EXPECT_EQ(shape_of({4, 1}, {}), Shape({4, 1}));
  EXPECT_EQ(shape_of({}, {}), Shape({}));
  EXPECT_EQ(shape_of({2, 2, 3}, {3}), Shape({2, 2, 3}));
  EXPECT_EQ(host(binary(BinaryOp::kSubtract, counting({2, 1}), counting({1, 3}))), (std::vector<double>{0, -1, -2, 1, 0, -1}));
}

TEST_F(TensorTest, AnEmptyBatchBroadcastsToNothing) {
  const auto shape_of = [&](const Shape& a, const Shape& b) { return binary(BinaryOp::kAdd, counting(a), counting(b)).shape(); };
  EXPECT_EQ(shape_of({0, 3}, {3}), Shape({0, 3}));
  EXPECT_EQ(shape_of({3}, {0, 3}), Shape({0, 3}));
  EXPECT_EQ(shape_of({0, 3}, {1, 3}), Shape({0, 3}));
  EXPECT_EQ(shape_of({1, 3}, {0, 1}), Shape({0, 3}));
  EXPECT_EQ(shape_of({0, 3}, {}), Shape({0, 3}));
  EXPECT_EQ(shape_of({4, 0}, {4, 1}), Shape({4, 0}));
  EXPECT_EQ(shape_of({0}, {}), Shape({0}));
  expect_misuse([&] { shape_of({0, 3}, {2, 3}); }, {"add: shapes", "[0, 3]", "[2, 3]"});
  expect_misuse([&] { shape_of({2, 3}, {0, 3}); }, {"add: shapes", "[2, 3]", "[0, 3]"});
  expect_misuse([&] { shape_of({0, 3}, {2}); }, {"add: shapes", "[0, 3]", "[2]"});
}

TEST_F(TensorTest, TheSmallerAndTheLargerOfTwoPassANaNOfTheFirstOn) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor values = Tensor::from<double>({-5, 1, 7, nan}, {4}).to(test_device());
  const Tensor bound = Tensor::from<double>({3}, {1}).to(test_device());
  const std::vector<double> smaller = host(binary(BinaryOp::kMinimum, values, bound));
  const std::vector<double> larger = host(binary(BinaryOp::kMaximum, values, bound));
  EXPECT_EQ(std::vector<double>(smaller.begin(), smaller.end() - 1), (std::vector<double>{-5, 1, 3}));
  EXPECT_EQ(std::vector<double>(larger.begin(), larger.end() - 1), (std::vector<double>{3, 3, 7}));
  EXPECT_TRUE(std::isnan(smaller.back()) && std::isnan(larger.back()));
}

TEST_F(TensorTest, ResultsOverwriteOnlyWhatNobodyElseHolds) {
  const Tensor saved = counting({5});
  const Tensor held = Tensor::full({5}, 2, DType::kFloat32, test_device());
  const Tensor fresh = unary_backward(UnaryOp::kSquare, saved, held);
  EXPECT_EQ(host(held), std::vector<double>(5, 2.0));
  EXPECT_EQ(host(fresh), (std::vector<double>{0, 4, 8, 12, 16}));
  Tensor given = held.clone();
  const void* place = given.raw_data();
  EXPECT_EQ(unary_backward(UnaryOp::kSquare, saved, std::move(given)).raw_data(), place);
}

}  // namespace
}  // namespace tapestry::tests
