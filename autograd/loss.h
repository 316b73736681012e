#pragma once

#include <limits>

#include "autograd/variable.h"
#include "tensor/csr.h"

namespace tapestry::autograd {

// Those that are means over the rows of a batch throw Error(kMisuse) where it has none.

/// By row of [B, N]. Saves the result, not the input.
Variable log_softmax(const Variable& x);

/// -(1/B) sum_u sum_i x_ui log_softmax(logits_u)_i for sparse x [B, I]: the multinomial likelihood of Liang et al. 2018 (Eq. 2),
/// without a dense target and without the log-softmax itself. Empty rows add 0. Scalar [].
Variable multinomial_nll(const Variable& logits, const CsrMatrix& target);

/// The same behind an output layer, logits = h W^T + bias, as one op: h [B, H], weight [I, H], bias [I]. The logits, and then
/// their gradient, pass through in blocks of items that stay in cache; the gradient is written over the logits.
Variable linear_multinomial_nll(const Variable& h, const Variable& weight, const Variable& bias, const CsrMatrix& target);

/// SDRM's published objective (sdrm/objective.h has the formula) as one op: outputs [3 B, K] = [s(z_t); s(z_0); s(z_0 + m
/// noise)], constant z0 [B, K], inverse = 1 / m^2. Saves its inputs. Scalar [].
Variable score_matching(const Variable& outputs, const Tensor& z0, double inverse);

/// -(1/B) sum log N(y; m, e^v) without its constant, (1/B) sum (v + e^-v (y - m)^2) / 2, for outputs [B, 2 N] = [m, v] and
/// constant targets y [B, N]. v is clamped to [-limit, limit] first (no gradient beyond). Saves its inputs. Scalar [].
Variable gaussian_nll(const Variable& output, const Tensor& y, double limit = std::numeric_limits<double>::infinity());

/// Mean binary cross-entropy of logits against targets in [0, 1]. Scalar [].
Variable bce_with_logits(const Variable& logits, const Tensor& target);

/// Mean of (prediction - target)^2 over all elements, same shapes: throws Error(kMisuse) for others, also where subtract would
/// repeat one. Scalar [].
Variable mse(const Variable& prediction, const Variable& target);

}  // namespace tapestry::autograd
