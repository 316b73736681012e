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

/// A matrix of this one's shape without an entry.
inline CsrMatrix no_entries(const CsrMatrix& like) {
  return CsrMatrix::from_rows(like.cols(), std::vector<std::vector<std::int32_t>>(static_cast<std::size_t>(like.rows())));
}

}  // namespace tapestry::recsys
