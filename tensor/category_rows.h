#pragma once

#include <limits>

#include "tensor/elementwise.h"
#include "tensor/kernels.h"

/// Where a row of categories or of their differences lies, and the softmax of three, written once for host and device.
namespace tapestry::category {

/// A row's planes. Category 0 of a row of differences is not stored.
template <typename T>
struct Planes {
  T* zero;
  T* one;
  T* two;
};

/// Row `row` of x [rows, planes.categories()].
template <typename T>
TAPESTRY_HD Planes<T> category_row(const CategoryPlanes& planes, T* x, std::int64_t row) {
  T* begin = x + row * (planes.columns + planes.two + planes.three);
  return {begin, begin + planes.columns, begin + planes.columns + planes.two};
}

/// Row `row` of x [rows, planes.differences()].
template <typename T>
TAPESTRY_HD Planes<T> difference_row(const CategoryPlanes& planes, T* x, std::int64_t row) {
  T* begin = x + row * (planes.two + planes.three);
  return {nullptr, begin, begin + planes.two};
}

/// The largest of 0, a and b.
template <typename T>
TAPESTRY_HD inline T largest_of_three(T a, T b) {
  const T larger = a < b ? b : a;
  return T(0) < larger ? larger : T(0);
}

/// What a softmax gives each category.
template <typename T>
struct Shares {
  T zero, one, two;
};

/// Softmax of (0, a, b).
template <typename T>
TAPESTRY_HD inline Shares<T> softmax_of_three(T a, T b) {
  const T largest = largest_of_three(a, b);
  const T e0 = scalar::exp(-largest);
  const T e1 = scalar::exp(a - largest);
  const T e2 = scalar::exp(b - largest);
  const T total = e0 + e1 + e2;
  return {e0 / total, e1 / total, e2 / total};
}

/// The value of column j's category with the largest score in this row, ties by lower order; NaN unless all scores are finite.
template <typename T>
TAPESTRY_HD inline T chosen_value(const CategoryPlanes& planes, const CategoryMeaning& meaning, const T* scores, std::int64_t j) {
  constexpr T kLargest = std::numeric_limits<T>::max(), kNaN = std::numeric_limits<T>::quiet_NaN();
  std::int64_t best = j;
  bool finite = std::abs(scores[j]) <= kLargest;
  const auto compare = [&](std::int64_t other) {
    const T there = scores[best], here = scores[other];
    finite = finite && std::abs(here) <= kLargest;
    if (here > there || (here == there && meaning.order[other] < meaning.order[best])) best = other;
  };
  if (j < planes.two) compare(planes.columns + j);
  if (j < planes.three) compare(planes.columns + planes.two + j);
  return finite ? static_cast<T>(meaning.values[best]) : kNaN;
}

/// A log-odds where a column leaves no choice.
inline constexpr double kCertain = 1e30;

/// The log-odds of this value in column j, as the contract says of category_odds.
template <typename T>
TAPESTRY_HD inline T value_odds(const CategoryPlanes& planes, const CategoryMeaning& meaning, const T* scores, std::int32_t value,
                                std::int64_t j) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::int64_t at[] = {j, planes.columns + j, planes.columns + planes.two + j};
  const int count = 1 + (j < planes.two ? 1 : 0) + (j < planes.three ? 1 : 0);
  bool possible = false;
  double own = 0, others = -kInfinity;  // ln sum exp of theirs
  for (int k = 0; k < count; ++k) {
    const double score = scores[at[k]];
    if (meaning.values[at[k]] == value) {
      possible = true;
      own = score;
      continue;
    }
    const double larger = others < score ? score : others;
    others = larger + scalar::log(scalar::exp(others - larger) + scalar::exp(score - larger));
  }
  if (!possible) return static_cast<T>(-kCertain);
  return static_cast<T>(count == 1 ? kCertain : own - others);
}

}  // namespace tapestry::category
