#include "tensor/csr.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "tensor/memory.h"
#include "tensor/ops.h"

namespace tapestry {
namespace {

/// What reads or rearranges rows does so on the host; the batches it makes are then copied to the device.
void check_on_host(const char* what, const CsrMatrix& x) {
  check(x.device() == Device::kCpu, what, ": the matrix is on ", x.device(), "; rows are read and picked on the CPU");
}

/// Throws unless `values` can be those of `count` entries on `device`.
void check_values(const char* what, const Tensor& values, std::int64_t count, Device device) {
  check(values.dtype() == DType::kFloat32 || values.dtype() == DType::kFloat64, what, ": values are ", values.dtype(),
        ", not a floating-point type");
  check(values.numel() == count, what, ": ", values.numel(), " values for ", count, " entries");
  check(values.device() == device, what, ": values on ", values.device(), " for a pattern on ", device);
}

}  // namespace

/// Shared by the copies of a handle; the mutex lets independent runs ask for the transpose at once.
struct CsrMatrix::TransposeCache {
  std::mutex mutex;
  std::unique_ptr<CsrMatrix> matrix;
};

CsrMatrix::CsrMatrix(std::int64_t rows, std::int64_t cols, Tensor offsets, Tensor columns, Tensor values)
    : rows_(rows),
      cols_(cols),
      offsets_(std::move(offsets)),
      columns_(std::move(columns)),
      values_(std::move(values)),
      transpose_(std::allocate_shared<TransposeCache>(PoolAllocator<TransposeCache>())) {
  check(rows >= 0 && cols >= 0, "CsrMatrix: a matrix [", rows, ", ", cols, "]");
  check(offsets_.dtype() == DType::kInt64 && offsets_.numel() == rows + 1, "CsrMatrix: offsets ", offsets_.dtype(), " ",
        offsets_.shape(), " for ", rows, " rows");
  check(columns_.dtype() == DType::kInt32, "CsrMatrix: columns are ", columns_.dtype(), ", not int32");
  check(columns_.device() == device(), "CsrMatrix: offsets on ", device(), " and columns on ", columns_.device());
  if (values_.defined()) check_values("CsrMatrix", values_, columns_.numel(), device());
  if (device() != Device::kCpu) return;
  const std::span<const std::int64_t> start = offsets_.span<std::int64_t>();
  const std::span<const std::int32_t> column = columns_.span<std::int32_t>();
  check(start.front() == 0 && start.back() == columns_.numel(), "CsrMatrix: offsets run from ", start.front(), " to ",
        start.back(), " over ", columns_.numel(), " entries");
  for (std::size_t row = 0; row + 1 < start.size(); ++row) {  // all of them before any column is read through them
    check(start[row] <= start[row + 1], "CsrMatrix: offsets fall after row ", row);
  }
  for (std::size_t row = 0; row + 1 < start.size(); ++row) {
    for (auto at = static_cast<std::size_t>(start[row]); at < static_cast<std::size_t>(start[row + 1]); ++at) {
      check(column[at] >= 0 && column[at] < cols, "CsrMatrix: column ", column[at], " in row ", row, " of a matrix with ", cols,
            " columns");
      check(at == static_cast<std::size_t>(start[row]) || column[at - 1] < column[at], "CsrMatrix: columns of row ", row,
            " do not ascend");
    }
  }
}

CsrMatrix CsrMatrix::trusted(std::int64_t rows, std::int64_t cols, Tensor offsets, Tensor columns, Tensor values) {
  CsrMatrix matrix;
  matrix.rows_ = rows;
  matrix.cols_ = cols;
  matrix.offsets_ = std::move(offsets);
  matrix.columns_ = std::move(columns);
  matrix.values_ = std::move(values);
  matrix.transpose_ = std::allocate_shared<TransposeCache>(PoolAllocator<TransposeCache>());
  return matrix;
}

CsrMatrix CsrMatrix::from(std::int64_t rows, std::int64_t cols, const std::vector<std::int64_t>& offsets,
                          const std::vector<std::int32_t>& columns, const std::vector<float>& values) {
  const auto count = static_cast<std::int64_t>(columns.size());
  Tensor stored = values.empty() ? Tensor() : Tensor::from<float>(values, {static_cast<std::int64_t>(values.size())});
  return {rows, cols, Tensor::from<std::int64_t>(offsets, {static_cast<std::int64_t>(offsets.size())}),
          Tensor::from<std::int32_t>(columns, {count}), std::move(stored)};
}

CsrMatrix CsrMatrix::from_rows(std::int64_t cols, const std::vector<std::vector<std::int32_t>>& rows) {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> columns;
  for (const std::vector<std::int32_t>& row : rows) {
    columns.insert(columns.end(), row.begin(), row.end());
    std::sort(columns.end() - static_cast<std::ptrdiff_t>(row.size()), columns.end());
    offsets.push_back(static_cast<std::int64_t>(columns.size()));
  }
  return from(static_cast<std::int64_t>(rows.size()), cols, offsets, columns);
}

std::span<const std::int32_t> CsrMatrix::row(std::int64_t index) const {
  check_on_host("CsrMatrix::row", *this);
  check(index >= 0 && index < rows_, "CsrMatrix::row: row ", index, " of ", rows_);
  const std::int64_t* start = offsets_.data<std::int64_t>() + index;
  return {columns_.data<std::int32_t>() + start[0], static_cast<std::size_t>(start[1] - start[0])};
}

CsrMatrix CsrMatrix::with_values(Tensor values) const {
  check_values("CsrMatrix::with_values", values, nnz(), device());
  CsrMatrix changed = *this;
  changed.values_ = std::move(values);
  changed.transpose_ = std::allocate_shared<TransposeCache>(PoolAllocator<TransposeCache>());
  return changed;
}

namespace {

/// Rows picked by `source(i)` for i in [0, count): arrays that need no look, since their origin was checked.
template <typename Source>
void copy_rows(const CsrMatrix& from, std::int64_t count, const Source& source, Tensor& offsets, Tensor& columns,
               Tensor& values) {
  offsets = Tensor::empty({count + 1}, DType::kInt64);
  std::int64_t* start = offsets.data<std::int64_t>();
  start[0] = 0;
  for (std::int64_t i = 0; i < count; ++i) start[i + 1] = start[i] + from.row_nnz(source(i));
  columns = Tensor::empty({start[count]}, DType::kInt32);
  if (from.has_values()) values = Tensor::empty({start[count]}, from.values().dtype());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::span<const std::int32_t> row = from.row(source(i));
    std::copy(row.begin(), row.end(), columns.data<std::int32_t>() + start[i]);
    if (!from.has_values()) continue;
    const auto width = static_cast<std::size_t>(size_of(values.dtype()));
    const auto begin = static_cast<std::size_t>(from.offsets().data<std::int64_t>()[source(i)]);
    std::memcpy(static_cast<std::byte*>(values.raw_data()) + static_cast<std::size_t>(start[i]) * width,
                static_cast<const std::byte*>(from.values().raw_data()) + begin * width, row.size() * width);
  }
}

}  // namespace

