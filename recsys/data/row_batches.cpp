#include "recsys/data/row_batches.h"

#include <algorithm>
#include <span>

namespace tapestry::recsys {

RowBatches::RowBatches(const CsrMatrix& rows, std::int64_t batch, Device device) {
  check(batch > 0, "RowBatches: batch ", batch, " is not positive");
  check(!rows.has_values(), "RowBatches: rows with values of their own, expected ones");
  const std::int64_t count = (rows.rows() + batch - 1) / batch;
  // The offsets of every batch count from 0, so that a batch is a matrix like any other: one number more than it has rows.
  const Tensor counted = Tensor::empty({rows.rows() + count}, DType::kInt64);
  const std::span<const std::int64_t> start = rows.offsets().span<std::int64_t>();
  std::int64_t* to = counted.data<std::int64_t>();
  for (std::int64_t begin = 0; begin < rows.rows(); begin += batch) {
    const std::int64_t end = std::min(rows.rows(), begin + batch);
    for (std::int64_t row = begin; row <= end; ++row) {
      *to++ = start[static_cast<std::size_t>(row)] - start[static_cast<std::size_t>(begin)];
    }
  }
  const Tensor offsets = counted.to(device), columns = rows.columns().to(device);
  for (std::int64_t begin = 0, at = 0; begin < rows.rows(); begin += batch) {
    const std::int64_t end = std::min(rows.rows(), begin + batch);
    batches_.emplace_back(end - begin, rows.cols(), offsets.slice_rows(at, at + end - begin + 1),
                          columns.slice_rows(start[static_cast<std::size_t>(begin)], start[static_cast<std::size_t>(end)]));
    at += end - begin + 1;
  }
}

}  // namespace tapestry::recsys
