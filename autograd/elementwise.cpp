#include "autograd/elementwise.h"

#include <array>

#include "autograd/tape.h"

namespace tapestry::autograd {
namespace {

/// The gradient of a broadcast operand: dy [B, N] summed over the dimensions that the operand repeated, in its shape.
Tensor sum_to(const Tensor& dy, const Shape& shape) {
  if (dy.shape() == shape) return dy;
  Tensor reduced = dy;
  if (shape.numel() == 1) return sum(dy).reshape(shape);
  if (shape.cols() == 1 && dy.cols() != 1) reduced = row_sum(reduced);
  if (shape.rows() == 1 && dy.rows() != 1) reduced = column_sum(reduced);
  return reduced.reshape(shape);
}

Variable unary_op(UnaryOp op, const Variable& x, double parameter = 0) {
  Tensor y = unary(op, x.value(), parameter);
  Tensor saved = derivative_from_output(op) ? y : x.value();
  return record(std::move(y), {&x}, [op, parameter, saved = std::move(saved), dx = x.slot()](Tensor dy) {
    dx.accumulate(unary_backward(op, saved, std::move(dy), parameter));
  });
}

}  // namespace

Variable add(const Variable& a, const Variable& b) {
  return record(binary(BinaryOp::kAdd, a.value(), b.value()), {&a, &b},
                [da = a.slot(), db = b.slot(), a_shape = a.shape(), b_shape = b.shape()](const Tensor& dy) {
                  if (da) da.accumulate(sum_to(dy, a_shape));
                  if (db) db.accumulate(sum_to(dy, b_shape));
                });
}

Variable subtract(const Variable& a, const Variable& b) {
  return record(binary(BinaryOp::kSubtract, a.value(), b.value()), {&a, &b},
                [da = a.slot(), db = b.slot(), a_shape = a.shape(), b_shape = b.shape()](const Tensor& dy) {
                  if (da) da.accumulate(sum_to(dy, a_shape));
                  if (db) db.accumulate(unary(UnaryOp::kNegate, sum_to(dy, b_shape)));
                });
}

Variable multiply(const Variable& a, const Variable& b) {
  // Each operand is saved only if the other one needs a gradient.
  const Tensor saved_a = b.requires_grad() ? a.value() : Tensor();
  const Tensor saved_b = a.requires_grad() ? b.value() : Tensor();
  return record(binary(BinaryOp::kMultiply, a.value(), b.value()), {&a, &b},
                [da = a.slot(), db = b.slot(), saved_a, saved_b, a_shape = a.shape(), b_shape = b.shape()](const Tensor& dy) {
                  if (da) da.accumulate(sum_to(binary(BinaryOp::kMultiply, dy, saved_b), a_shape));
                  if (db) db.accumulate(sum_to(binary(BinaryOp::kMultiply, dy, saved_a), b_shape));
                });
}

Variable divide(const Variable& a, const Variable& b) {
  Tensor y = binary(BinaryOp::kDivide, a.value(), b.value());
  const Tensor saved_y = b.requires_grad() ? y : Tensor();  // d(a/b)/db = -y / b
  return record(std::move(y), {&a, &b},
                [da = a.slot(), db = b.slot(), saved_b = b.value(), saved_y, a_shape = a.shape()](const Tensor& dy) {
                  const Tensor quotient = binary(BinaryOp::kDivide, dy, saved_b);
                  if (da) da.accumulate(sum_to(quotient, a_shape));
                  if (!db) return;
                  const Tensor product = binary(BinaryOp::kMultiply, quotient, saved_y);
                  db.accumulate(unary(UnaryOp::kNegate, sum_to(product, saved_b.shape())));
                });
}

Variable linear_combination(std::initializer_list<std::pair<double, Variable>> terms) {
  check(terms.size() >= 1 && terms.size() <= 4, "linear_combination: ", terms.size(), " terms, one to four are possible");
  struct Term {
    double coefficient = 0;
    GradientSlot gradient;
  };
  std::array<Term, 4> saved;
  std::array<Variable, 4> inputs;
  std::size_t count = 0;
  for (const auto& [coefficient, term] : terms) {
    saved[count] = {coefficient, term.slot()};
    inputs[count++] = term;
  }
  const auto term = [&](std::size_t i) { return std::pair<double, Tensor>(saved[i].coefficient, inputs[i].value()); };
  Tensor y = count == 1   ? tapestry::linear_combination({term(0)})
             : count == 2 ? tapestry::linear_combination({term(0), term(1)})
             : count == 3 ? tapestry::linear_combination({term(0), term(1), term(2)})
                          : tapestry::linear_combination({term(0), term(1), term(2), term(3)});
  return record(std::move(y), {&inputs[0], &inputs[1], &inputs[2], &inputs[3]}, [saved, count](const Tensor& dy) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!saved[i].gradient) continue;
      saved[i].gradient.accumulate(saved[i].coefficient == 1.0 ? dy : tapestry::linear_combination({{saved[i].coefficient, dy}}));
    }
  });
}

Variable weighted_sum(const Tensor& weights, const Variable& a, const Variable& b) {
  // Of any other shape with two numbers the sweep could not take one for each term.
  check(weights.shape() == Shape({2}), "weighted_sum: weights ", weights.shape(), " for two terms, [2] are needed");
  return record(tapestry::weighted_sum(weights, {a.value(), b.value()}), {&a, &b},
                [weights, da = a.slot(), db = b.slot()](const Tensor& dy) {
                  if (da) da.accumulate(tapestry::weighted_sum(weights.slice_rows(0, 1), {dy}));
                  if (db) db.accumulate(tapestry::weighted_sum(weights.slice_rows(1, 2), {dy}));
                });
}

Variable scale(const Variable& x, double factor) { return linear_combination({{factor, x}}); }

Variable negate(const Variable& x) { return scale(x, -1.0); }
Variable exp(const Variable& x) { return unary_op(UnaryOp::kExp, x); }
Variable log(const Variable& x) { return unary_op(UnaryOp::kLog, x); }
Variable tanh(const Variable& x) { return unary_op(UnaryOp::kTanh, x); }
Variable sigmoid(const Variable& x) { return unary_op(UnaryOp::kSigmoid, x); }
Variable softplus(const Variable& x) { return unary_op(UnaryOp::kSoftplus, x); }
Variable relu(const Variable& x) { return unary_op(UnaryOp::kRelu, x); }
Variable leaky_relu(const Variable& x, double negative_slope) { return unary_op(UnaryOp::kLeakyRelu, x, negative_slope); }
Variable square(const Variable& x) { return unary_op(UnaryOp::kSquare, x); }
Variable sqrt(const Variable& x) { return unary_op(UnaryOp::kSqrt, x); }

Variable prelu(const Variable& x, const Variable& slope) {
  return record(tapestry::prelu(x.value(), slope.value()), {&x, &slope},
                [saved_x = x.value(), saved_slope = slope.value(), dx = x.slot(), dslope = slope.slot()](Tensor dy) {
                  auto [gradient, slope_gradient] = prelu_backward(saved_x, saved_slope, std::move(dy));
                  if (dx) dx.accumulate(gradient);
                  if (dslope) dslope.accumulate(slope_gradient);
                });
}

Variable dropout(const Variable& x, double p, const RandomStream& stream, const Tensor& row_ids) {
  return record(tapestry::dropout(x.value(), p, stream, row_ids), {&x}, [p, stream, row_ids, dx = x.slot()](const Tensor& dy) {
    dx.accumulate(tapestry::dropout(dy, p, stream, row_ids));
  });
}

}  // namespace tapestry::autograd
