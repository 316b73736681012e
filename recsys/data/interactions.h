#pragma once

#include <cstdint>
#include <vector>

#include "tensor/csr.h"

namespace tapestry::recsys {

/// Some users' interactions, row by row: what they like and, for recommenders that learn from both, what they dislike.
struct Interactions {
  CsrMatrix likes;     ///< [rows, I] ones
  CsrMatrix dislikes;  ///< [rows, I] ones at the explicit zeros; no row has an entry where nobody asked for them
};

/// A matrix [rows, cols] without an entry, and one of this one's shape.
inline CsrMatrix no_entries(std::int64_t rows, std::int64_t cols) {
  return CsrMatrix::from_rows(cols, std::vector<std::vector<std::int32_t>>(static_cast<std::size_t>(rows)));
}
inline CsrMatrix no_entries(const CsrMatrix& like) { return no_entries(like.rows(), like.cols()); }

}  // namespace tapestry::recsys
