#pragma once

#include <vector>

#include "autograd/variable.h"
#include "tensor/csr.h"

namespace tapestry::autograd {

/// A' B', each transposed on request: [m, k] [k, n] -> [m, n].
Variable matmul(const Variable& a, const Variable& b, bool transpose_a = false, bool transpose_b = false);

/// activation(x W^T + b) in one op: x [B, N], weight [M, N], bias [M] or undefined -> [B, M]. `slope` [1] only with kPrelu.
/// Saves x if W needs a gradient, W if x does, and behind an activation the output (kPrelu: the value before it instead).
Variable linear(const Variable& x, const Variable& weight, const Variable& bias, Activation activation = Activation::kNone,
                const Variable& slope = {});

/// activation(X W + b) for a constant sparse X [B, I]. weight [I, M] is stored input-major: a row of X then reads whole rows of
/// it, and the gradient X^T dy writes whole rows.
Variable sparse_linear(const CsrMatrix& x, const Variable& weight, const Variable& bias,
                       Activation activation = Activation::kNone);

/// X W: [B, I] [I, N] -> [B, N], X constant.
Variable sparse_matmul(const CsrMatrix& x, const Variable& w);
/// X^T Y: [B, I]^T [B, N] -> [I, N], X constant.
Variable sparse_transpose_matmul(const CsrMatrix& x, const Variable& y);

/// Rows of a table: [R, N], int32 index [n] -> [n, N]. Gradients of a repeated index add up.
Variable embedding(const Variable& table, const Tensor& index);

Variable concat_columns(const std::vector<Variable>& parts);
Variable concat_rows(const std::vector<Variable>& parts);
Variable slice_columns(const Variable& x, std::int64_t begin, std::int64_t end);
/// Shares storage with x.
Variable slice_rows(const Variable& x, std::int64_t begin, std::int64_t end);
Variable reshape(const Variable& x, const Shape& shape);

}  // namespace tapestry::autograd
