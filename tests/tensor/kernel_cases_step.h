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
  };
  for (const bool adamax : {false, true}) {
    cases.push_back({adamax ? "adamax_prepared" : "adam_prepared", [=](Call& c) {
                       const auto view = [&](char value, std::int64_t count) {
                         const auto next = [&](int by) { return static_cast<char>(value + by); };
                         return ParameterView<T>{c.in_out(value, count, {16, 1}), c.input(next(1), count),
                                                 c.in_out(next(2), count, {16, 1}), c.in_out(next(3), count, {16, 1}, 0, 1),
                                                 count};
                       };
                       const std::array<ParameterView<T>, 3> parameters = {view('a', c.n), view('f', 3), view('k', 0)};
                       const std::vector<T> adam = {T(0.9), T(0.7), T(0.2), T(0.4), T(0.3), T(0.97), T(0.1), T(0.8), T(0.05)};
                       const std::vector<T> norm = {T(0.9), T(0.7), T(0.2), T(0.1), T(0.5)};  // either side of the maximum
                       adamax ? K::adamax_prepared(parameters.data(), 3, c.given('z', norm))
                              : K::adam_prepared(parameters.data(), 3, c.given('z', adam));
                     }});
  }
  for (const std::int32_t least : {0, static_cast<std::int32_t>(kRecentLosses)}) {  // with and without steps of too few losses
    cases.push_back({concat("step_probabilities_", least), [=](Call& c) {
                       std::vector<std::int32_t> seen = random_indices(c.cols, 2 * kRecentLosses, 's');
                       for (std::int32_t& count : seen) count = std::max(count, least);
                       K::step_probabilities(c.cols, c.input('x', c.cols * kRecentLosses), c.given('s', seen),
                                             c.template output<double>('p', c.cols, {16, 0}),
                                             c.template output<double>('u', c.cols, {16, 0}));
                     }});
  }
  cases.push_back({"draw_steps", [](Call& c) {
                     const std::vector<double> p = random_values<double>(c.cols + 1, 'p', 0.1, 1);
                     std::vector<double> until(p.size());
                     std::partial_sum(p.begin(), p.end(), until.begin());
                     const std::vector<double> u = random_values<double>(c.rows, 'u', 0, 1);
                     K::draw_steps(c.rows, c.cols + 1, c.given('p', p), c.given('c', until), c.given('u', u),
                                   c.template output<std::int32_t>('t', c.rows, {0}), c.output('d', c.rows, {0}));
                   }});
  cases.push_back({"record_losses", [](Call& c) {
                     constexpr std::int64_t kSteps = 7;
                     std::vector<std::int32_t> t = random_indices(c.n, kSteps, 't');
                     for (std::int32_t& step : t) ++step;
                     std::int32_t* seen = c.template output<std::int32_t>('s', kSteps, {0});
                     K::gather_integers(kSteps, 1, c.index('c', kSteps, 2 * kRecentLosses), c.given('i', counted(kSteps)), seen);
                     K::record_losses(c.n, kSteps, c.given('t', t), c.input('x', c.n), c.in_out('y', kSteps * kRecentLosses, {0}),
                                      seen);
                   }});
  for (int count = 1; count <= 4; ++count) {
    cases.push_back(
        {concat("weighted_sum_", count), [=](Call& c) {
           const std::array<const T*, 4> terms = {c.input('p', c.n), c.input('q', c.n), c.input('r', c.n), c.input('s', c.n)};
           K::weighted_sum(c.n, count, c.input('w', 4), terms.data(), c.output('y', c.n, {4, 16}));
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
