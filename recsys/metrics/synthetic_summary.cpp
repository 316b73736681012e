#include "recsys/metrics/synthetic_summary.h"

namespace tapestry::recsys {

MatrixShape matrix_shape(const CsrMatrix& rows) { return {length_distribution(rows), length_distribution(rows.transpose())}; }

SyntheticSummary summarise_synthetic(const CsrMatrix& synthetic, const CsrMatrix& real) {
  SyntheticSummary summary;
  summary.shape = matrix_shape(synthetic);
  const Similarities similarities = jaccard_similarities(synthetic, real);
  summary.pairs = similarities.pairs;
  for (const Overlap& pair : similarities.nearest) {
    ++summary.nearest[similarity_bin(pair)];
    if (pair.shared == pair.united) ++summary.copies;
  }
  return summary;
}

}  // namespace tapestry::recsys
