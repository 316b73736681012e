#include "recsys/experiment/calibration_data.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace tapestry::recsys {
namespace {

using Rows = std::vector<std::vector<std::int32_t>>;

Rows rows_of(const CsrMatrix& matrix) {
  Rows rows;
  for (std::int64_t row = 0; row < matrix.rows(); ++row) rows.emplace_back(matrix.row(row).begin(), matrix.row(row).end());
  return rows;
}

bool has(const std::vector<std::int32_t>& row, std::int32_t item) { return std::binary_search(row.begin(), row.end(), item); }

std::vector<bool> items_of(const Rows& rows, std::int64_t items) {
  std::vector<bool> found(static_cast<std::size_t>(items), false);
  for (const std::vector<std::int32_t>& row : rows) {
    for (const std::int32_t item : row) found[static_cast<std::size_t>(item)] = true;
  }
  return found;
}

/// Puts an entry of each item that only `all` has into the first row from row `item` on where neither matrix has one.
void plant(const CsrMatrix& all, Rows& rows, const Rows& others) {
  const std::vector<bool> wanted = items_of(rows_of(all), all.cols()), there = items_of(rows, all.cols());
  for (std::size_t item = 0; item < wanted.size(); ++item) {
    if (!wanted[item] || there[item]) continue;
    const auto entry = static_cast<std::int32_t>(item);
    for (std::size_t tried = 0; tried < rows.size(); ++tried) {
      const std::size_t at = (item + tried) % rows.size();
      if (has(rows[at], entry) || has(others[at], entry)) continue;
      rows[at].insert(std::lower_bound(rows[at].begin(), rows[at].end(), entry), entry);
      break;
    }
  }
}

}  // namespace

ProtocolData part_of(const ProtocolData& protocol, std::int64_t rows, bool all_categories) {
  const std::int64_t all = protocol.generator.rows();
  if (rows >= all) return protocol;
  std::vector<std::int32_t> chosen;
  for (std::int64_t n = 0; n < rows; ++n) chosen.push_back(static_cast<std::int32_t>(n * all / rows));
  const CsrMatrix none =
      CsrMatrix::from_rows(protocol.generator.cols(), Rows(static_cast<std::size_t>(all - protocol.train_dislikes.rows())));
  const CsrMatrix dislikes = concat_rows(std::array{protocol.train_dislikes, none});
  Rows liked = rows_of(protocol.generator.gather_rows(chosen)), disliked = rows_of(dislikes.gather_rows(chosen));
  if (all_categories) {
    plant(protocol.generator, liked, disliked);
    plant(dislikes, disliked, liked);
  }
  ProtocolData part = protocol;
  part.generator = part.train = CsrMatrix::from_rows(protocol.generator.cols(), liked);
  part.train_dislikes = CsrMatrix::from_rows(protocol.generator.cols(), disliked);
  part.synthetic_rows = rows;
  return part;
}

Interactions stand_in(const ProtocolData& protocol, bool dislikes) {
  const std::int64_t items = protocol.train.cols();
  Rows liked = rows_of(protocol.train);
  if (protocol.name == ProtocolName::kPublished) {  // its density counts dislikes too
    const Rows disliked = rows_of(protocol.train_dislikes);
    for (std::size_t row = 0; row < liked.size(); ++row) {
      std::vector<std::int32_t> both;
      std::merge(liked[row].begin(), liked[row].end(), disliked[row].begin(), disliked[row].end(), std::back_inserter(both));
      liked[row] = std::move(both);
    }
  }
  Rows others(liked.size());
  if (dislikes) {
    for (std::size_t row = 0; row < liked.size(); ++row) {
      for (const std::int32_t item : liked[row]) others[row].push_back(static_cast<std::int32_t>((item + items / 2) % items));
      std::sort(others[row].begin(), others[row].end());
    }
  }
  return {CsrMatrix::from_rows(items, liked), CsrMatrix::from_rows(items, others)};
}

}  // namespace tapestry::recsys
