#pragma once

#include "autograd/variable.h"

namespace tapestry::autograd {

/// 1 / B, what a row counts in a loss that is a mean over the B rows of a batch. Throws Error(kMisuse), naming the op `loss`,
/// where B is 0.
inline double share_of_row(const char* loss, std::int64_t rows) {
  check(rows > 0, loss, ": a mean over the rows of a batch, and this batch has no rows");
  return 1.0 / static_cast<double>(rows);
}

// What squares x saves it; the others save nothing.

Variable sum(const Variable& x);          ///< scalar []
Variable mean(const Variable& x);         ///< scalar []
Variable mean_square(const Variable& x);  ///< mean of x^2 over all elements, scalar []
/// Unbiased variance over all n elements: sum (x - mean)^2 / (n - 1), scalar []. NaN for one element, as the formula says.
Variable variance(const Variable& x);
/// sqrt(sum x^2) over all elements, scalar []; 0 of none, and the gradient undefined where all are 0.
Variable norm(const Variable& x);
Variable row_sum(const Variable& x);          ///< [B, N] -> [B, 1]
Variable row_mean(const Variable& x);         ///< [B, N] -> [B, 1]
Variable row_sum_squares(const Variable& x);  ///< sum of squares: [B, N] -> [B, 1]
/// L2 norm: [B, N] -> [B, 1]; gradient undefined at a zero row. In float32 the sum of squares ends the range: a norm above 1.8e19
/// becomes infinite, and a row of entries below 2.6e-23 a zero row.
Variable row_norm(const Variable& x);
Variable column_sum(const Variable& x);  ///< [B, N] -> [N]

}  // namespace tapestry::autograd
