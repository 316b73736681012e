#include "recsys/generators/table_sampler.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace tapestry::recsys {
namespace {

double weight_of(const TableEncoding& table, ConditionLaw law, std::int64_t column, std::int64_t k) {
  const auto count = static_cast<double>(table.count(column, k));
  return law == ConditionLaw::kLogFrequency ? std::log(count + 1) : count;
}

/// A category of the column by its weight.
std::int64_t draw_category(const TableEncoding& table, ConditionLaw law, std::int64_t column, RandomSequence& random) {
  double total = 0;
  for (std::int64_t k = 0; k < table.category_count(column); ++k) total += weight_of(table, law, column, k);
  double left = random.uniform() * total;
  std::int64_t k = 0;
  while (k + 1 < table.category_count(column) && left >= weight_of(table, law, column, k)) {
    left -= weight_of(table, law, column, k);
    ++k;
  }
  return k;
}

}  // namespace

void Conditions::add(const TableEncoding& table, std::int64_t j, std::int64_t k) {
  column.push_back(static_cast<std::int32_t>(j));
  category.push_back(static_cast<std::int32_t>(k));
  position.push_back(static_cast<std::int32_t>(table.position(j, k)));
}

Conditions Conditions::permuted(const std::vector<std::int32_t>& order) const {
  Conditions moved;
  for (const std::int32_t from : order) {
    const auto at = static_cast<std::size_t>(from);
    moved.column.push_back(column[at]);
    moved.category.push_back(category[at]);
    moved.position.push_back(position[at]);
  }
  return moved;
}

Conditions draw_conditions(const TableEncoding& table, ConditionLaw law, std::int64_t count, RandomSequence& random) {
  Conditions conditions;
  const auto columns = static_cast<std::uint32_t>(table.items());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t column = random.below(columns);
    if (law != ConditionLaw::kFirstColumn) {
      conditions.add(table, column, draw_category(table, law, column, random));
      continue;
    }
    // The package takes the index of the one among the first n_j entries of a random one-hot row, n_j the number of categories of
    // column j; those entries belong to item 0 (and, where it has fewer, to item 1, behind item 0's own one). None: index 0.
    const std::int64_t first = table.column(0);
    const std::int64_t place = table.appearance(first, draw_category(table, ConditionLaw::kFrequency, first, random));
    conditions.add(table, column, table.category_at(column, place < table.category_count(column) ? place : 0));
  }
  return conditions;
}

RowIndex::RowIndex(const TableEncoding& table, const CsrMatrix& marks)
    : table_(table), marks_(marks), by_mark_(marks.transpose()) {
  check(marks.rows() == table.rows() && marks.cols() == table.planes().differences(), "RowIndex: marks [", marks.rows(), ", ",
        marks.cols(), "] of a table made from ", table.rows(), " rows with ", table.planes().differences(), " marks");
}

std::int32_t RowIndex::draw(std::int64_t column, std::int64_t k, RandomSequence& random) const {
  if (k > 0) {
    const std::span<const std::int32_t> rows = by_mark_.row(table_.mark(column, k));
    return rows[random.below(static_cast<std::uint32_t>(rows.size()))];
  }
  while (true) {
    const auto row = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(marks_.rows())));
    const std::span<const std::int32_t> marks = marks_.row(row);
    bool marked = false;
    for (std::int64_t other = 1; other < table_.category_count(column); ++other) {
      marked = marked || std::binary_search(marks.begin(), marks.end(), static_cast<std::int32_t>(table_.mark(column, other)));
    }
    if (!marked) return row;
  }
}

std::vector<std::int32_t> RowIndex::draw(const Conditions& conditions, RandomSequence& random) const {
  std::vector<std::int32_t> rows;
  for (std::size_t i = 0; i < conditions.column.size(); ++i) {
    rows.push_back(draw(conditions.column[i], conditions.category[i], random));
  }
  return rows;
}

}  // namespace tapestry::recsys
