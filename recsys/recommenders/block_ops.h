#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <functional>

#include "tensor/csr.h"

/// Products on tall, narrow float64 blocks for the truncated SVD. Every sum runs in an order fixed by the sizes alone, so that
/// results do not depend on the number of threads.
namespace tapestry::recsys::block {

using Columns = Eigen::MatrixXd;                                                      // column-major
using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;  // row-major
using ColumnsView = Eigen::Ref<Columns, 0, Eigen::OuterStride<>>;                     // some columns of a matrix
using ConstColumnsView = Eigen::Ref<const Columns, 0, Eigen::OuterStride<>>;

/// The symmetric operator M^T M on blocks of I-vectors.
class GramOperator {
 public:
  explicit GramOperator(const CsrMatrix& matrix);

  std::int64_t size() const { return matrix_.cols(); }  ///< I
  /// M^T (M x), x [I, b].
  Columns apply(const ConstColumnsView& x) const;
  /// M^T M itself [I, I]: for few items.
  Columns dense() const;

 private:
  CsrMatrix matrix_, transpose_;
};

/// a^T b for a [n, p], b [n, q]: [p, q].
Columns inner(const ConstColumnsView& a, const ConstColumnsView& b);
/// b -= a c for a [n, p], c [p, q], b [n, q].
void subtract_product(const ConstColumnsView& a, const Columns& c, ColumnsView b);
/// The first c.cols() columns of a become a c, for a [n, p], c [p, q], q <= p.
void rotate(ColumnsView a, const Columns& c);
/// W = Q R by Gram-Schmidt, column by column and twice: w [n, b] becomes Q, R [b, b] is returned. A column of which no more than
/// null_norm is left (it lies in the space of those before) is replaced by what `fill` writes, with a zero on R's diagonal: the
/// search goes on elsewhere.
Columns orthonormalise(ColumnsView w, double null_norm, const std::function<void(Eigen::Ref<Eigen::VectorXd> column)>& fill);

}  // namespace tapestry::recsys::block
