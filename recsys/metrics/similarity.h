#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensor/csr.h"

/// Synthetic users beside real ones: do they copy them, and are they spread like them (SDRM, table 5 and Figure 3)?
namespace tapestry::recsys {

inline constexpr int kSimilarityBins = 10;

/// The items of a pair of users: their Jaccard similarity is |a and b| / |a or b|, 1 a copy. 0 / 1 stands for nothing in common,
/// and so for two empty users.
struct Overlap {
  std::int32_t shared = 0;  ///< |a and b|
  std::int32_t united = 1;  ///< |a or b|
};

/// The bin, of tenths, that a similarity is counted in: b holds [b / 10, (b + 1) / 10), the last one 1 as well. In whole numbers,
/// exact at the bounds.
std::size_t similarity_bin(const Overlap& pair);
using SimilarityHistogram = std::array<std::int64_t, kSimilarityBins>;

struct Similarities {
  SimilarityHistogram pairs = {};  ///< of all N M pairs
  std::vector<Overlap> nearest;    ///< [N] of each row of a and the row of b that is most like it
};

/// Of every row of a [N, I] with every row of b [M, I]. Through an index of b by item, so that the time goes with the pairs that
/// share an item, and memory with N, and with M for each thread. Throws Error(kMisuse) when the items differ in number.
Similarities jaccard_similarities(const CsrMatrix& a, const CsrMatrix& b);

/// How many rows have each number of entries: [largest + 1].
std::vector<std::int64_t> length_distribution(const CsrMatrix& rows);

}  // namespace tapestry::recsys
