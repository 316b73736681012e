#include "autograd/reduction.h"

#include "autograd/elementwise.h"
#include "autograd/tape.h"

namespace tapestry::autograd {
namespace {

/// dy (one number, [B, 1] or [1, N]) repeated to `shape`.
Tensor spread(const Tensor& dy, const Shape& shape) {
  return binary(BinaryOp::kMultiply, Tensor::full(shape, 1.0, dy.dtype(), dy.device()), dy).reshape(shape);
}

/// share * sum x^2 over all elements: [].
Variable share_of_squares(const Variable& x, double share) {
  return record(scaled(tapestry::sum_squares(x.value()), share), {&x},
                [share, saved = x.value(), dx = x.slot()](const Tensor& dy) {
                  dx.accumulate(binary(BinaryOp::kMultiply, saved, scaled(dy, 2.0 * share)));  // 2 share x
                });
}

}  // namespace

Variable sum(const Variable& x) {
  return record(tapestry::sum(x.value()), {&x},
                [shape = x.shape(), dx = x.slot()](const Tensor& dy) { dx.accumulate(spread(dy, shape)); });
}

Variable mean(const Variable& x) { return scale(sum(x), 1.0 / static_cast<double>(x.value().numel())); }

Variable mean_square(const Variable& x) { return share_of_squares(x, 1.0 / static_cast<double>(x.value().numel())); }

Variable variance(const Variable& x) {
  const auto n = static_cast<double>(x.value().numel());
  const Tensor average = scaled(tapestry::sum(x.value()), 1.0 / n);
  const Tensor value = scaled(tapestry::sum_squares(x.value(), average), 1.0 / (n - 1.0));
  return record(value, {&x}, [n, average, saved = x.value(), dx = x.slot()](const Tensor& dy) {
    // d var / d x_i = 2 (x_i - mean) / (n - 1); the mean's own gradient cancels.
    const Tensor centered = binary(BinaryOp::kSubtract, saved, average);
    dx.accumulate(binary(BinaryOp::kMultiply, centered, scaled(dy, 2.0 / (n - 1.0))));
  });
}

Variable norm(const Variable& x) { return sqrt(share_of_squares(x, 1.0)); }

Variable row_sum(const Variable& x) {
  return record(tapestry::row_sum(x.value()).reshape({x.value().rows(), 1}), {&x},
                [shape = x.shape(), dx = x.slot()](const Tensor& dy) { dx.accumulate(spread(dy, shape)); });
}

Variable row_mean(const Variable& x) { return scale(row_sum(x), 1.0 / static_cast<double>(x.value().cols())); }

Variable row_sum_squares(const Variable& x) {
  return record(tapestry::row_sum(x.value(), true).reshape({x.value().rows(), 1}), {&x},
                [saved = x.value(), dx = x.slot()](const Tensor& dy) {
                  dx.accumulate(binary(BinaryOp::kMultiply, saved, scaled(dy, 2.0)).reshape(saved.shape()));
                });
}

Variable row_norm(const Variable& x) { return sqrt(row_sum_squares(x)); }

Variable column_sum(const Variable& x) {
  return record(tapestry::column_sum(x.value()), {&x}, [shape = x.shape(), dx = x.slot()](const Tensor& dy) {
    dx.accumulate(spread(dy.reshape({1, shape.cols()}), shape));
  });
}

}  // namespace tapestry::autograd
