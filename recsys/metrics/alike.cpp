#include "recsys/metrics/alike.h"

#include <algorithm>
#include <map>

namespace tapestry::recsys {

std::vector<std::int32_t> most_shared_row(const CsrMatrix& rows) {
  std::map<std::vector<std::int32_t>, std::int64_t> counts;
  std::int64_t most = 1;
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    if (rows.row_nnz(row) > 0) most = std::max(most, ++counts[{rows.row(row).begin(), rows.row(row).end()}]);
  }
  if (most == 1) return {};
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    std::vector<std::int32_t> items(rows.row(row).begin(), rows.row(row).end());
    if (const auto found = counts.find(items); found != counts.end() && found->second == most) return items;
  }
  return {};
}

std::vector<bool> equals_row(const CsrMatrix& rows, std::span<const std::int32_t> items) {
  std::vector<bool> equal(static_cast<std::size_t>(rows.rows()));
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    equal[static_cast<std::size_t>(row)] = std::ranges::equal(rows.row(row), items);
  }
  return equal;
}

}  // namespace tapestry::recsys
