#pragma once

#include <memory>

#include "autograd/variable.h"
#include "tensor/csr.h"

namespace tapestry::autograd {

/// activation(sum_i table[x_i] w_i + b) for constant rows x [B, I] of zeros and ones, sparse: the composition of an embedding of
/// every entry's *value*, table [2, K], and a dense layer w [I, K, N] over all of them, without the [B, I K] between. total [K,
/// N] is sum_i w_i (tensor/ops.h). Gradients flow to table and bias [N]; that of w is left in factors in `gradients`, for
/// value_linear_adam. Saves x, w, total and the output.
Variable value_linear(const CsrMatrix& x, const Variable& table, const Tensor& w, const Tensor& total, const Variable& bias,
                      Activation activation, const std::shared_ptr<ValueLinearGradients>& gradients);

}  // namespace tapestry::autograd
