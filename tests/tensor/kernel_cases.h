#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/tensor/kernel_call.h"

namespace tapestry::tests {

/// One way to call one kernel. A new kernel adds its line below and is then compared with its reference in both precisions and
/// all sizes, watched by guard bytes, and run with one, two and three threads.
template <typename Kernels>
struct KernelCase {
  using Call = KernelCall<typename Kernels::Scalar>;
  std::string name;
  std::function<void(Call&)> run;
  bool empty_rows = true;  ///< whether matrices without columns are allowed
};

/// The stream that the random kernels are called with.
inline constexpr RandomStream kCaseStream = {0x1234567890ABCDEF, Purpose::kTest, 5};

template <typename K>
std::vector<KernelCase<K>> elementwise_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  std::vector<KernelCase<K>> cases = {
      {"fill", [](Call& c) { K::fill(c.n, T(1.25), c.output('y', c.n, {0})); }},
      {"convert_float", [](Call& c) { K::convert(c.n, c.input('x', c.n), c.template output<float>('y', c.n, {0})); }},
      {"convert_double", [](Call& c) { K::convert(c.n, c.input('x', c.n), c.template output<double>('y', c.n, {0})); }},
      {"prelu", [](Call& c) { K::prelu(c.n, c.input('x', c.n), c.input('a', 1), c.output('y', c.n)); }},
      {"prelu_backward",
       [](Call& c) {
         K::prelu_backward(c.n, c.input('x', c.n), c.input('a', 1), c.input('d', c.n), c.output('y', c.n),
                           c.output('s', 1, {4, static_cast<double>(c.n)}));
       }},
      {"prelu_backward_in_place",
       [](Call& c) {
         T* dy = c.in_out('y', c.n);
         K::prelu_backward(c.n, c.input('x', c.n), c.input('a', 1), dy, dy, c.output('s', 1, {4, static_cast<double>(c.n)}));
       }},
      {"bce_with_logits",
       [](Call& c) {
         K::bce_with_logits(c.n, c.input('x', c.n, -30, 30), c.input('t', c.n, 0, 1), c.output('y', c.n, {8, 30}));
       }},
      {"bce_with_logits_backward",
       [](Call& c) {
         K::bce_with_logits_backward(c.n, c.input('x', c.n, -30, 30), c.input('t', c.n, 0, 1), c.input('d', c.n),
                                     c.output('y', c.n, {8, 1}));
       }},
      {"copy_block",
       [](Call& c) {
         K::copy_block(c.rows, c.cols, c.input('x', c.rows * (c.cols + 3)), c.cols + 3, false,
                       c.in_out('y', c.rows * (c.cols + 5)), c.cols + 5);
       }},
      {"copy_block_accumulate",
       [](Call& c) {
         K::copy_block(c.rows, c.cols, c.input('x', c.rows * (c.cols + 3)), c.cols + 3, true,
                       c.in_out('y', c.rows * (c.cols + 5)), c.cols + 5);
       }},
  };
  for (const auto& [value, name] : std::vector<std::pair<UnaryOp, std::string>>{{UnaryOp::kExp, "exp"},
                                                                                {UnaryOp::kLog, "log"},
                                                                                {UnaryOp::kTanh, "tanh"},
                                                                                {UnaryOp::kSigmoid, "sigmoid"},
                                                                                {UnaryOp::kSoftplus, "softplus"},
                                                                                {UnaryOp::kRelu, "relu"},
                                                                                {UnaryOp::kLeakyRelu, "leaky_relu"},
                                                                                {UnaryOp::kSquare, "square"},
                                                                                {UnaryOp::kSqrt, "sqrt"},
                                                                                {UnaryOp::kNegate, "negate"}}) {
    const UnaryOp op = value;  // here and below: Clang captures no structured bindings before its version 16
    const double low = op == UnaryOp::kLog || op == UnaryOp::kSqrt ? 0.01 : -10;
    const Allowed allowed = {8, 0};
    cases.push_back({name, [=](Call& c) { K::unary(op, c.n, c.input('x', c.n, low, 10), T(0.1), c.output('y', c.n, allowed)); }});
    cases.push_back(
        {name + "_backward", [=](Call& c) {
           K::unary_backward(op, c.n, c.input('x', c.n, low, 10), T(0.1), c.input('d', c.n), c.output('y', c.n, {8, 1}));
         }});
    cases.push_back({name + "_backward_in_place", [=](Call& c) {
                       T* dy = c.in_out('d', c.n, {8, 1});
                       K::unary_backward(op, c.n, c.input('x', c.n, low, 10), T(0.1), dy, dy);
                     }});
  }
  for (const auto& [value, name] : std::vector<std::pair<BinaryOp, std::string>>{{BinaryOp::kAdd, "add"},
                                                                                 {BinaryOp::kSubtract, "subtract"},
                                                                                 {BinaryOp::kMultiply, "multiply"},
                                                                                 {BinaryOp::kDivide, "divide"},
                                                                                 {BinaryOp::kMinimum, "minimum"},
                                                                                 {BinaryOp::kMaximum, "maximum"}}) {
    const BinaryOp op = value;
    for (const auto& strides : std::vector<std::array<int, 4>>{
             {1, 1, 1, 1}, {1, 1, 0, 1}, {1, 1, 1, 0}, {1, 1, 0, 0}, {0, 1, 1, 1}, {1, 0, 1, 1}, {1, 0, 0, 1}}) {
      const int a_row = strides[0];
      const int a_col = strides[1];
      const int b_row = strides[2];
      const int b_col = strides[3];
      cases.push_back({concat(name, "_", a_row, a_col, "_", b_row, b_col), [=](Call& c) {
                         const std::int64_t a_width = a_col != 0 ? c.cols : 1;
                         const std::int64_t b_width = b_col != 0 ? c.cols : 1;
                         const T* a = c.input('a', a_row != 0 ? c.rows * a_width : a_width);
                         const T* b = c.input('b', b_row != 0 ? c.rows * b_width : b_width, 0.5, 2);
                         K::binary(op, c.rows, c.cols, a, a_row * a_width, a_col, b, b_row * b_width, b_col, c.output('y', c.n));
                       }});
    }
  }
  for (int count = 1; count <= 4; ++count) {
    cases.push_back({concat("linear_combination_", count), [=](Call& c) {
                       const std::array<T, 4> coefficients = {T(0.5), T(-2), T(3), T(1)};
                       T* y = c.in_out('p', c.n, {4, 16});
                       const std::array<const T*, 4> terms = {y, c.input('q', c.n), c.input('r', c.n), c.input('s', c.n)};
                       K::linear_combination(c.n, count, coefficients.data(), terms.data(), y);
                     }});
  }
  for (const auto& [value, name] : std::vector<std::pair<Activation, std::string>>{{Activation::kNone, "none"},
                                                                                   {Activation::kTanh, "tanh"},
                                                                                   {Activation::kRelu, "relu"},
                                                                                   {Activation::kSigmoid, "sigmoid"},
                                                                                   {Activation::kPrelu, "prelu"}}) {
    const Activation activation = value;
    for (const bool with_bias : {true, false}) {
      cases.push_back({concat("bias_activation_", name, with_bias ? "_bias" : ""), [=](Call& c) {
                         T* h = c.in_out('h', c.n);
                         T* y = activation == Activation::kPrelu ? c.output('y', c.n, {8, 1}) : h;
                         K::bias_activation(activation, c.rows, c.cols, with_bias ? c.input('b', c.cols) : nullptr,
                                            activation == Activation::kPrelu ? c.input('a', 1) : nullptr, h, y);
                       }});
    }
  }
  return cases;
}

