#pragma once

#include "tests/tensor/kernel_cases_category.h"
#include "tests/tensor/kernel_cases_select.h"
#include "tests/tensor/kernel_cases_step.h"

namespace tapestry::tests {

/// A product of the call's size: C [rows, cols] with this inner size, stored with wider rows than needed.
template <typename K>
KernelCase<K> matmul_case(bool transpose_a, bool transpose_b, bool accumulate, std::int64_t inner) {
  using T = typename K::Scalar;
  return {concat("matmul_", transpose_a ? "t" : "n", transpose_b ? "t" : "n", accumulate ? "_accumulate_" : "_", inner),
          [=](KernelCall<T>& c) {
            const std::int64_t lda = (transpose_a ? c.rows : inner) + 1;
            const std::int64_t ldb = (transpose_b ? inner : c.cols) + 2;
            const std::int64_t ldc = c.cols + 3;
            const T* a = c.input('a', lda * (transpose_a ? inner : c.rows));
            const T* b = c.input('b', ldb * (transpose_b ? c.cols : inner));
            T* product = c.in_out('c', c.rows * ldc, {4, 4.0 * static_cast<double>(inner)});
            K::matmul(transpose_a, transpose_b, c.rows, c.cols, inner, a, lda, b, ldb, accumulate, product, ldc);
          }};
}

template <typename K>
std::vector<KernelCase<K>> matmul_cases() {
  std::vector<KernelCase<K>> cases;
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      for (const bool accumulate : {false, true}) {
        for (const std::int64_t inner : {0, 1, 67}) cases.push_back(matmul_case<K>(transpose_a, transpose_b, accumulate, inner));
      }
    }
  }
  return cases;
}

template <typename K>
std::vector<KernelCase<K>> linear_multinomial_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  std::vector<KernelCase<K>> cases;
  for (const bool with_values : {true, false}) {
    const std::string suffix = with_values ? "" : "_ones";
    for (const std::int64_t hidden : {1, 19}) {
      // What the forward pass keeps is in an order of its own: its backward pass tells whether it is right.
      cases.push_back({concat("linear_multinomial_nll_", hidden, suffix),
                       [=](Call& c) {
                         const double rows = static_cast<double>(c.rows);
                         const double cols = static_cast<double>(c.cols);
                         const double size = 8.0 * static_cast<double>(hidden + c.cols);
                         const LinearMultinomialRoom room = K::linear_multinomial_room(c.rows, c.cols, hidden);
                         const T* h = c.input('h', c.rows * hidden);
                         const T* w = c.input('w', c.cols * hidden);
                         const CsrView<T> target = c.csr(with_values);
                         T* kept = c.scratch('x', room.kept);
                         K::linear_multinomial_nll(hidden, h, w, c.input('b', c.cols), target, kept,
                                                   c.output('l', c.rows, {64, 64 * size}), c.scratch('s', room.forward));
                         K::linear_multinomial_nll_backward(
                             hidden, h, w, target, kept, c.input('a', 1), c.output('v', c.cols * hidden, {16, 16 * rows * cols}),
                             c.output('g', c.cols, {16, 16 * rows * cols}), c.output('d', c.rows * hidden, {16, 16 * cols}),
                             c.scratch('t', room.backward));
                       },
                       false});
    }
  }
  return cases;
}

