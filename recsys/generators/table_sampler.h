#pragma once

#include <cstdint>
#include <vector>

#include "recsys/generators/table.h"
#include "tensor/random.h"

namespace tapestry::recsys {

/// One condition per row of a batch: "column j is in category k".
struct Conditions {
  std::vector<std::int32_t> column;    ///< [B]
  std::vector<std::int32_t> category;  ///< [B] its plane
  std::vector<std::int32_t> position;  ///< [B] the place of the one in the one-hot condition of C numbers

  void add(const TableEncoding& table, std::int64_t j, std::int64_t k);
  std::int64_t size() const { return static_cast<std::int64_t>(column.size()); }
  /// The same in another order.
  Conditions permuted(const std::vector<std::int32_t>& order) const;
};

/// Where a condition comes from: a column uniformly, then one of its categories.
enum class ConditionLaw : std::uint8_t {
  kLogFrequency,  ///< p_j(k) = ln(n_jk + 1) / sum_k' ln(n_jk' + 1): while training, and the package's newer way to sample
  kFrequency,     ///< p_j(k) = n_jk / n: a random row's value, as the paper has it for sampling
  /// The package's way to sample in 2023, meant to be kFrequency: the value is read from the first item's column whatever the
  /// column is, so that mostly "column j has the value that appeared first" comes out.
  kFirstColumn,
};
Conditions draw_conditions(const TableEncoding& table, ConditionLaw law, std::int64_t count, RandomSequence& random);

/// Finds rows by the category of one column. Holds lists of the marked rows only; the others are found by trying: they are in the
/// column's commonest category, so that at most three tries are needed on average.
class RowIndex {
 public:
  /// marks [N, D]: all the rows that the table was made from, so that every category has one. Throws Error(kMisuse) otherwise.
  RowIndex(const TableEncoding& table, const CsrMatrix& marks);
  /// A row that is in category k of the column, uniformly.
  std::int32_t draw(std::int64_t column, std::int64_t k, RandomSequence& random) const;
  std::vector<std::int32_t> draw(const Conditions& conditions, RandomSequence& random) const;

 private:
  const TableEncoding& table_;
  CsrMatrix marks_;    // [N, D]
  CsrMatrix by_mark_;  // [D, N]
};

}  // namespace tapestry::recsys
