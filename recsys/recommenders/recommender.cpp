#include "recsys/recommenders/recommender.h"

namespace tapestry::recsys {

CsrMatrix FitData::stacked_likes() const {
  std::vector<CsrMatrix> parts;
  for (const Block which : order) parts.push_back(block(which).likes);
  return concat_rows(parts);
}

std::int64_t FitData::first_row(Block which) const {
  std::int64_t row = 0;
  for (const Block one : order) {
    if (one == which) return row;
    row += block(one).likes.rows();
  }
  fail(ErrorKind::kMisuse, "FitData::first_row: block ", static_cast<int>(which), " is not in the fit");
}

}  // namespace tapestry::recsys
