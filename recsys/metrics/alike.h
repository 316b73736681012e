#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/csr.h"

/// Users who have exactly the same items: accounts of one person, of a household, or made by a program. Whoever ranks by what
/// others with the same items have finds all that such a user holds out, so that a mean over users is also a count of them.
namespace tapestry::recsys {

/// The items of the largest group of equal rows, ascending; of groups of one size those of the one whose first row comes first.
/// Rows without entries are no group. Empty when no two rows are equal.
std::vector<std::int32_t> most_shared_row(const CsrMatrix& rows);

/// Whether each row has exactly these items. [N]
std::vector<bool> equals_row(const CsrMatrix& rows, std::span<const std::int32_t> items);

}  // namespace tapestry::recsys
