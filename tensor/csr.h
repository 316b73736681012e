#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace tapestry {

/// A sparse matrix in compressed sparse row form. Columns ascend within a row. Values are optional: absent, every stored entry
/// is one, which is all that an interaction matrix needs. Handles share their arrays, as Tensor does.
class CsrMatrix {
 public:
  CsrMatrix() = default;

  /// offsets int64 [rows + 1], columns int32 [nnz], values float32 or float64 [nnz] or undefined, on one device. Throws
  /// Error(kMisuse) when the arrays do not describe a matrix (offsets that fall, a column out of range or not ascending); what
  /// offsets and columns say is looked at on the CPU only: on a GPU the caller vouches for it.
  CsrMatrix(std::int64_t rows, std::int64_t cols, Tensor offsets, Tensor columns, Tensor values = {});

  /// The same from host vectors.
  static CsrMatrix from(std::int64_t rows, std::int64_t cols, const std::vector<std::int64_t>& offsets,
                        const std::vector<std::int32_t>& columns, const std::vector<float>& values = {});
  /// From a list of column lists, one per row; they are sorted and must not repeat a column.
  static CsrMatrix from_rows(std::int64_t cols, const std::vector<std::vector<std::int32_t>>& rows);

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::int64_t nnz() const { return columns_.defined() ? columns_.numel() : 0; }
  Device device() const { return offsets_.device(); }
  bool has_values() const { return values_.defined(); }

  const Tensor& offsets() const { return offsets_; }  ///< int64 [rows + 1]
  const Tensor& columns() const { return columns_; }  ///< int32 [nnz]
  const Tensor& values() const { return values_; }    ///< [nnz], undefined when all ones

  /// The stored columns of one row (host only).
  std::span<const std::int32_t> row(std::int64_t index) const;
  std::int64_t row_nnz(std::int64_t index) const { return static_cast<std::int64_t>(row(index).size()); }

  /// The same pattern with other values [nnz]. Throws unless they are float32 or float64 on the matrix's device.
  CsrMatrix with_values(Tensor values) const;

  /// Rows `indices[0..n)` in that order, the matrix on the host: the batch of a training step.
  CsrMatrix gather_rows(std::span<const std::int32_t> indices) const;
  /// Rows [begin, end), copied, the matrix on the host.
  CsrMatrix slice_rows(std::int64_t begin, std::int64_t end) const;
  /// The transpose, made on the first call and kept as long as a copy of this handle lives (host only: throws on a GPU).
  const CsrMatrix& transpose() const;
  /// This matrix on `device`: itself if it is there already, else without what room there is behind its last row.
  CsrMatrix to(Device device) const;

  /// From arrays known to be sound, without looking at them; columns and values may have room to spare behind the last row, which
  /// nnz() then counts.
  static CsrMatrix trusted(std::int64_t rows, std::int64_t cols, Tensor offsets, Tensor columns, Tensor values);

 private:
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  Tensor offsets_;
  Tensor columns_;
  Tensor values_;
  struct TransposeCache;
  std::shared_ptr<TransposeCache> transpose_;
};

/// The rows of all parts in order, on the host. Throws unless they have the same number of columns. Values are kept if every part
/// with entries has them, and have to be of one type then; otherwise all entries are ones.
CsrMatrix concat_rows(std::span<const CsrMatrix> parts);

}  // namespace tapestry
