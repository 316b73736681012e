#include "recsys/data/row_batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tapestry::recsys {

RowBatches::RowBatches(CsrMatrix rows, std::int64_t batch, Device device)
    : rows_(std::move(rows)), batch_(batch), device_(device) {
  check(batch > 0, "RowBatches: batch ", batch, " is not positive");
  check(!rows_.has_values(), "RowBatches: rows with values of their own, expected ones");
  std::vector<std::int32_t> order(static_cast<std::size_t>(rows_.rows()));
  std::iota(order.begin(), order.end(), 0);
  reorder(order);
}

void RowBatches::reorder(std::span<const std::int32_t> order) {
  const CsrMatrix picked = rows_.gather_rows(order);
  const std::int64_t count = (picked.rows() + batch_ - 1) / batch_;
  // The offsets of every batch count from 0, so that a batch is a matrix like any other: one number more than it has rows.
  const Tensor counted = Tensor::empty({picked.rows() + count}, DType::kInt64);
  const std::span<const std::int64_t> start = picked.offsets().span<std::int64_t>();
  std::int64_t* to = counted.data<std::int64_t>();
  for (std::int64_t begin = 0; begin < picked.rows(); begin += batch_) {
    const std::int64_t end = std::min(picked.rows(), begin + batch_);
    for (std::int64_t row = begin; row <= end; ++row) {
      *to++ = start[static_cast<std::size_t>(row)] - start[static_cast<std::size_t>(begin)];
    }
  }
  const Tensor offsets = counted.to(device_), columns = picked.columns().to(device_);
  batches_.clear();
  for (std::int64_t begin = 0, at = 0; begin < picked.rows(); begin += batch_) {
    const std::int64_t end = std::min(picked.rows(), begin + batch_);
    batches_.emplace_back(end - begin, picked.cols(), offsets.slice_rows(at, at + end - begin + 1),
                          columns.slice_rows(start[static_cast<std::size_t>(begin)], start[static_cast<std::size_t>(end)]));
    at += end - begin + 1;
  }
}

}  // namespace tapestry::recsys
