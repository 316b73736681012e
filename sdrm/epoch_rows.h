#pragma once

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "sdrm/epoch_cursor.h"

namespace tapestry::sdrm {

/// The sparse rows that a model learns from, brought once to where it is, and the batches of an epoch, which are picked there: an
/// epoch sends nothing but its order.
class EpochRows {
 public:
  /// `rows` on the host, at least one; `batch` of them to a batch, the last one shorter. Throws Error(kMisuse) for rows on a GPU.
  EpochRows(const CsrMatrix& rows, std::int64_t batch, Device device)
      : rows_(rows.device() == device ? rows : rows.to(device)),
        batch_(std::min(batch, rows.rows())),
        updates_((rows.rows() + batch - 1) / batch),
        room_(most_entries(rows, batch_)),
        order_(Tensor::empty({updates_, batch_}, DType::kInt32, device)) {}

  std::int64_t rows() const { return rows_.rows(); }
  std::int64_t updates() const { return updates_; }  ///< of an epoch, U
  std::int64_t batch() const { return batch_; }      ///< B, no more than there are rows
  /// Rows of update i of an epoch.
  std::int64_t count(std::int64_t i) const { return std::min(batch_, rows_.rows() - i * batch_); }

  /// The order of the next epoch: all rows, on the host. What a shorter last batch leaves of it is filled up.
  void reorder(std::vector<std::int32_t>& order) const {
    order.resize(static_cast<std::size_t>(updates_ * batch_));
    bring(order.data(), order_);
  }
  /// The `count` rows of the update at which the cursor stands: [count, I], in buffers with room for the longest rows.
  CsrMatrix batch(const EpochCursor& cursor, std::int64_t count) const {
    return gather_rows(rows_, cursor.row(order_).slice_rows(0, count), room_);
  }

 private:
  /// How many entries `batch` rows can have in all: those of the longest ones. `rows` are read on the host.
  static std::int64_t most_entries(const CsrMatrix& rows, std::int64_t batch) {
    std::vector<std::int64_t> lengths;
    for (std::int64_t row = 0; row < rows.rows(); ++row) lengths.push_back(rows.row_nnz(row));
    std::partial_sort(lengths.begin(), lengths.begin() + batch, lengths.end(), std::greater<>());
    return std::accumulate(lengths.begin(), lengths.begin() + batch, std::int64_t{0});
  }

  CsrMatrix rows_;        ///< [N, I]
  std::int64_t batch_;    ///< B
  std::int64_t updates_;  ///< U
  std::int64_t room_;
  Tensor order_;  ///< int32 [U, B] rows in the order of this epoch
};

}  // namespace tapestry::sdrm