template <typename K>
std::vector<KernelCase<K>> sparse_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  std::vector<KernelCase<K>> cases;
  for (const bool with_values : {true, false}) {
    const std::string suffix = with_values ? "" : "_ones";
    for (const std::int64_t width : {1, 70}) {
      cases.push_back({concat("csr_matmul_", width, suffix), [=](Call& c) {
                         const Allowed allowed = {4, 4.0 * static_cast<double>(c.cols)};
                         K::csr_matmul(c.csr(with_values), width, c.input('w', c.cols * width),
                                       c.output('y', c.rows * width, allowed));
                       }});
      cases.push_back({concat("csr_transpose_matmul_", width, suffix), [=](Call& c) {
                         const Allowed allowed = {4, 4.0 * static_cast<double>(c.rows)};
                         K::csr_transpose_matmul(c.csr(with_values), width, c.input('d', c.rows * width),
                                                 c.output('y', c.cols * width, allowed));
                       }});
      cases.push_back({concat("csr_transpose_matmul_add_", width, suffix), [=](Call& c) {
                         const Allowed allowed = {4, 4.0 * static_cast<double>(c.rows)};
                         K::csr_transpose_matmul_add(c.csr(with_values), width, c.input('d', c.rows * width),
                                                     c.in_out('y', c.cols * width, allowed));
                       }});
    }
    cases.push_back({"csr_normalize_rows" + suffix, [=](Call& c) {
                       const CsrView<T> x = c.csr(with_values);
                       K::csr_normalize_rows(x, T(1e-12), c.output('y', c.nnz(), {64}));
                     }});
    cases.push_back({"csr_dropout" + suffix, [=](Call& c) {
                       const CsrView<T> x = c.csr(with_values);
                       K::csr_dropout(x, T(0.5), kCaseStream, c.index('i', c.rows, 1000), c.output('y', c.nnz()));
                     }});
    cases.push_back({"csr_dense" + suffix, [=](Call& c) { K::csr_dense(c.csr(with_values), c.output('y', c.n, {0})); }});
  }
  const std::vector<KernelCase<K>> moves = {
      {"gather_rows",
       [](Call& c) {
         K::gather_rows(c.rows, c.cols, c.input('t', 7 * c.cols), c.index('i', c.rows, 7), c.output('y', c.n, {0}));
       }},
      {"scatter_add_rows",
       [](Call& c) {
         K::scatter_add_rows(c.rows, c.cols, c.input('x', c.n), c.index('i', c.rows, 7),
                             c.in_out('y', 7 * c.cols, {4, 4.0 * static_cast<double>(c.rows)}));
       }},
  };
  cases.insert(cases.end(), moves.begin(), moves.end());
  return cases;
}

template <typename K>
std::vector<KernelCase<K>> value_linear_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  std::vector<KernelCase<K>> cases;
  constexpr std::int64_t kWidth = 2;
  for (const std::int64_t n : {1, 70}) {
    cases.push_back({concat("value_linear_", n), [=](Call& c) {
                       const Allowed allowed = {8, 16.0 * static_cast<double>(c.cols) + 8.0};  // 8: of table[0] total
                       K::value_linear(c.csr(false), kWidth, n, c.input('t', 2 * kWidth), c.input('w', c.cols * kWidth * n),
                                       c.input('s', kWidth * n), c.output('y', c.rows * n, allowed));
                     }});
    cases.push_back({concat("value_linear_backward_", n), [=](Call& c) {
                       const Allowed allowed = {8, 4.0 * static_cast<double>(c.cols * n)};
                       K::value_linear_backward(c.csr(false), kWidth, n, c.input('w', c.cols * kWidth * n),
                                                c.input('d', c.rows * n), c.output('y', c.rows * kWidth, allowed));
                     }});
    cases.push_back({concat("value_linear_adam_", n), [=](Call& c) {
                       const std::int64_t size = kWidth * n;
                       const Allowed allowed = {16, 4};
                       const std::vector<T> factors = {T(0.9), T(0.999), T(0.1), T(0.001), T(0), T(1), T(0.03), T(18), T(1e-7)};
                       K::value_linear_adam(c.cols, kWidth, n, c.input('t', 2 * kWidth), c.input('a', n),
                                            c.input('s', c.cols * n), c.given('f', factors),
                                            c.in_out('w', c.cols * size, allowed), c.in_out('m', c.cols * size, allowed),
                                            c.in_out('v', c.cols * size, allowed, 0.1, 1),
                                            c.output('y', size, {16, 4.0 * static_cast<double>(c.cols)}),
                                            c.scratch('z', value_blocks(c.cols) * size));
                     }});
  }
  return cases;
}

