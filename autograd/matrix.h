#pragma once

#include <vector>

#include "autograd/variable.h"
#include "tensor/csr.h"

namespace tapestry::autograd {

/// A' B', each transposed on request: [m, k] [k, n] -> [m, n]. Saves each operand if the other one needs a gradient.
Variable matmul(const Variable& a, const Variable& b, bool transpose_a = false, bool transpose_b = false);

/// The two factors of the gradient of a linear layer's weight, dW = error^T input. Row b of the batch adds error_b^T input_b,
/// whose L2 norm is |error_b| |input_b|: gradient norms by row (which differential privacy clips) without a sweep for each row
/// (Goodfellow 2015). No training here uses it yet; tests/nn/linear_trace_test.cpp shows it.
struct LinearTrace {
  Tensor input;  ///< x [B, N]
  Tensor error;  ///< the gradient before the activation [B, M]
};

/// activation(x W^T + b) in one op: x [B, N], weight [M, N], bias [M] or undefined -> [B, M]. `slope` [1] only with kPrelu.
/// Saves x if W needs a gradient, W if x does, and behind an activation the output (kPrelu: the value before it instead). The
/// sweep fills `trace`, if given: it must live until then, stays as it is where no gradient reaches the op, and holds tensors of
/// the sweep's own, not to be written over.
Variable linear(const Variable& x, const Variable& weight, const Variable& bias, Activation activation = Activation::kNone,
                const Variable& slope = {}, LinearTrace* trace = nullptr);

/// activation(X W + b) for a constant sparse X [B, I]. weight [I, M] is stored input-major: a row of X then reads whole rows of
/// it, and the gradient X^T dy writes whole rows. Saves X, and behind an activation the output.
Variable sparse_linear(const CsrMatrix& x, const Variable& weight, const Variable& bias,
                       Activation activation = Activation::kNone);

/// X W: [B, I] [I, N] -> [B, N], X constant and saved.
Variable sparse_matmul(const CsrMatrix& x, const Variable& w);
/// X^T Y: [B, I]^T [B, N] -> [I, N], X constant and saved.
Variable sparse_transpose_matmul(const CsrMatrix& x, const Variable& y);

/// Rows of a table: [R, N], int32 index [n] -> [n, N]. Gradients of a repeated index add up. Saves the index. One outside the
/// table throws Error(kMisuse) on the CPU; a GPU does not look at it and reads other memory, and in the sweep writes there: the
/// caller vouches for it. The table's gradient is as large as the table, zeros in the rows that were not picked.
Variable embedding(const Variable& table, const Tensor& index);

// Of these nothing is saved but shapes and places.

/// [B, N_p] each -> [B, sum of N_p].
Variable concat_columns(const std::vector<Variable>& parts);
/// [B_p, N] each -> [sum of B_p, N].
Variable concat_rows(const std::vector<Variable>& parts);
/// Columns begin..end-1: [B, N] -> [B, end - begin].
Variable slice_columns(const Variable& x, std::int64_t begin, std::int64_t end);
/// Rows begin..end-1: [B, N] -> [end - begin, N]. Shares storage with x, as reshape does.
Variable slice_rows(const Variable& x, std::int64_t begin, std::int64_t end);
Variable reshape(const Variable& x, const Shape& shape);

}  // namespace tapestry::autograd
