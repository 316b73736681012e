#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tensor/csr.h"

/// Synthetic users beside real ones: do they copy them, and are they spread like them (SDRM, table 5 and Figure 3)?
namespace tapestry::recsys {

inline constexpr int kSimilarityBins = 10;

/// Counts of the Jaccard similarities |a and b| / |a or b| of all pairs, in bins of a tenth: bin b holds [b / 10, (b + 1) / 10),
/// the last one 1 as well. A pair of empty users counts as 0: they have nothing in common.
using SimilarityHistogram = std::array<std::int64_t, kSimilarityBins>;

/// Of every row of a [N, I] with every row of b [M, I]: N M pairs. Through an index of b by item, so that the time goes with the
/// pairs that share an item, and memory with M for each thread.
SimilarityHistogram jaccard_histogram(const CsrMatrix& a, const CsrMatrix& b);

/// For every row of a, its largest similarity to a row of b: 1 is a copy. [N]
std::vector<double> nearest_similarity(const CsrMatrix& a, const CsrMatrix& b);

/// How many rows have each number of entries: [largest + 1].
std::vector<std::int64_t> length_distribution(const CsrMatrix& rows);

}  // namespace tapestry::recsys
