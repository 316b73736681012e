#include "autograd/value_linear.h"

#include <utility>

#include "autograd/tape.h"

namespace tapestry::autograd {

Variable value_linear(const CsrMatrix& x, const Variable& table, const Tensor& w, const Tensor& total, const Variable& bias,
                      Activation activation, const std::shared_ptr<ValueLinearGradients>& gradients) {
  check(activation == Activation::kNone || activation == Activation::kRelu, "value_linear: only ReLU or none is fused here");
  Tensor y = bias_activation(activation, tapestry::value_linear(x, table.value(), w, total), bias.value());  // [B, N]
  const Tensor saved = activation == Activation::kNone ? Tensor() : y;
  return record(std::move(y), {&table, &bias},
                [x, w, total, saved, gradients, dtable = table.slot(), dbias = bias.slot()](Tensor dy) {
                  const Tensor dh = saved.defined() ? unary_backward(UnaryOp::kRelu, saved, std::move(dy)) : std::move(dy);
                  check(!gradients || !gradients->all.defined(), "value_linear: the gradient of w ", w.shape(),
                        " from an earlier pass has not been used and cleared; a second one cannot be added to it");
                  ValueLinearGradients found = value_linear_backward(x, w, total, dh);
                  if (dtable) dtable.accumulate(found.dtable);
                  if (dbias) dbias.accumulate(found.all);
                  if (gradients) *gradients = std::move(found);
                });
}

}  // namespace tapestry::autograd
