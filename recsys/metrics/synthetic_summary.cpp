#include "recsys/metrics/synthetic_summary.h"

#include <algorithm>

namespace tapestry::recsys {

MatrixShape matrix_shape(const CsrMatrix& rows) { return {length_distribution(rows), length_distribution(rows.transpose())}; }

SyntheticSummary summarise_synthetic(const CsrMatrix& synthetic, const CsrMatrix& real) {
  SyntheticSummary summary;
  summary.shape = matrix_shape(synthetic);
  summary.pairs = jaccard_histogram(synthetic, real);
  for (const double similarity : nearest_similarity(synthetic, real)) {
    const int bin = std::min(kSimilarityBins - 1, static_cast<int>(similarity * kSimilarityBins));
    ++summary.nearest[static_cast<std::size_t>(bin)];
    if (similarity == 1) ++summary.copies;
  }
  return summary;
}

}  // namespace tapestry::recsys
