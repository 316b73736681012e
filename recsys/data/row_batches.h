#pragma once

#include <cstdint>
#include <vector>

#include "tensor/csr.h"

namespace tapestry::recsys {

/// Sparse rows [N, I] of ones in batches, on the device that reads them: what a loop over them all needs of the host goes over in
/// two copies, once. (Rows that are learnt from come in another order every epoch: sdrm/epoch_rows.h.)
class RowBatches {
 public:
  /// `rows` on the host; `batch` rows to a batch, the last one shorter. Throws Error(kMisuse) when batch is not positive or the
  /// rows have values.
  RowBatches(const CsrMatrix& rows, std::int64_t batch, Device device);

  std::int64_t size() const { return static_cast<std::int64_t>(batches_.size()); }
  /// Batch i: [B, I] on the device.
  const CsrMatrix& operator[](std::int64_t i) const { return batches_[static_cast<std::size_t>(i)]; }

 private:
  std::vector<CsrMatrix> batches_;  ///< they share the arrays
};

}  // namespace tapestry::recsys
