#pragma once

#include <array>
#include <numeric>
#include <vector>

#include "tests/tensor/kernel_cases.h"

namespace tapestry::tests {

/// 0 .. count - 1.
inline std::vector<std::int32_t> counted(std::int64_t count) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

/// Steps that advance by themselves.
template <typename K>
std::vector<KernelCase<K>> step_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  std::vector<KernelCase<K>> cases = {
      {"gather_integers",
       [](Call& c) {
         K::gather_integers(c.rows, c.cols, c.index('t', 7 * c.cols, 1 << 30), c.index('i', c.rows, 7),
                            c.template output<std::int32_t>('y', c.n, {0}));
       }},
      {"add_integer",
       [](Call& c) {
         std::int32_t* y = c.template output<std::int32_t>('y', c.n, {0});
         K::gather_integers(c.rows, c.cols, c.index('t', c.n, 1 << 30), c.given('i', counted(c.rows)), y);
         K::add_integer(c.n, -3, y);
       }},
      {"replace_rows",
       [](Call& c) {
         K::replace_rows(c.rows, c.cols, c.index('l', c.rows, 5), c.index('b', c.rows, 5), c.input('x', c.n),
                         c.in_out('y', c.n, {0}));
       }},
      {"random_normal_counter",
       [](Call& c) {
         const RandomStream stream = {kCaseStream.seed, kCaseStream.purpose, 5, c.given('s', std::vector<std::int32_t>{7})};
         K::random_normal(c.rows, c.cols, stream, nullptr, T(0), T(1), c.output('y', c.n, {0}));
       }},
      {"csr_dropout_counter",
       [](Call& c) {
         const CsrView<T> x = c.csr(true);
         const RandomStream stream = {kCaseStream.seed, kCaseStream.purpose, 5, c.given('s', std::vector<std::int32_t>{7})};
         K::csr_dropout(x, T(0.5), stream, nullptr, c.output('y', c.nnz()));
       }},
      {"adam_prepared",
       [](Call& c) {
         const auto view = [&](char value, std::int64_t count) {
           const auto next = [&](int by) { return static_cast<char>(value + by); };
           return ParameterView<T>{c.in_out(value, count, {16, 1}), c.input(next(1), count), c.in_out(next(2), count, {16, 1}),
                                   c.in_out(next(3), count, {16, 1}, 0, 1), count};
         };
         const std::array<ParameterView<T>, 3> parameters = {view('a', c.n), view('f', 3), view('k', 0)};
         const std::vector<T> factors = {T(0.9), T(0.7), T(0.2), T(0.4), T(0.3), T(0.97), T(0.1), T(0.8), T(0.05)};
         K::adam_prepared(parameters.data(), 3, c.given('z', factors));
       }},
  };
  for (int count = 1; count <= 4; ++count) {
    cases.push_back({concat("weighted_sum_", count), [=](Call& c) {
                       T* y = c.in_out('p', c.n, {4, 16});
                       const std::array<const T*, 4> terms = {y, c.input('q', c.n), c.input('r', c.n), c.input('s', c.n)};
                       K::weighted_sum(c.n, count, c.input('w', 4), terms.data(), y);
                     }});
  }
  for (const bool with_values : {true, false}) {
    // Every row twice, from the last to the first.
    cases.push_back({with_values ? "csr_gather_rows" : "csr_gather_rows_ones", [=](Call& c) {
                       const CsrView<T> x = c.csr(with_values);
                       std::vector<std::int32_t> index;
                       for (std::int64_t i = 0; i < 2 * c.rows; ++i)
                         index.push_back(static_cast<std::int32_t>(c.rows - 1 - i / 2));
                       K::csr_gather_rows(x, 2 * c.rows, c.given('i', index),
                                          c.template output<std::int64_t>('o', 2 * c.rows + 1, {0}),
                                          c.template output<std::int32_t>('y', 2 * c.nnz(), {0}),
                                          with_values ? c.output('v', 2 * c.nnz(), {0}) : nullptr);
                     }});
  }
  return cases;
}

}  // namespace tapestry::tests