template <typename K>
std::vector<KernelCase<K>> random_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  return {
      {"random_uniform",
       [](Call& c) { K::random_uniform(c.rows, c.cols, kCaseStream, nullptr, T(0), T(1), c.output('y', c.n, {0})); }},
      {"random_uniform_rows",
       [](Call& c) {
         K::random_uniform(c.rows, c.cols, kCaseStream, c.index('i', c.rows, 1000), T(-3), T(2), c.output('y', c.n, {4, 3}));
       }},
      {"random_normal",
       [](Call& c) { K::random_normal(c.rows, c.cols, kCaseStream, nullptr, T(0), T(1), c.output('y', c.n, {0})); }},
      {"random_normal_rows",
       [](Call& c) {
         K::random_normal(c.rows, c.cols, kCaseStream, c.index('i', c.rows, 1000), T(1), T(3), c.output('y', c.n, {4, 3}));
       }},
      {"random_gumbel",
       [](Call& c) { K::random_gumbel(c.rows, c.cols, kCaseStream, c.index('i', c.rows, 1000), c.output('y', c.n, {0})); }},
      {"dropout",
       [](Call& c) {
         K::dropout(c.rows, c.cols, c.input('x', c.n), T(0.3), kCaseStream, c.index('i', c.rows, 1000), c.output('y', c.n));
       }},
      {"dropout_of_rows_in_order",
       [](Call& c) { K::dropout(c.rows, c.cols, c.input('x', c.n), T(0.3), kCaseStream, nullptr, c.output('y', c.n)); }},
  };
}

template <typename K>
std::vector<KernelCase<K>> update_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  std::vector<KernelCase<K>> cases;
  for (const bool with_gradient : {true, false}) {
    // Rows in falling order, every fifth left out, row i of the batch having had i % 3 of two steps; a third one has the
    // gradient.
    cases.push_back({with_gradient ? "adam_rows" : "adam_rows_without_gradient", [=](Call& c) {
                       std::vector<std::int32_t> index, done;
                       for (std::int64_t i = 0; i < c.rows; ++i) {
                         index.push_back(i % 5 == 4 ? -1 : static_cast<std::int32_t>(c.rows - 1 - i));
                         done.push_back(static_cast<std::int32_t>(i % 3));
                       }
                       std::vector<T> factors;
                       for (const double rate : {0.1, 0.05, 0.08}) {
                         for (const double factor : {0.9, 0.999, 0.1, 0.001, 0.3, 0.97, rate, 20.0, 1e-8}) {
                           factors.push_back(static_cast<T>(factor));
                         }
                       }
                       K::adam_rows(c.rows, c.cols, c.given('i', index), c.given('d', done), c.given('f', factors),
                                    c.given('c', std::vector<std::int32_t>{2}), with_gradient ? c.input('g', c.n) : nullptr,
                                    c.in_out('w', c.n, {16, 1}), c.in_out('m', c.n, {16, 1}), c.in_out('v', c.n, {16, 1}, 0, 1));
                     }});
  }
  for (const double momentum : {0.0, 0.9}) {
    cases.push_back(
        {momentum > 0 ? "sgd_momentum" : "sgd", [=](Call& c) {
           T* velocity = momentum > 0 ? c.in_out('v', c.n, {16, 4}) : nullptr;
           const ParameterView<T> parameter = {c.in_out('p', c.n, {16, 4}), c.input('g', c.n), velocity, nullptr, c.n};
           K::sgd(&parameter, 1, 0.1, momentum, 0.5);
         }});
  }
  return cases;
}

/// Every case of every kernel in tensor/kernel_contract.inc.
template <typename K>
std::vector<KernelCase<K>> kernel_cases() {
  std::vector<KernelCase<K>> all;
  for (const auto& part : {elementwise_cases<K>(), rowwise_cases<K>(), category_cases<K>(), matmul_cases<K>(),
                           linear_multinomial_cases<K>(), sparse_cases<K>(), value_linear_cases<K>(), random_cases<K>(),
                           selection_cases<K>(), update_cases<K>(), step_cases<K>()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace tapestry::tests