CsrMatrix CsrMatrix::gather_rows(std::span<const std::int32_t> indices) const {
  check_on_host("CsrMatrix::gather_rows", *this);
  Tensor offsets;
  Tensor columns;
  Tensor values;
  copy_rows(
      *this, static_cast<std::int64_t>(indices.size()), [&](std::int64_t i) { return indices[static_cast<std::size_t>(i)]; },
      offsets, columns, values);
  return trusted(static_cast<std::int64_t>(indices.size()), cols_, std::move(offsets), std::move(columns), std::move(values));
}

CsrMatrix CsrMatrix::slice_rows(std::int64_t begin, std::int64_t end) const {
  check_on_host("CsrMatrix::slice_rows", *this);
  check(0 <= begin && begin <= end && end <= rows_, "CsrMatrix::slice_rows: [", begin, ", ", end, ") of ", rows_, " rows");
  Tensor offsets;
  Tensor columns;
  Tensor values;
  copy_rows(
      *this, end - begin, [&](std::int64_t i) { return begin + i; }, offsets, columns, values);
  return trusted(end - begin, cols_, std::move(offsets), std::move(columns), std::move(values));
}

const CsrMatrix& CsrMatrix::transpose() const {
  check(transpose_ != nullptr, "CsrMatrix::transpose: the matrix was used before it was given a value");
  check_on_host("CsrMatrix::transpose", *this);
  check(offsets_.data<std::int64_t>()[rows_] == nnz(), "CsrMatrix::transpose: ", offsets_.data<std::int64_t>()[rows_],
        " entries in room for ", nnz());
  const std::lock_guard lock(transpose_->mutex);
  if (transpose_->matrix != nullptr) return *transpose_->matrix;
  // Counting sort by column: entries of one column keep their row order, so the rows of the transpose ascend.
  Tensor offsets = Tensor::zeros({cols_ + 1}, DType::kInt64);
  Tensor columns = Tensor::empty({nnz()}, DType::kInt32);
  Tensor values = has_values() ? Tensor::empty({nnz()}, values_.dtype()) : Tensor();
  std::int64_t* start = offsets.data<std::int64_t>();
  for (const std::int32_t column : columns_.span<std::int32_t>()) ++start[column + 1];
  for (std::int64_t column = 0; column < cols_; ++column) start[column + 1] += start[column];
  std::vector<std::int64_t> next(start, start + cols_);
  const auto copy_value = [&](std::int64_t to, std::int64_t from) {
    if (values_.dtype() == DType::kFloat32) {
      values.data<float>()[to] = values_.data<float>()[from];
    } else {
      values.data<double>()[to] = values_.data<double>()[from];
    }
  };
  std::int64_t at = 0;
  for (std::int64_t row_index = 0; row_index < rows_; ++row_index) {
    for (const std::int32_t column : row(row_index)) {
      const std::int64_t to = next[static_cast<std::size_t>(column)]++;
      columns.data<std::int32_t>()[to] = static_cast<std::int32_t>(row_index);
      if (has_values()) copy_value(to, at);
      ++at;
    }
  }
  transpose_->matrix = std::make_unique<CsrMatrix>(cols_, rows_, std::move(offsets), std::move(columns), std::move(values));
  return *transpose_->matrix;
}

