#pragma once

#include <cmath>

#include "tests/tensor/kernel_cases_category.h"

namespace tapestry::tests {

/// Multiples of a quarter, so that there are ties, zeros of both signs among them.
template <typename T>
std::vector<T> tied_values(std::int64_t count) {
  std::vector<T> values = random_values<T>(count, 'x');
  for (T& value : values) value = std::round(4 * value) / 4;
  return values;
}

/// Entries with sign * value >= bound: counted, then taken.
template <typename K>
KernelCase<K> at_least_case(const std::string& name, double sign, double bound, bool of_places) {
  using T = typename K::Scalar;
  return {name, [=](KernelCall<T>& c) {
            const std::vector<T> values = tied_values<T>(c.n);
            const auto sign_t = static_cast<T>(sign), bound_t = static_cast<T>(bound);
            const auto count = std::count_if(values.begin(), values.end(), [=](T value) { return sign_t * value >= bound_t; });
            std::vector<std::int64_t> places;
            for (std::int64_t i = 0; i < c.n; ++i) places.push_back(5 * i + (std::int64_t{1} << 40));
            const T* x = c.given('x', values);
            std::int64_t* starts = c.template output<std::int64_t>('s', select_chunks(c.n) + 1, {0});
            K::count_at_least(c.n, x, sign_t, bound_t, starts);
            K::take_at_least(c.n, x, sign_t, bound_t, starts, of_places ? c.given('f', places) : nullptr,
                             (std::int64_t{1} << 41) + 3, of_places ? c.output('v', count, {0}) : nullptr,
                             c.template output<std::int64_t>('p', count, {0}));
          }};
}

template <typename K>
std::vector<KernelCase<K>> selection_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  std::vector<KernelCase<K>> cases;
  constexpr std::int64_t kRows = 70;  // rows are chosen from one by one: more of them would show nothing else
  for (const std::int64_t k : {1, 10, 60}) {
    cases.push_back({concat("rank_rows_", k), [=](Call& c) {
                       CsrView<T> masked = c.csr(false);
                       masked.rows = std::min(c.rows, k == 60 ? 15 : kRows);
                       K::rank_rows(masked, c.given('x', tied_values<T>(c.n)), k, c.scratch('w', masked.rows * c.cols),
                                    c.template output<std::int32_t>('i', masked.rows * k, {0}));
                     }});
  }
  cases.push_back({"top_lengths_rows", [=](Call& c) {
                     std::vector<std::int64_t> offsets = {0};
                     const std::int64_t rows = std::min(c.rows, kRows);
                     for (std::int64_t row = 0; row < rows; ++row) offsets.push_back(offsets.back() + 7 * row % (c.cols + 1));
                     K::top_lengths_rows(rows, c.cols, c.given('x', tied_values<T>(c.n)), c.given('O', offsets),
                                         c.template output<std::int32_t>('c', offsets.back(), {0}));
                   }});
  for (const bool finite : {true, false}) {
    cases.push_back({finite ? "first_not_finite_of_none" : "first_not_finite", [=](Call& c) {
                       std::vector<T> values = tied_values<T>(c.n);
                       for (std::int64_t i = 2 * c.n / 3; !finite && i < c.n; i += 5) {
                         values[static_cast<std::size_t>(i)] = (i % 2 == 0 ? 1 : -1) * std::numeric_limits<T>::infinity();
                       }
                       K::first_not_finite(c.n, c.given('x', values), c.template output<std::int64_t>('a', 1, {0}));
                     }});
  }
  cases.push_back({"smallest", [](Call& c) {
                     if (c.n == 0) return;
                     std::vector<T> values = random_values<T>(c.n, 'x');
                     for (std::size_t i = 0; i + 1 < values.size(); i += 3) values[i] = std::numeric_limits<T>::quiet_NaN();
                     K::smallest(c.n, c.given('x', values), c.output('y', 1, {0}));
                   }});
  cases.push_back(at_least_case<K>("at_least", 1, 1.25, false));
  cases.push_back(at_least_case<K>("at_least_of_places", -1, 0, true));
  cases.push_back(at_least_case<K>("at_least_of_none", 1, 3, true));
  for (const std::int64_t percent : {0, 30, 100}) {
    cases.push_back({concat("kth_largest_at_", percent), [=](Call& c) {
                       if (c.n == 0) return;
                       const std::int64_t n = std::min<std::int64_t>(c.n, 1100);  // blocks enough for partial counts
                       const std::int64_t k = 1 + percent * (n - 1) / 100;
                       K::kth_largest(n, c.given('x', tied_values<T>(n)), k, c.output('y', 1, {0}),
                                      c.template scratch<std::int64_t>('w', 2));
                     }});
  }
  cases.push_back({"places_to_csr", [](Call& c) {
                     std::vector<std::int64_t> places;
                     for (std::int64_t place = 3; place < c.n; place += 1 + place % 7) places.push_back(place);
                     const auto count = static_cast<std::int64_t>(places.size());
                     K::places_to_csr(c.rows, c.cols, count, c.given('p', places),
                                      c.template output<std::int64_t>('O', c.rows + 1, {0}),
                                      c.template output<std::int32_t>('c', count, {0}));
                   }});
  return cases;
}

}  // namespace tapestry::tests
