#pragma once

#include <cstdint>
#include <vector>

#include "recsys/recommenders/recommender.h"
#include "recsys/recommenders/truncated_svd.h"

namespace tapestry::recsys {

/// PureSVD (Cremonesi, Koren, Turrin 2010): the rank-20 truncated singular value decomposition M ~ U S V^T of the stacked
/// interaction matrix, not centred. A user x scores x V V^T, which for a row of M is that row of U S V^T, so that the
/// evaluation users, whose inputs are rows of M, need no U. With options.device a GPU decomposes and scores: V lies there, and
/// scores stay there to be ranked.
class SvdRecommender : public Recommender {
 public:
  explicit SvdRecommender(int rank = 20, TruncatedSvdOptions options = {}) : rank_(rank), options_(options) {}

  void fit(const FitData& data, const FitListener& listener, sdrm::FitCheckpoint* checkpoint = nullptr) override;
  Tensor score(std::int64_t begin, std::int64_t end) const override;
  CsrMatrix masked() const override;

  /// The decomposition of all rows in the fit, [rows, I] ones. None of them is an evaluation user: masked() has no rows.
  void fit(const CsrMatrix& rows);
  /// Scores for users with these inputs [n, I], given on the host: float32 [n, I] on options.device. Throws Error(kMisuse) before
  /// fit() or with another number of items.
  Tensor score(const CsrMatrix& user_inputs) const;

  /// The decomposition of the last fit.
  const TruncatedSvd& decomposition() const { return svd_; }

 private:
  Tensor score_on_device(const CsrMatrix& user_inputs) const;

  int rank_;
  TruncatedSvdOptions options_;
  std::int64_t items_ = -1;  ///< -1 before the first fit
  TruncatedSvd svd_;
  Tensor right_;      ///< V [I, rank] float64 on a GPU; undefined on the host, which scores by svd_
  CsrMatrix inputs_;  ///< of the evaluation users [V, I], where the fit had any
};

}  // namespace tapestry::recsys