template <typename K>
std::vector<KernelCase<K>> rowwise_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  const auto scale = [](std::int64_t count) { return Allowed{4, 4.0 * static_cast<double>(count)}; };
  return {
      {"row_sum", [=](Call& c) { K::row_sum(c.rows, c.cols, c.input('x', c.n), false, c.output('y', c.rows, scale(c.cols))); }},
      {"row_sum_squared",
       [=](Call& c) { K::row_sum(c.rows, c.cols, c.input('x', c.n), true, c.output('y', c.rows, scale(c.cols))); }},
      {"column_sum", [=](Call& c) { K::column_sum(c.rows, c.cols, c.input('x', c.n), c.output('y', c.cols, scale(c.rows))); }},
      {"sum",
       [](Call& c) {
         K::sum(c.n, c.input('x', c.n), c.output('y', 1, {2, sizeof(T) == 4 ? 1.0 : static_cast<double>(c.n)}));
       }},
      {"sum_squares",
       [](Call& c) {
         K::sum_squares(c.n, c.input('x', c.n), nullptr, c.output('y', 1, {16 + 0.01 * static_cast<double>(c.n)}));
       }},
      {"sum_squares_shift",
       [](Call& c) {
         K::sum_squares(c.n, c.input('x', c.n), c.input('s', 1), c.output('y', 1, {16 + 0.01 * static_cast<double>(c.n)}));
       }},
      {"log_softmax",
       [](Call& c) {
         K::log_softmax(c.rows, c.cols, c.input('x', c.n, -9, 9), c.output('y', c.n, {4, 20}));
       },
       false},
      {"log_softmax_backward",
       [=](Call& c) {
         K::log_softmax_backward(c.rows, c.cols, c.input('y', c.n, -9, 0), c.input('d', c.n), c.output('x', c.n, scale(c.cols)));
       }},
      {"log_softmax_backward_in_place",
       [=](Call& c) {
         T* dy = c.in_out('d', c.n, scale(c.cols));
         K::log_softmax_backward(c.rows, c.cols, c.input('y', c.n, -9, 0), dy, dy);
       }},
      // Sums of up to 20,013 terms in two orders: rounding errors of float64 grow with the square root of that.
      {"score_matching",
       [=](Call& c) {
         K::score_matching(c.n + 2, c.input('s', 3 * c.n + 6), c.input('z', c.n + 2), T(100), c.output('l', 1, {256, 64}),
                           c.output('m', 3, {256, 64}));
       },
       false},
      {"score_matching_backward",
       [=](Call& c) {
         K::score_matching_backward(c.n + 2, c.input('s', 3 * c.n + 6), c.input('z', c.n + 2), T(100), c.input('m', 3, 0.5, 2),
                                    c.input('a', 1), c.output('d', 3 * c.n + 6, {64, 64}));
       },
       false},
      {"gaussian_nll",
       [=](Call& c) {
         K::gaussian_nll(c.rows, c.cols, c.input('o', 2 * c.n), c.input('y', c.n), std::numeric_limits<T>::infinity(),
                         c.output('l', c.rows, scale(20 * c.cols)));
       }},
      {"gaussian_nll_clamped",
       [=](Call& c) {
         K::gaussian_nll(c.rows, c.cols, c.input('o', 2 * c.n), c.input('y', c.n), T(1),
                         c.output('l', c.rows, scale(20 * c.cols)));
       }},
      {"gaussian_nll_backward",
       [](Call& c) {
         K::gaussian_nll_backward(c.rows, c.cols, c.input('o', 2 * c.n), c.input('y', c.n), std::numeric_limits<T>::infinity(),
                                  c.input('s', 1), c.output('d', 2 * c.n, {8, 60}));
       }},
      {"gaussian_nll_backward_clamped",
       [](Call& c) {
         K::gaussian_nll_backward(c.rows, c.cols, c.input('o', 2 * c.n), c.input('y', c.n), T(1), c.input('s', 1),
                                  c.output('d', 2 * c.n, {8, 60}));
       }},
      {"multinomial_nll",
       [=](Call& c) {
         K::multinomial_nll(c.input('x', c.n, -9, 9), c.csr(true), c.output('e', c.rows, {4, 20}),
                            c.output('l', c.rows, scale(9 * c.cols)));
       },
       false},
      {"multinomial_nll_ones",
       [=](Call& c) {
         K::multinomial_nll(c.input('x', c.n, -9, 9), c.csr(false), c.output('e', c.rows, {4, 20}),
                            c.output('l', c.rows, scale(9 * c.cols)));
       },
       false},
      {"multinomial_nll_backward",
       [=](Call& c) {
         K::multinomial_nll_backward(c.input('x', c.n, -9, 0), c.csr(true), c.input('e', c.rows, 5, 9), c.input('s', 1),
                                     c.output('y', c.n, scale(c.cols)));
       },
       false},
      {"multinomial_nll_backward_ones",
       [=](Call& c) {
         K::multinomial_nll_backward(c.input('x', c.n, -9, 0), c.csr(false), c.input('e', c.rows, 5, 9), c.input('s', 1),
                                     c.output('y', c.n, scale(c.cols)));
       },
       false},
  };
}

}  // namespace tapestry::tests
