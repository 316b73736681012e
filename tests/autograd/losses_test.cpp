// What the losses refuse.
#include <gtest/gtest.h>

#include <vector>

#include "autograd/category.h"
#include "autograd/loss.h"
#include "tests/support/misuse.h"

namespace tapestry::tests {
namespace {

constexpr CategoryPlanes kPlanes = {2, 2, 1};

TEST(Losses, OfABatchWithoutRowsHaveNoMean) {
  const CsrMatrix target = CsrMatrix::from_rows(3, {});
  const Tensor none = Tensor::zeros({0, 3}), weight = Tensor::zeros({3, 3});
  expect_misuse([&] { autograd::multinomial_nll(none, target); }, {"multinomial_nll", "no rows"});
  expect_misuse([&] { autograd::linear_multinomial_nll(none, weight, {}, target); }, {"linear_multinomial_nll", "no rows"});
  expect_misuse([&] { autograd::gaussian_nll(Tensor::zeros({0, 6}), none); }, {"gaussian_nll", "no rows"});
  expect_misuse([&] { autograd::category_cross_entropy(kPlanes, none, target); }, {"category_cross_entropy", "no rows"});
  const Tensor indices = Tensor::zeros({0}, DType::kInt32);
  expect_misuse([&] { autograd::column_cross_entropy(kPlanes, none, indices, indices); }, {"column_cross_entropy", "no rows"});
}

TEST(Losses, MseWantsATargetForEveryPrediction) {
  const auto of_shape = [](const Shape& shape) { return Tensor::zeros(shape); };
  expect_misuse(
      [&] {
        autograd::mse(of_shape({4, 1}), of_shape({4}));
      },
      {"mse: prediction [4, 1] and target [4]: expected the same shape"});
  expect_misuse([&] { autograd::mse(of_shape({4, 3}), of_shape({4, 1})); }, {"mse", "[4, 3]", "[4, 1]"});
  EXPECT_EQ(autograd::mse(of_shape({4, 1}), of_shape({4, 1})).value().item(), 0);
}

TEST(Losses, DifferencesWantEveryCategoryOfTheTable) {
  const auto of_shape = [](const Shape& shape) { return Tensor::zeros(shape); };
  EXPECT_EQ(autograd::difference_rows(kPlanes, of_shape({5})).shape(), Shape({3}));
  EXPECT_EQ(autograd::difference_columns(kPlanes, of_shape({4, 5})).shape(), Shape({4, 3}));
  for (const Shape& shape : {Shape{6, 2}, Shape{4}, Shape{}}) {
    expect_misuse([&] { autograd::difference_rows(kPlanes, of_shape(shape)); }, {"difference_rows", "5 rows", shape.to_string()});
  }
  for (const Shape& shape : {Shape{2, 6}, Shape{2, 4}, Shape{5}}) {
    expect_misuse([&] { autograd::difference_columns(kPlanes, of_shape(shape)); },
                  {"difference_columns", "5 columns", shape.to_string()});
  }
}

/// Where a logit stands among those of a batch is an int32.
TEST(Losses, ColumnTargetsBeyondInt32AreRefused) {
  constexpr CategoryPlanes kWide = {1 << 30, 1 << 30, 0};
  std::vector<std::int32_t> index(9);
  std::vector<float> numbers(27);
  const auto fill = [&](const std::vector<std::int32_t>& columns) {
    autograd::fill_column_targets(kWide, columns, std::vector<std::int32_t>(columns.size(), 1), index.data(), numbers.data());
  };
  expect_misuse([&] { fill({0, 0, 0}); }, {"3 rows", "32 bits"});
  fill({7});
  EXPECT_EQ(index[1], 7);
}

}  // namespace
}  // namespace tapestry::tests
