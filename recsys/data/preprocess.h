#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "recsys/data/ratings.h"
#include "tensor/csr.h"

namespace tapestry::recsys {

struct PreprocessOptions {
  float like_above = 3;        ///< a rating above this is a like, any other a dislike
  std::int64_t min_likes = 5;  ///< users and items with fewer likes are dropped
};

/// A rated matrix, U users and I items by ascending raw id. Every user and every item has an entry.
struct Preprocessed {
  CsrMatrix stored;                   ///< [U, I] float32: 1 liked, 0 disliked (an explicit zero)
  std::vector<std::string> user_ids;  ///< [U]
  std::vector<std::string> item_ids;  ///< [I]
  std::int64_t repeated = 0;          ///< ratings replaced by a later line about the same user and item
  std::int64_t emptied_users = 0;     ///< users with likes enough, none of whose items was kept: dropped
};

/// One pass, not iterated: keeps the users with at least `min_likes` likes and the items with at least `min_likes` likes, both
/// counted before anything is dropped, an item that a user has rated several times once: its last line counts. Disliked entries
/// stay as explicit zeros. A user (or item) that this leaves with no entry at all is dropped too: there is nothing to learn from
/// it or to ask it. Throws Error(kData) when nobody is left.
Preprocessed preprocess(const Ratings& ratings, const PreprocessOptions& options = {});

}  // namespace tapestry::recsys
