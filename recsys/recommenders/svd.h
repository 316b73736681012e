#pragma once

#include <cstdint>
#include <vector>

#include "recsys/recommenders/recommender.h"
#include "recsys/recommenders/truncated_svd.h"

namespace tapestry::recsys {

/// PureSVD (Cremonesi, Koren, Turrin 2010): the rank-20 truncated singular value decomposition M ~ U S V^T of the stacked
/// interaction matrix, not centred. A user x scores x V V^T, which for a row of M is that row of U S V^T, so that the
/// evaluation users, whose inputs are rows of M, need no U.
class SvdRecommender : public Recommender {
 public:
  explicit SvdRecommender(int rank = 20, TruncatedSvdOptions options = {}) : rank_(rank), options_(options) {}

  void fit(const CsrMatrix& rows) override;
  Tensor score(const CsrMatrix& user_inputs) const override;

  /// The decomposition of the last fit.
  const TruncatedSvd& decomposition() const { return svd_; }

 private:
  int rank_;
  TruncatedSvdOptions options_;
  std::int64_t items_ = -1;  ///< -1 before the first fit
  TruncatedSvd svd_;
};

}  // namespace tapestry::recsys
