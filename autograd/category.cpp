#include "autograd/category.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "autograd/elementwise.h"
#include "autograd/loss.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"
#include "autograd/tape.h"

namespace tapestry::autograd {

Variable difference_rows(const CategoryPlanes& planes, const Variable& x) {
  check(x.shape().rank() >= 1 && x.value().size(0) == planes.categories(), "difference_rows: ", x.shape(), " where ",
        planes.categories(), " rows were expected, one for each category");
  const auto [columns, two, three] = planes;
  const Variable one = subtract(slice_rows(x, columns, columns + two), slice_rows(x, 0, two));
  if (three == 0) return one;
  return concat_rows({one, subtract(slice_rows(x, columns + two, columns + two + three), slice_rows(x, 0, three))});
}

Variable difference_columns(const CategoryPlanes& planes, const Variable& x) {
  check(x.shape().rank() == 2 && x.value().cols() == planes.categories(), "difference_columns: ", x.shape(), " where ",
        planes.categories(), " columns were expected, one for each category");
  const auto [columns, two, three] = planes;
  const Variable one = subtract(slice_columns(x, columns, columns + two), slice_columns(x, 0, two));
  if (three == 0) return one;
  return concat_columns({one, subtract(slice_columns(x, columns + two, columns + two + three), slice_columns(x, 0, three))});
}

Variable gumbel_softmax(const CategoryPlanes& planes, const Variable& d, const Tensor& noise, double temperature) {
  Tensor y = category_softmax(planes, d.value(), noise, temperature);
  const Tensor saved = y;
  return record(std::move(y), {&d}, [planes, saved, temperature, dd = d.slot()](const Tensor& dy) {
    dd.accumulate(category_softmax_backward(planes, saved, dy, temperature));
  });
}

Variable category_cross_entropy(const CategoryPlanes& planes, const Variable& d, const CsrMatrix& target) {
  const double share = share_of_row("category_cross_entropy", target.rows());
  const Tensor rows = tapestry::category_cross_entropy(planes, d.value(), target);
  return record(scaled(tapestry::sum(rows), share), {&d},
                [planes, share, target, saved = d.value(), dd = d.slot()](const Tensor& dy) {
                  const Tensor factor = scaled(dy, share);
                  dd.accumulate(category_cross_entropy_backward(planes, saved, target, factor));
                });
}

void fill_column_targets(const CategoryPlanes& planes, std::span<const std::int32_t> column,
                         std::span<const std::int32_t> category, std::int32_t* index, float* numbers) {
  // The three logits of the row's column, category 0 standing at 0: picked out of d, then masked where they are not stored.
  constexpr float kAbsent = -1e30f;
  const std::size_t size = 3 * column.size();
  float *stored = numbers, *constant = numbers + size, *target = numbers + 2 * size;
  const std::int64_t differences = planes.differences();
  check(differences == 0 || static_cast<std::int64_t>(column.size()) <= std::numeric_limits<std::int32_t>::max() / differences,
        "column_cross_entropy: ", column.size(), " rows of ", differences,
        " differences cannot be numbered in 32 bits; a smaller batch can");
  std::fill_n(index, size, 0);
  std::fill_n(stored, size, 0.0f);
  std::fill_n(constant, size, kAbsent);
  std::fill_n(target, size, 0.0f);
  for (std::size_t row = 0; row < column.size(); ++row) {
    const std::int64_t j = column[row], k = category[row];
    const std::int64_t count = 1 + (j < planes.two ? 1 : 0) + (j < planes.three ? 1 : 0);
    check(j >= 0 && j < planes.columns && k >= 0 && k < count, "column_cross_entropy: category ", k, " of column ", j);
    const std::size_t at = 3 * row;
    for (std::int64_t c = 0; c < count; ++c) constant[at + static_cast<std::size_t>(c)] = 0;
    for (std::int64_t c = 1; c < count; ++c) {
      const std::int64_t within = c == 1 ? j : planes.two + j;
      index[at + static_cast<std::size_t>(c)] = static_cast<std::int32_t>(static_cast<std::int64_t>(row) * differences + within);
      stored[at + static_cast<std::size_t>(c)] = 1;
    }
    target[at + static_cast<std::size_t>(k)] = 1;
  }
}

Variable column_cross_entropy(const CategoryPlanes& planes, const Variable& d, const ColumnTargets& targets) {
  const std::int64_t rows = d.value().rows();
  const double share = share_of_row("column_cross_entropy", rows);
  check(d.value().cols() == planes.differences() && targets.index.numel() == 3 * rows && targets.target.numel() == 3 * rows,
        "column_cross_entropy: differences ", d.shape(), " against targets ", targets.target.shape());
  if (planes.differences() == 0) return Variable(Tensor::zeros({}, d.value().dtype(), d.value().device()));
  const Variable flat = reshape(d, {d.value().numel(), 1});
  const Variable picked = reshape(embedding(flat, targets.index), {rows, 3});
  const Variable logits = add(multiply(picked, targets.stored), targets.constant);
  return scale(sum(multiply(log_softmax(logits), targets.target)), -share);
}

Variable column_cross_entropy(const CategoryPlanes& planes, const Variable& d, const Tensor& column, const Tensor& category) {
  const std::int64_t rows = d.value().rows();
  check(column.numel() == rows && category.numel() == rows, "column_cross_entropy: differences ", d.shape(), " against columns ",
        column.shape(), " and categories ", category.shape());
  const Tensor host_column = column.to(Device::kCpu), host_category = category.to(Device::kCpu);
  std::vector<std::int32_t> index(static_cast<std::size_t>(3 * rows));
  std::vector<float> numbers(3 * index.size());
  fill_column_targets(planes, host_column.span<std::int32_t>(), host_category.span<std::int32_t>(), index.data(), numbers.data());
  const Device device = d.value().device();
  const Tensor all = Tensor::from<float>(numbers, {3 * rows, 3}).to(d.value().dtype()).to(device);
  return column_cross_entropy(planes, d,
                              {Tensor::from<std::int32_t>(index, {3 * rows}, device), all.slice_rows(0, rows),
                               all.slice_rows(rows, 2 * rows), all.slice_rows(2 * rows, 3 * rows)});
}

}  // namespace tapestry::autograd
