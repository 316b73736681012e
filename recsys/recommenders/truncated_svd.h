#pragma once

#include <cstdint>
#include <vector>

#include "tensor/csr.h"

namespace tapestry::recsys {

struct TruncatedSvdOptions {
  /// A right singular vector v is accepted when |M^T M v - s^2 v| <= tolerance * s_1^2. The angle between the subspace found and
  /// the true one is about that residual over the gap between s_k^2 and s_(k+1)^2.
  double tolerance = 1e-10;
  /// Restarts after which Error(kFit) is thrown. Real matrices need 0 to 10; a spectrum without a gap could need more.
  int max_restarts = 500;
  std::uint64_t seed = 0;  ///< of the random start block (Purpose::kSvd)
  /// Where the search's vectors lie and products are taken. Factorisations of its small matrices are the host's, and so is all of
  /// it when there are only a few hundred columns.
  Device device = Device::kCpu;
};

/// The leading singular values and right singular vectors of a matrix with I columns.
struct TruncatedSvd {
  /// Descending. Fewer than asked for when the matrix has a lower rank: M^T M squares the values, so those below 1e-6 of the
  /// largest cannot be told from zero and are left out.
  std::vector<double> singular_values;
  std::vector<double> right;  ///< V^T, [rank, I] row-major, orthonormal rows
  std::int64_t items = 0;     ///< I
  int applications = 0;       ///< products with M^T M, counted in vectors: the work done
  int restarts = 0;

  std::int64_t rank() const { return static_cast<std::int64_t>(singular_values.size()); }
};

/// The `rank` leading singular triples of a sparse matrix without ever making it dense, in float64: thick-restart block
/// Lanczos with full reorthogonalisation on M^T M (Golub, Underwood 1977; Wu, Simon 2000), the start block wider than `rank` so
/// that repeated singular values cannot hide; the exact eigenvectors of M^T M when there are only a few hundred columns.
/// The result is the same to the last bit for any number of threads; a GPU finds the same values and space to rounding. Throws
/// Error(kMisuse) unless rank >= 1, Error(kFit) when max_restarts did not suffice.
TruncatedSvd truncated_svd(const CsrMatrix& matrix, int rank, const TruncatedSvdOptions& options = {});

}  // namespace tapestry::recsys
