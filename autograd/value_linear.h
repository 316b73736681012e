#pragma once

#include <memory>

#include "autograd/variable.h"
#include "tensor/csr.h"

namespace tapestry::autograd {

/// activation(sum_i table[x_i] w_i + b) for constant rows x [B, I] of zeros and ones, sparse: the composition of an embedding of
/// every entry's *value*, table [2, K], and a dense layer w [I, K, N] over all of them, without the [B, I K] between. total [K,
/// N] is sum_i w_i (tensor/ops.h). Gradients flow to table and bias [N]; that of w is left in factors in `gradients`, for
/// value_linear_adam (null: w is a constant). Saves x, w, total and the output.
///
/// Factors of two passes do not add up: a backward sweep throws Error(kMisuse) where `gradients` are not empty, because the layer
/// was passed twice under one tape or nobody cleared them (= {}) after the update that took the last ones.
Variable value_linear(const CsrMatrix& x, const Variable& table, const Tensor& w, const Tensor& total, const Variable& bias,
                      Activation activation, const std::shared_ptr<ValueLinearGradients>& gradients);

}  // namespace tapestry::autograd
