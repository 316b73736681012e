#pragma once

#include <cstdint>
#include <vector>

#include "recsys/metrics/similarity.h"
#include "tensor/csr.h"

namespace tapestry::recsys {

/// What a matrix of users looks like: N rows, I items.
struct MatrixShape {
  std::vector<std::int64_t> users_by_length;  ///< how many users have 0, 1, 2, ... items (Figure 3, items per user)
  std::vector<std::int64_t> items_by_users;   ///< how many items 0, 1, 2, ... users have (Figure 3, users per item)
};
MatrixShape matrix_shape(const CsrMatrix& rows);

/// Synthetic users beside the real ones that their generator has seen.
struct SyntheticSummary {
  MatrixShape shape;
  SimilarityHistogram pairs = {};    ///< of every synthetic and every real user (table 5)
  SimilarityHistogram nearest = {};  ///< of each synthetic user and the real one that is most like it
  std::int64_t copies = 0;           ///< synthetic users with exactly the items of a real one
};

/// synthetic [N, I], real [M, I].
SyntheticSummary summarise_synthetic(const CsrMatrix& synthetic, const CsrMatrix& real);

}  // namespace tapestry::recsys
