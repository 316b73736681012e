#include "recsys/recommenders/truncated_svd.h"

#include <algorithm>
#include <cmath>

#include "recsys/recommenders/krylov_basis.h"

namespace tapestry::recsys {
namespace {

using block::Columns;
using Solver = Eigen::SelfAdjointEigenSolver<Columns>;

constexpr double kNullNorm = 1e-14;   // what rounding leaves of a vector that lies in the basis, as a share of |M^T M|
constexpr double kNullShare = 1e-12;  // eigenvalues of M^T M below this share of the largest count as zero

/// A little wider than the number wanted: the spare vectors hurry the last wanted ones along.
std::int64_t block_width(int wanted) { return (wanted + 4 + 7) / 8 * 8; }
std::int64_t basis_limit(int wanted) { return 10 * block_width(wanted); }
/// The basis, and the next block behind it.
std::int64_t vectors_held(int wanted) { return basis_limit(wanted) + block_width(wanted); }

/// Thick-restart block Lanczos for the `wanted` leading eigenvectors of A = M^T M. The basis Q satisfies
/// A Q = Q T + Q_next R [0 .. 0 I], and T is filled from the projections that the orthogonalisation computes anyway, which
/// makes the arrow that a thick restart leaves in T no special case. Where Q lies (HostBasis, DeviceBasis) is the basis' own
/// affair.
template <typename Basis>
class BlockLanczos {
 public:
  BlockLanczos(Basis& basis, int wanted, const TruncatedSvdOptions& options)
      : basis_(basis),
        wanted_(wanted),
        width_(block_width(wanted)),
        limit_(basis_limit(wanted)),
        options_(options),
        projected_(Columns::Zero(vectors_held(wanted), vectors_held(wanted))) {}

  /// Finds the leading eigenpairs, for eigenvalues() and eigenvectors(). Throws Error(kFit) when max_restarts does not suffice.
  void solve() {
    basis_.fill_random(0);
    basis_.orthonormalise(0, 0);
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

  Eigen::VectorXd eigenvalues() const { return eigenvalues_; }      // [wanted], descending
  Columns eigenvectors() const { return basis_.leading(wanted_); }  // [n, wanted]
  int applications() const { return applications_; }
  int restarts() const { return restarts_; }

 private:
  /// Takes the block Q_next, columns [used, used + width), into the basis and leaves the next one behind it.
  void expand() {
    const std::int64_t next = used_ + width_;
    basis_.apply(used_, next);
    applications_ += static_cast<int>(width_);
    const std::int64_t begin = used_;
    used_ = next;
    // Twice, the second time on normalised vectors: once leaves errors as large as the cancellation.
    Columns coefficients = basis_.project(next);
    scale_ = std::max(scale_, coefficients.cwiseAbs().maxCoeff());
    const Columns first = basis_.orthonormalise(next, kNullNorm * scale_);
    coefficients += basis_.project(next) * first;
    residual_ = basis_.orthonormalise(next, 0) * first;
    projected_.block(0, begin, used_, width_) = coefficients;
    projected_.block(begin, 0, width_, used_) = coefficients.transpose();
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
    basis_.copy(used_, keep);
    projected_.setZero();
    projected_.topLeftCorner(keep, keep).diagonal() = solver.eigenvalues().tail(keep).reverse();
    used_ = keep;
    ++restarts_;
  }

  void turn(const Solver& solver, std::int64_t keep) { basis_.rotate(solver.eigenvectors().rightCols(keep).rowwise().reverse()); }

  void finish(const Solver& solver) {
    turn(solver, wanted_);
    eigenvalues_ = solver.eigenvalues().tail(wanted_).reverse();
  }

  Basis& basis_;  // Q and behind it Q_next
  const std::int64_t wanted_, width_, limit_;
  const TruncatedSvdOptions options_;
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

template <typename Basis>
void search(Basis& basis, int rank, const TruncatedSvdOptions& options, TruncatedSvd& svd) {
  BlockLanczos<Basis> lanczos(basis, rank, options);
  lanczos.solve();
  svd.applications = lanczos.applications();
  svd.restarts = lanczos.restarts();
  accept(lanczos.eigenvalues(), lanczos.eigenvectors(), svd);
}

}  // namespace

TruncatedSvd truncated_svd(const CsrMatrix& matrix, int rank, const TruncatedSvdOptions& options) {
  check(rank >= 1, "truncated_svd: rank ", rank, " is not positive");
  TruncatedSvd svd;
  svd.items = matrix.cols();
  if (matrix.nnz() == 0) return svd;
  if (svd.items <= vectors_held(rank)) {
    const Solver solver(block::GramOperator(matrix).dense());
    const std::int64_t kept = std::min<std::int64_t>(rank, svd.items);
    svd.applications = static_cast<int>(svd.items);
    accept(solver.eigenvalues().tail(kept).reverse(), solver.eigenvectors().rightCols(kept).rowwise().reverse(), svd);
    return svd;
  }
  const RandomStream stream = {options.seed, Purpose::kSvd, 0};
  if (options.device == Device::kCpu) {
    HostBasis basis(matrix, vectors_held(rank), block_width(rank), stream);
    search(basis, rank, options, svd);
  } else {
    DeviceBasis basis(matrix, vectors_held(rank), block_width(rank), stream, options.device);
    search(basis, rank, options, svd);
  }
  return svd;
}

}  // namespace tapestry::recsys
