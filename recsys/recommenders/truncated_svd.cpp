#include "recsys/recommenders/truncated_svd.h"

#include <algorithm>
#include <cmath>

#include "recsys/recommenders/block_ops.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

using block::Columns;
using block::GramOperator;
using Solver = Eigen::SelfAdjointEigenSolver<Columns>;

constexpr double kNullNorm = 1e-14;   // what rounding leaves of a vector that lies in the basis, as a share of |M^T M|
constexpr double kNullShare = 1e-12;  // eigenvalues of M^T M below this share of the largest count as zero

/// Thick-restart block Lanczos for the `wanted` leading eigenvectors of a Gram operator A of size n. The basis Q satisfies
/// A Q = Q T + Q_next R [0 .. 0 I], and T is filled from the projections that the orthogonalisation computes anyway, which
/// makes the arrow that a thick restart leaves in T no special case.
class BlockLanczos {
 public:
  BlockLanczos(const GramOperator& gram, int wanted, const TruncatedSvdOptions& options)
      : gram_(gram),
        wanted_(wanted),
        width_(block_width(wanted)),
        limit_(basis_limit(wanted)),
        options_(options),
        random_({options.seed, Purpose::kSvd, 0}),
        basis_(gram.size(), limit_ + width_),
        projected_(Columns::Zero(limit_ + width_, limit_ + width_)) {}

  /// A little wider than the number wanted: the spare vectors hurry the last wanted ones along.
  static std::int64_t block_width(int wanted) { return (wanted + 4 + 7) / 8 * 8; }
  static std::int64_t basis_limit(int wanted) { return 10 * block_width(wanted); }

  /// Finds the leading eigenpairs, for eigenvalues() and eigenvectors(). Throws Error(kData) when max_restarts does not suffice.
  void solve() {
    for (std::int64_t c = 0; c < width_; ++c) fill_random(c);
    orthonormalise(0, 0);
    for (;;) {
      expand();
      const bool full = used_ == limit_;
      if (!full && used_ / width_ % 2 != 0) continue;  // looking costs about as much as a block
      const Solver solver(projected_.topLeftCorner(used_, used_));
      if (converged(solver)) return finish(solver);
      if (!full) continue;
      if (restarts_ == options_.max_restarts) {
        fail(ErrorKind::kFit, "truncated_svd: not converged after ", restarts_, " restarts of a ", limit_, "-vector basis");
      }
      restart(solver);
    }
  }

  Eigen::VectorXd eigenvalues() const { return eigenvalues_; }    // [wanted], descending
  auto eigenvectors() const { return basis_.leftCols(wanted_); }  // [n, wanted]
  int applications() const { return applications_; }
  int restarts() const { return restarts_; }

 private:
  void fill_random(std::int64_t column) {
    for (std::int64_t i = 0; i < basis_.rows(); ++i) basis_(i, column) = random_.normal();
  }

  /// Takes the block Q_next, columns [used, used + width), into the basis and leaves the next one behind it.
  void expand() {
    const std::int64_t next = used_ + width_;
    basis_.middleCols(next, width_) = gram_.apply(basis_.middleCols(used_, width_));
    applications_ += static_cast<int>(width_);
    const std::int64_t begin = used_;
    used_ = next;
    // Twice, the second time on normalised vectors: once leaves errors as large as the cancellation.
    Columns coefficients = project(next);
    scale_ = std::max(scale_, coefficients.cwiseAbs().maxCoeff());
    const Columns first = orthonormalise(next, kNullNorm * scale_);
    coefficients += project(next) * first;
    residual_ = orthonormalise(next, 0) * first;
    projected_.block(0, begin, used_, width_) = coefficients;
    projected_.block(begin, 0, width_, used_) = coefficients.transpose();
  }

  /// Makes columns [begin, begin + width) orthogonal to those before and returns what was taken off: Q^T W.
  Columns project(std::int64_t begin) {
    const auto before = basis_.leftCols(begin);
    const Columns coefficients = block::inner(before, basis_.middleCols(begin, width_));
    block::subtract_product(before, coefficients, basis_.middleCols(begin, width_));
    return coefficients;
  }

