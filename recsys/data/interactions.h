#pragma once

#include "tensor/csr.h"

namespace tapestry::recsys {

/// Some users' interactions, row by row: what they like and, for recommenders that learn from both, what they dislike.
struct Interactions {
  CsrMatrix likes;     ///< [rows, I] ones
  CsrMatrix dislikes;  ///< [rows, I] ones at the explicit zeros; no row has an entry where nobody asked for them
};

}  // namespace tapestry::recsys
