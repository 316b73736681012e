#pragma once

#include "recsys/recommenders/block_ops.h"
#include "tensor/random.h"

/// The vectors of the truncated SVD's search, n numbers each, numbered from 0 and worked on in blocks of `width`: on the host,
/// and with the same members on a GPU. The small matrices that go in and out are on the host.
namespace tapestry::recsys {

class HostBasis {
 public:
  /// Room for `count` vectors as long as the matrix has columns; `stream` fills random ones.
  HostBasis(const CsrMatrix& matrix, std::int64_t count, std::int64_t width, const RandomStream& stream);

  void fill_random(std::int64_t begin);
  /// Block `to` = M^T M times block `from`.
  void apply(std::int64_t from, std::int64_t to);
  /// Takes off the block at `begin` what lies in the space of the vectors before, and returns it: Q^T W [begin, width].
  block::Columns project(std::int64_t begin);
  /// The block at `begin` is W = Q R: Q takes its place, R [width, width] is returned. Vectors of which no more than null_norm is
  /// left of the others are replaced by random ones, with a zero on R's diagonal.
  block::Columns orthonormalise(std::int64_t begin, double null_norm);
  /// The first turn.cols() vectors become combinations of the first turn.rows().
  void rotate(const block::Columns& turn);
  void copy(std::int64_t from, std::int64_t to);
  /// The first `count` vectors [n, count].
  block::Columns leading(std::int64_t count) const { return basis_.leftCols(count); }

 private:
  void fill_random(Eigen::Ref<Eigen::VectorXd> column);

  block::GramOperator gram_;
  std::int64_t width_;
  RandomSequence random_;
  block::Columns basis_;  // [n, count]
};

/// Vectors are rows of a tensor, so that blocks are views of it, and float64. What crosses to the host is no larger than the
/// number of vectors squared, but for blocks that have lost rank (orthonormalise) and for the result.
class DeviceBasis {
 public:
  DeviceBasis(const CsrMatrix& matrix, std::int64_t count, std::int64_t width, const RandomStream& stream, Device device);

  void fill_random(std::int64_t begin);
  void apply(std::int64_t from, std::int64_t to);
  block::Columns project(std::int64_t begin);
  /// By the Cholesky factor of W^T W, twice (Yamamoto, Nakatsukasa, Yanagisawa, Fukaya 2015): two products and a small matrix on
  /// the host in place of a column at a time. Where that would lose too many digits, the block is handed to the host's
  /// Gram-Schmidt.
  block::Columns orthonormalise(std::int64_t begin, double null_norm);
  void rotate(const block::Columns& turn);
  void copy(std::int64_t from, std::int64_t to);
  block::Columns leading(std::int64_t count) const;

 private:
  Tensor vectors(std::int64_t begin) const { return basis_.slice_rows(begin, begin + width_); }
  void fill_random(Eigen::Ref<Eigen::VectorXd> column);

  CsrMatrix matrix_, transpose_;
  std::int64_t width_;
  RandomSequence random_;
  Tensor basis_;  // [count, n]
  Tensor eye_;    // [width, width]
};

}  // namespace tapestry::recsys
