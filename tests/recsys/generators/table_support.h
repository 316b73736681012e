#pragma once

#include <cstdint>
#include <vector>

#include "recsys/generators/table.h"
#include "tests/support/golden.h"

namespace tapestry::tests {

/// The table of the golden files: 5 columns, two of three categories, two of two, one of one.
inline constexpr CategoryPlanes kGoldenPlanes = {5, 4, 2};

/// Marks [B, D] of rows of categories (their planes), one for each column.
inline CsrMatrix marks_of(const CategoryPlanes& planes, const std::vector<std::vector<int>>& table) {
  std::vector<std::vector<std::int32_t>> marks;
  for (const std::vector<int>& row : table) {
    marks.emplace_back();
    for (std::size_t column = 0; column < row.size(); ++column) {
      if (row[column] == 0) continue;
      marks.back().push_back(static_cast<std::int32_t>(column) + (row[column] == 2 ? static_cast<std::int32_t>(planes.two) : 0));
    }
  }
  return CsrMatrix::from_rows(planes.differences(), marks);
}

/// A recorded matrix of small integers.
inline std::vector<std::vector<int>> integers(const Golden& golden, const std::string& name) {
  const Tensor recorded = golden.tensor(name);
  std::vector<std::vector<int>> rows(static_cast<std::size_t>(recorded.rows()));
  for (std::int64_t i = 0; i < recorded.numel(); ++i) {
    rows[static_cast<std::size_t>(i / recorded.cols())].push_back(static_cast<int>(recorded.data<double>()[i]));
  }
  return rows;
}

/// Dense one-hot rows [B, C] of marks [B, D].
inline Tensor one_hot_rows(const CategoryPlanes& planes, const CsrMatrix& marks, DType dtype = DType::kFloat64) {
  Tensor rows = Tensor::zeros({marks.rows(), planes.categories()}, DType::kFloat64);
  for (std::int64_t row = 0; row < marks.rows(); ++row) {
    double* out = rows.data<double>() + row * planes.categories();
    for (std::int64_t column = 0; column < planes.columns; ++column) out[column] = 1;
    for (const std::int32_t mark : marks.row(row)) {
      out[planes.columns + mark] = 1;
      out[mark < planes.two ? mark : mark - planes.two] = 0;
    }
  }
  return rows.to(dtype);
}

/// Users over `items` items, each liked and disliked with these probabilities.
inline recsys::Interactions random_users(std::int64_t rows, std::int64_t items, double liked, double disliked,
                                         std::uint64_t seed) {
  RandomSequence random({seed, Purpose::kTest, 3});
  std::vector<std::vector<std::int32_t>> likes(static_cast<std::size_t>(rows));
  std::vector<std::vector<std::int32_t>> dislikes(likes.size());
  for (std::size_t row = 0; row < likes.size(); ++row) {
    for (std::int32_t item = 0; item < items; ++item) {
      const double u = random.uniform();
      if (u < liked) likes[row].push_back(item);
      if (u > 1 - disliked) dislikes[row].push_back(item);
    }
  }
  return {CsrMatrix::from_rows(items, likes), CsrMatrix::from_rows(items, dislikes)};
}

/// The value of every cell, [rows][items].
inline std::vector<std::vector<int>> cells(const recsys::Interactions& rows) {
  std::vector<std::vector<int>> table(static_cast<std::size_t>(rows.likes.rows()),
                                      std::vector<int>(static_cast<std::size_t>(rows.likes.cols()), 0));
  for (std::int64_t row = 0; row < rows.likes.rows(); ++row) {
    auto& out = table[static_cast<std::size_t>(row)];
    for (const std::int32_t item : rows.likes.row(row)) out[static_cast<std::size_t>(item)] = 1;
    for (const std::int32_t item : rows.dislikes.row(row)) out[static_cast<std::size_t>(item)] = -1;
  }
  return table;
}

}  // namespace tapestry::tests
