#pragma once

#include "recsys/generators/table_sampler.h"

/// Rows as the critic's first layer takes them: a pac is `pac` consecutive rows of C categories side by side. All on the host.
namespace tapestry::recsys {

/// What the marks [B, D] of rows change in the one-hot row of commonest categories, +1 at a mark and -1 at its column's category
/// 0: [B / pac, pac C], values of this type.
CsrMatrix packed_marks(const CategoryPlanes& planes, std::int64_t pac, const CsrMatrix& marks, DType dtype);

/// Where the ones of a batch's conditions stand in such rows: [B], pac by pac.
void packed_columns(const CategoryPlanes& planes, std::int64_t pac, const Conditions& conditions, std::int32_t* columns);
/// Offsets of rows with `pac` entries each: int64 [rows + 1].
Tensor packed_offsets(std::int64_t pac, std::int64_t rows);

}  // namespace tapestry::recsys
