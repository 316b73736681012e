#include "recsys/generators/ctgan_packed.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tapestry::recsys {

CsrMatrix packed_marks(const CategoryPlanes& planes, std::int64_t pac, const CsrMatrix& marks, DType dtype) {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  std::vector<std::pair<std::int64_t, float>> entries;
  for (std::int64_t row = 0; row < marks.rows(); ++row) {
    const std::int64_t shift = row % pac * planes.categories();
    entries.clear();
    for (const std::int32_t mark : marks.row(row)) {
      entries.emplace_back(mark < planes.two ? mark : mark - planes.two, -1.0f);
      entries.emplace_back(planes.columns + mark, 1.0f);
    }
    std::sort(entries.begin(), entries.end());
    for (const auto& [position, value] : entries) {
      columns.push_back(static_cast<std::int32_t>(shift + position));
      values.push_back(value);
    }
    if ((row + 1) % pac == 0) offsets.push_back(static_cast<std::int64_t>(columns.size()));
  }
  const CsrMatrix packed = CsrMatrix::from(marks.rows() / pac, pac * planes.categories(), offsets, columns, values);
  return packed.has_values() ? packed.with_values(packed.values().to(dtype)) : packed;
}

void packed_columns(const CategoryPlanes& planes, std::int64_t pac, const Conditions& conditions, std::int32_t* columns) {
  std::int64_t row = 0;
  for (const std::int32_t position : conditions.position) {
    *columns++ = static_cast<std::int32_t>(row++ % pac * planes.categories()) + position;
  }
}

Tensor packed_offsets(std::int64_t pac, std::int64_t rows) {
  const Tensor offsets = Tensor::empty({rows + 1}, DType::kInt64);
  for (std::int64_t row = 0; row <= rows; ++row) offsets.data<std::int64_t>()[row] = pac * row;
  return offsets;
}

}  // namespace tapestry::recsys
