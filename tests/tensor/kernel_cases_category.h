#pragma once

#include <vector>

#include "tests/tensor/kernel_cases.h"

namespace tapestry::tests {

/// A table whose rows of differences have `differences` numbers: a third of them belong to columns of three categories, and two
/// columns have one category only.
inline CategoryPlanes planes_of(std::int64_t differences) {
  const std::int64_t three = differences / 3;
  const std::int64_t two = differences - three;
  return {two + 2, two, three};
}

template <typename K>
std::vector<KernelCase<K>> category_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  // Half of the scores are 0, so that many are equal. Columns and orders run backwards.
  const auto choice = [](Call& c) {
    const CategoryPlanes planes = planes_of(c.cols);
    std::vector<std::int32_t> order(static_cast<std::size_t>(planes.categories()));
    std::vector<std::int32_t> places(static_cast<std::size_t>(planes.columns));
    for (std::vector<std::int32_t>* numbers : {&order, &places}) {
      for (std::size_t i = 0; i < numbers->size(); ++i) (*numbers)[i] = static_cast<std::int32_t>(numbers->size() - 1 - i);
    }
    const std::int64_t n = c.rows * planes.categories();
    T* scores = c.scratch('s', n);
    K::unary(UnaryOp::kRelu, n, c.input('x', n), T(0), scores);
    const CategoryMeaning meaning = {c.index('v', planes.categories(), 3), c.given('o', order), c.given('p', places)};
    K::category_choice(c.rows, planes, scores, meaning, c.output('y', c.rows * planes.columns, {0}));
  };
  // Columns hold two or three of the values 0, 1, 2; those of one category are certain of it, or have not got it.
  const auto odds = [](Call& c) {
    const CategoryPlanes planes = planes_of(c.cols);
    std::vector<std::int32_t> values, places;
    for (std::int32_t k = 0; k < 3; ++k) {
      const std::int64_t width = k == 0 ? planes.columns : k == 1 ? planes.two : planes.three;
      for (std::int64_t j = 0; j < width; ++j) values.push_back(static_cast<std::int32_t>((j + k) % 3));
    }
    for (std::int64_t j = planes.columns; j > 0; --j) places.push_back(static_cast<std::int32_t>(j - 1));
    const CategoryMeaning meaning = {c.given('v', values), nullptr, c.given('p', places)};
    K::category_odds(c.rows, planes, c.input('x', c.rows * planes.categories(), -9, 9), meaning, 1,
                     c.output('y', c.rows * planes.columns, {16, 20}));
  };
  return {
      {"category_choice", choice},
      {"category_odds", odds},
      {"category_softmax",
       [](Call& c) {
         const CategoryPlanes planes = planes_of(c.cols);
         const std::int64_t n = c.rows * planes.categories();
         K::category_softmax(c.rows, planes, c.input('d', c.n, -9, 9), c.input('g', n), T(0.2), c.output('y', n, {64, 0.5}));
       }},
      {"category_softmax_backward",
       [](Call& c) {
         const CategoryPlanes planes = planes_of(c.cols);
         const std::int64_t n = c.rows * planes.categories();
         T* y = c.scratch('p', n);
         K::category_softmax(c.rows, planes, c.input('d', c.n), c.input('g', n), T(2), y);
         K::category_softmax_backward(c.rows, planes, y, c.input('u', n), T(0.2), c.output('x', c.n, {64, 10}));
       }},
      // Sums of up to 20,011 terms in two orders: the errors grow with the square root of that.
      {"category_cross_entropy",
       [](Call& c) {
         K::category_cross_entropy(c.rows, planes_of(c.cols), c.input('d', c.n, -9, 9), c.csr(false),
                                   c.output('l', c.rows, {16, 9.0 * static_cast<double>(c.cols + 1)}));
       }},
      {"category_cross_entropy_backward",
       [](Call& c) {
         K::category_cross_entropy_backward(c.rows, planes_of(c.cols), c.input('d', c.n, -9, 9), c.csr(false), c.input('s', 1),
                                            c.output('x', c.n, {16, 2}));
       }},
  };
}

}  // namespace tapestry::tests