  /// W = Q R by Gram-Schmidt, twice, on columns [begin, begin + width); returns R. A column of which no more than null_norm is
  /// left (the Krylov space is exhausted) is replaced by a random one with a zero on R's diagonal: the search goes on elsewhere.
  Columns orthonormalise(std::int64_t begin, double null_norm) {
    Columns triangle = Columns::Zero(width_, width_);
    for (std::int64_t c = 0; c < width_; ++c) {
      auto column = basis_.col(begin + c);
      const auto done = basis_.middleCols(begin, c);
      take_off(done, column, triangle.col(c));
      double norm = column.norm();
      const bool null = !(norm > null_norm);
      if (null) {
        fill_random(begin + c);
        Eigen::VectorXd ignored = Eigen::VectorXd::Zero(width_);
        take_off(done, column, ignored);
        norm = column.norm();
      }
      column /= norm;
      triangle(c, c) = null ? 0.0 : norm;
    }
    return triangle;
  }

  template <typename Done, typename Column, typename Coefficients>
  static void take_off(const Done& done, Column& column, Coefficients&& coefficients) {
    if (done.cols() == 0) return;
    for (int pass = 0; pass < 2; ++pass) {
      const Eigen::VectorXd shares = done.transpose() * column;
      column.noalias() -= done * shares;
      coefficients.head(done.cols()) += shares;
    }
  }

  bool converged(const Solver& solver) const {
    const auto last = solver.eigenvectors().bottomRightCorner(width_, wanted_);
    const double worst = (residual_ * last).colwise().norm().maxCoeff();
    return worst <= options_.tolerance * solver.eigenvalues().maxCoeff();
  }

  /// Keeps the best Ritz vectors and the residual block behind them.
  void restart(const Solver& solver) {
    const std::int64_t keep = std::min(used_ - width_, 3 * width_);
    turn(solver, keep);
    basis_.middleCols(keep, width_) = basis_.middleCols(used_, width_).eval();
    projected_.setZero();
    projected_.topLeftCorner(keep, keep).diagonal() = solver.eigenvalues().tail(keep).reverse();
    used_ = keep;
    ++restarts_;
  }

  void turn(const Solver& solver, std::int64_t keep) {
    block::rotate(basis_.leftCols(used_), solver.eigenvectors().rightCols(keep).rowwise().reverse());
  }

  void finish(const Solver& solver) {
    turn(solver, wanted_);
    eigenvalues_ = solver.eigenvalues().tail(wanted_).reverse();
  }

  const GramOperator& gram_;
  const std::int64_t wanted_, width_, limit_;
  const TruncatedSvdOptions options_;
  RandomSequence random_;
  Columns basis_;      // [n, limit + width]: Q and behind it Q_next
  Columns projected_;  // T [limit + width, limit + width], symmetric
  Columns residual_;   // R [width, width]
  double scale_ = 0;   // the largest entry of T seen: the size of A
  std::int64_t used_ = 0;
  int applications_ = 0, restarts_ = 0;
  Eigen::VectorXd eigenvalues_;
};

/// Fills values and vectors of `svd` from descending eigenpairs of M^T M, null ones left out.
template <typename Vectors>
void accept(const Eigen::VectorXd& eigenvalues, const Vectors& eigenvectors, TruncatedSvd& svd) {
  for (std::int64_t r = 0; r < eigenvalues.size(); ++r) {
    if (!(eigenvalues[r] > 0 && eigenvalues[r] > kNullShare * eigenvalues[0])) break;
    svd.singular_values.push_back(std::sqrt(eigenvalues[r]));
    const Eigen::VectorXd vector = eigenvectors.col(r);
    svd.right.insert(svd.right.end(), vector.data(), vector.data() + vector.size());
  }
}

}  // namespace

TruncatedSvd truncated_svd(const CsrMatrix& matrix, int rank, const TruncatedSvdOptions& options) {
  check(rank >= 1, "truncated_svd: rank ", rank, " is not positive");
  TruncatedSvd svd;
  svd.items = matrix.cols();
  if (matrix.nnz() == 0) return svd;
  const GramOperator gram(matrix);
  if (svd.items <= BlockLanczos::basis_limit(rank) + BlockLanczos::block_width(rank)) {
    const Solver solver(gram.dense());
    const std::int64_t kept = std::min<std::int64_t>(rank, svd.items);
    svd.applications = static_cast<int>(svd.items);
    accept(solver.eigenvalues().tail(kept).reverse(), solver.eigenvectors().rightCols(kept).rowwise().reverse(), svd);
    return svd;
  }
  BlockLanczos lanczos(gram, rank, options);
  lanczos.solve();
  svd.applications = lanczos.applications();
  svd.restarts = lanczos.restarts();
  accept(lanczos.eigenvalues(), lanczos.eigenvectors(), svd);
  return svd;
}

}  // namespace tapestry::recsys