CsrMatrix CsrMatrix::to(Device device) const {
  if (device == this->device()) return *this;
  Tensor offsets = offsets_.to(device);
  const Tensor& on_host = device == Device::kCpu ? offsets : offsets_;
  const std::int64_t entries = on_host.data<std::int64_t>()[rows_];
  const auto held = [&](const Tensor& all) { return all.reshape({all.numel()}).slice_rows(0, entries).to(device); };
  return trusted(rows_, cols_, std::move(offsets), held(columns_), has_values() ? held(values_) : Tensor());
}

CsrMatrix concat_rows(std::span<const CsrMatrix> parts) {
  check(!parts.empty(), "concat_rows: no parts");
  bool keep_values = true;
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<Tensor> values;
  for (const CsrMatrix& part : parts) {
    check(part.cols() == parts.front().cols(), "concat_rows: parts with ", parts.front().cols(), " and ", part.cols(),
          " columns");
    const std::size_t before = columns.size();
    for (std::int64_t row = 0; row < part.rows(); ++row) {
      const std::span<const std::int32_t> stored = part.row(row);
      columns.insert(columns.end(), stored.begin(), stored.end());
      offsets.push_back(static_cast<std::int64_t>(columns.size()));
    }
    if (columns.size() == before) continue;  // no entry, no value
    keep_values = keep_values && part.has_values();
    values.push_back(part.values());
  }
  const CsrMatrix pattern =
      CsrMatrix::from(static_cast<std::int64_t>(offsets.size()) - 1, parts.front().cols(), offsets, columns);
  return keep_values && !values.empty() ? pattern.with_values(concat_rows(values)) : pattern;
}

}  // namespace tapestry
