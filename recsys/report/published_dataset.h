#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tapestry::recsys {

/// A row of table 1 of the SDRM paper. "Ratings" counts every stored entry, dislikes too; of ml-1m users and items are printed in
/// each other's place. Not read off the table, which is a picture, but made from these two remarks on it: docs/reproduction.md.
struct PublishedDataset {
  std::int64_t users = 0, items = 0, ratings = 0;
};

/// Nothing for a data set that the paper does not have.
std::optional<PublishedDataset> published_dataset(std::string_view dataset);

}  // namespace tapestry::recsys
