#pragma once

#include "autograd/variable.h"
#include "tensor/random.h"

namespace tapestry::autograd {

// Arithmetic with the broadcasting of tensor/ops.h: [B, N], [N], [B, 1] or one element.
Variable add(const Variable& a, const Variable& b);  ///< saves nothing, nor does subtract
Variable subtract(const Variable& a, const Variable& b);
Variable multiply(const Variable& a, const Variable& b);  ///< saves each operand if the other one needs a gradient
Variable divide(const Variable& a, const Variable& b);    ///< saves b, and the quotient if b needs a gradient
/// sum_i coefficient_i * term_i, one to four terms of one shape: one pass over memory instead of several. Saves the numbers only,
/// as weighted_sum and scale do.
Variable linear_combination(std::initializer_list<std::pair<double, Variable>> terms);
/// The same with constant coefficients where the terms are: weights [2], one each; throws Error(kMisuse) for any other shape.
Variable weighted_sum(const Tensor& weights, const Variable& a, const Variable& b);
Variable scale(const Variable& x, double factor);

// Functions of each element, [B, N] -> [B, N]. Saved is the result where the derivative can be had from it (exp, tanh, sigmoid,
// relu, sqrt and the like: derivative_from_output in tensor/elementwise.h), else x.
Variable negate(const Variable& x);  ///< saves nothing
Variable exp(const Variable& x);
Variable log(const Variable& x);
Variable tanh(const Variable& x);
Variable sigmoid(const Variable& x);
/// ln(1 + e^x)
Variable softplus(const Variable& x);
Variable relu(const Variable& x);
Variable leaky_relu(const Variable& x, double negative_slope);
/// x for x > 0, slope * x otherwise; one learned slope [1]. Saves x and the slope.
Variable prelu(const Variable& x, const Variable& slope);
Variable square(const Variable& x);
Variable sqrt(const Variable& x);

/// Zero with probability p, else x / (1 - p). The mask is drawn again in the backward pass from the same stream address;
/// row r from row row_ids[r] (int32 [B], undefined: r). Saves no mask, only the address.
Variable dropout(const Variable& x, double p, const RandomStream& stream, const Tensor& row_ids = {});

}  // namespace tapestry::autograd
