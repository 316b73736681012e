#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/csr.h"

namespace tapestry::recsys {

/// The batches of an epoch of sparse rows [N, I] of ones, on the device that learns from them. Rows are picked on the host (a
/// batch's size in entries depends on which rows it has); all batches of an epoch then go over in two copies, so that no step
/// of the epoch sends anything.
class RowBatches {
 public:
  /// `rows` on the host, in their own order at first; `batch` rows to a batch, the last one shorter. Throws Error(kMisuse) when
  /// batch is not positive or the rows have values.
  RowBatches(CsrMatrix rows, std::int64_t batch, Device device);

  /// The rows order[0], order[1], ... from now on; `order` may leave rows out. Batches that were handed out stay as they are.
  void reorder(std::span<const std::int32_t> order);

  std::int64_t size() const { return static_cast<std::int64_t>(batches_.size()); }
  /// Batch i: [B, I] on the device.
  const CsrMatrix& operator[](std::int64_t i) const { return batches_[static_cast<std::size_t>(i)]; }

 private:
  CsrMatrix rows_;
  std::int64_t batch_;
  Device device_;
  std::vector<CsrMatrix> batches_;  ///< they share the arrays of the epoch
};

}  // namespace tapestry::recsys
