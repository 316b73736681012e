#pragma once

#include <span>

#include "autograd/variable.h"
#include "tensor/csr.h"

/// Tables whose columns have a few categories each: one softmax per column. C categories, D differences to category 0 of the
/// column, laid out as CategoryPlanes says. A softmax does not change when a constant is added to its logits, so that these take
/// the differences, which a layer computes at half the price or less.
namespace tapestry::autograd {

/// x_k - x_0 within each column, for the rows of a weight or bias [C, N] or [C] -> [D, N] or [D]. Throws Error(kMisuse) where x
/// has not C rows.
Variable difference_rows(const CategoryPlanes& planes, const Variable& x);
/// The same within each row: [B, C] -> [B, D]. Throws Error(kMisuse) where x has not C columns.
Variable difference_columns(const CategoryPlanes& planes, const Variable& x);

/// y = softmax((logits + noise) / temperature) within each column (Jang et al. 2017, Eq. 2; soft, no straight-through):
/// differences d [B, D] and a constant noise [B, C] -> [B, C].
Variable gumbel_softmax(const CategoryPlanes& planes, const Variable& d, const Tensor& noise, double temperature);

/// sum_j CE(column j) per row, averaged over the rows: d [B, D] against a target [B, D] with an entry where a column is not in
/// category 0. Scalar []. Throws Error(kMisuse) where there are no rows.
Variable category_cross_entropy(const CategoryPlanes& planes, const Variable& d, const CsrMatrix& target);

/// Which category column_cross_entropy wants of which column, written out for B rows, so that it asks nothing of the host.
struct ColumnTargets {
  Tensor index;     ///< int32 [3 B] where the logits of the row's column stand among the B D differences, 0 for those not stored
  Tensor stored;    ///< [B, 3] 1 where one is stored
  Tensor constant;  ///< [B, 3] what is added: hardly any probability for a category that the column has not
  Tensor target;    ///< [B, 3] one-hot
};
/// Fills them on the host: index [3 B], and stored, constant and target one behind the other, numbers [9 B]. Throws
/// Error(kMisuse) on a column or category that the table has not, and where B D does not fit int32.
void fill_column_targets(const CategoryPlanes& planes, std::span<const std::int32_t> column,
                         std::span<const std::int32_t> category, std::int32_t* index, float* numbers);
Variable column_cross_entropy(const CategoryPlanes& planes, const Variable& d, const ColumnTargets& targets);

/// CE of one column per row, averaged over the rows: category[b] (int32 [B], 0 to 2) of column[b]. The other columns do not
/// count, as long as they are finite (0 * inf would). Scalar []. Throws on a column or category that the table has not, and
/// where there are no rows, as the overload above does.
Variable column_cross_entropy(const CategoryPlanes& planes, const Variable& d, const Tensor& column, const Tensor& category);

}  // namespace tapestry::autograd
