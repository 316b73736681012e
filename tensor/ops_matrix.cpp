#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/dispatch.h"
#include "tensor/memory.h"
#include "tensor/ops.h"
#include "tensor/ops_common.h"

/// The parts of ops.h for products, sparse rows, moving rows and columns, random numbers.
namespace tapestry {
namespace {

void check_probability(const char* op, double p) { check(p >= 0 && p < 1, op, ": probability ", p, " is not in [0, 1)"); }

/// An index outside would read or write other memory. On a GPU the kernel's caller vouches for it.
void check_index_range(const char* op, const Tensor& index, std::int64_t rows) {
  if (index.device() != Device::kCpu) return;
  for (const std::int32_t row : index.span<std::int32_t>()) {
    check(row >= 0 && row < rows, op, ": index ", row, " into ", rows, " rows");
  }
}

const std::int32_t* row_ids_or_null(const char* op, const Tensor& row_ids, std::int64_t rows, Device device) {
  if (!row_ids.defined()) return nullptr;
  check_index(op, row_ids, rows, device);
  return row_ids.data<std::int32_t>();
}

}  // namespace

namespace {

struct ProductSize {
  std::int64_t m, n, k;
};

ProductSize product_size(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  check_same_kind("matmul", a, b);
  check(a.shape().rank() == 2 && b.shape().rank() == 2, "matmul: matrices are needed, not ", a.shape(), " and ", b.shape());
  const std::int64_t inner_a = a.size(transpose_a ? 0 : 1);
  const std::int64_t inner_b = b.size(transpose_b ? 1 : 0);
  check(inner_a == inner_b, "matmul: inner sizes ", inner_a, " and ", inner_b, " of ", a.shape(), transpose_a ? "^T" : "",
        " and ", b.shape(), transpose_b ? "^T" : "", " differ");
  return {a.size(transpose_a ? 1 : 0), b.size(transpose_b ? 0 : 1), inner_a};
}

void matmul_into(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b, bool accumulate, const Tensor& c,
                 const ProductSize& size) {
  dispatch("matmul", a.device(), a.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.matmul(transpose_a, transpose_b, size.m, size.n, size.k, a.data<T>(), a.size(1), b.data<T>(), b.size(1), accumulate,
                   c.data<T>(), size.n);
  });
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  const ProductSize size = product_size(a, b, transpose_a, transpose_b);
  Tensor c = Tensor::empty({size.m, size.n}, a.dtype(), a.device());
  matmul_into(a, b, transpose_a, transpose_b, false, c, size);
  return c;
}

void matmul_accumulate(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b, const Tensor& c) {
  const ProductSize size = product_size(a, b, transpose_a, transpose_b);
  check_same_kind("matmul_accumulate", a, c);
  check(c.shape() == Shape({size.m, size.n}), "matmul_accumulate: product [", size.m, ", ", size.n, "] into ", c.shape());
  matmul_into(a, b, transpose_a, transpose_b, true, c, size);
}

Tensor csr_matmul(const CsrMatrix& x, const Tensor& w) {
  check(w.shape().rank() == 2 && w.size(0) == x.cols(), "csr_matmul: [", x.rows(), ", ", x.cols(), "] times ", w.shape());
  Tensor y = Tensor::empty({x.rows(), w.size(1)}, w.dtype(), w.device());
  dispatch("csr_matmul", w.device(), w.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.csr_matmul(view<T>("csr_matmul", x, w.device()), w.size(1), w.data<T>(), y.data<T>());
  });
  return y;
}

Tensor csr_transpose_matmul(const CsrMatrix& x, const Tensor& dy) {
  check(dy.shape().rank() == 2 && dy.size(0) == x.rows(), "csr_transpose_matmul: [", x.rows(), ", ", x.cols(), "]^T times ",
        dy.shape());
  Tensor y = Tensor::empty({x.cols(), dy.size(1)}, dy.dtype(), dy.device());
  dispatch("csr_transpose_matmul", dy.device(), dy.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.csr_transpose_matmul(view<T>("csr_transpose_matmul", x, dy.device()), dy.size(1), dy.data<T>(), y.data<T>());
  });
  return y;
}

void csr_transpose_matmul_add(const CsrMatrix& x, const Tensor& dy, const Tensor& y) {
  check_same_kind("csr_transpose_matmul_add", dy, y);
  check(dy.shape().rank() == 2 && dy.size(0) == x.rows() && y.shape() == (Shape{x.cols(), dy.size(1)}),
        "csr_transpose_matmul_add: [", x.rows(), ", ", x.cols(), "]^T times ", dy.shape(), " onto ", y.shape());
  dispatch("csr_transpose_matmul_add", dy.device(), dy.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.csr_transpose_matmul_add(view<T>("csr_transpose_matmul_add", x, dy.device()), dy.size(1), dy.data<T>(), y.data<T>());
  });
}

Tensor dense(const CsrMatrix& x, DType dtype) {
  const CsrMatrix typed = x.has_values() ? x.with_values(x.values().to(dtype)) : x;
  Tensor y = Tensor::empty({x.rows(), x.cols()}, dtype, x.device());
  dispatch("dense", x.device(), dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.csr_dense(view<T>("dense", typed, x.device()), y.data<T>());
  });
  return y;
}

CsrMatrix normalize_rows(const CsrMatrix& x, DType dtype) {
  Tensor values = Tensor::empty({x.nnz()}, dtype, x.device());
  dispatch("normalize_rows", x.device(), dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.csr_normalize_rows(view<T>("normalize_rows", x, x.device()), T(1e-12), values.data<T>());
  });
  return x.with_values(values);
}

CsrMatrix dropout(const CsrMatrix& x, double p, const RandomStream& stream, const Tensor& row_ids) {
  check_probability("dropout", p);
  const DType dtype = x.has_values() ? x.values().dtype() : DType::kFloat32;
  const std::int32_t* ids = row_ids_or_null("dropout", row_ids, x.rows(), x.device());
  Tensor values = Tensor::empty({x.nnz()}, dtype, x.device());
  dispatch("dropout", x.device(), dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.csr_dropout(view<T>("dropout", x, x.device()), static_cast<T>(p), stream, ids, values.data<T>());
  });
  return x.with_values(values);
}

Tensor gather_rows(const Tensor& table, const Tensor& index) {
  check_index("gather_rows", index, index.numel(), table.device());
  check(table.shape().rank() == 2, "gather_rows: a matrix is needed, not ", table.shape());
  check_index_range("gather_rows", index, table.size(0));
  Tensor y = Tensor::empty({index.numel(), table.cols()}, table.dtype(), table.device());
  if (table.dtype() == DType::kInt32) {
    dispatch<float>(table.device(), [&](auto kernels) {
      kernels.gather_integers(index.numel(), table.cols(), table.data<std::int32_t>(), index.data<std::int32_t>(),
                              y.data<std::int32_t>());
    });
    return y;
  }
  dispatch("gather_rows", table.device(), table.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.gather_rows(index.numel(), table.cols(), table.data<T>(), index.data<std::int32_t>(), y.data<T>());
  });
  return y;
}

void scatter_add_rows(const Tensor& x, const Tensor& index, const Tensor& target) {
  check_same_kind("scatter_add_rows", x, target);
  check_index("scatter_add_rows", index, x.rows(), x.device());
  check(x.cols() == target.cols(), "scatter_add_rows: ", x.shape(), " into ", target.shape());
  check_index_range("scatter_add_rows", index, target.rows());
  dispatch("scatter_add_rows", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.scatter_add_rows(x.rows(), x.cols(), x.data<T>(), index.data<std::int32_t>(), target.data<T>());
  });
}

namespace {

/// What adam_rows is told of rows and steps, on the host. Two threads at a time would update a row that is named twice.
void check_row_steps(const Tensor& index, const Tensor& done, const Tensor& count, bool one_more, std::int64_t prepared,
                     std::int64_t rows) {
  const std::int64_t made = count.data<std::int32_t>()[0];
  check(made >= 0 && made + (one_more ? 1 : 0) <= prepared, "adam_rows: step ", made, " by factors of ", prepared, " steps");
  const std::span<const std::int32_t> row = index.span<std::int32_t>(), had = done.span<std::int32_t>();
  std::int32_t last = -1;
  bool ascending = true;  // as rows of a batch do: then none comes twice
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] < 0) continue;
    check(row[i] < rows, "adam_rows: index ", row[i], " into ", rows, " rows");
    check(had[i] >= 0, "adam_rows: row ", row[i], " has had ", had[i], " steps");
    ascending = ascending && row[i] > last;
    last = row[i];
  }
  if (ascending) return;
  std::vector<std::int32_t> sorted(row.begin(), row.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(std::lower_bound(sorted.begin(), sorted.end(), 0), sorted.end());
  if (twice != sorted.end()) fail(ErrorKind::kMisuse, "adam_rows: row ", *twice, " is named twice");
}

}  // namespace

void adam_rows(const Tensor& index, const Tensor& done, const Tensor& factors, const Tensor& count, const Tensor& gradient,
               const Tensor& value, const Tensor& first, const Tensor& second) {
  const std::int64_t n = index.numel();
  for (const Tensor& numbers : {index, done}) check_index("adam_rows", numbers, n, value.device());
  check_index("adam_rows", count, 1, value.device());
  check(value.shape().rank() == 2, "adam_rows: a matrix is needed, not ", value.shape());
  check_same_shape("adam_rows", value, first);
  check_same_shape("adam_rows", value, second);
  check_same_kind("adam_rows", factors, value);
  check(factors.cols() == kAdamFactors, "adam_rows: factors ", factors.shape());
  if (gradient.defined()) {
    check_same_kind("adam_rows", gradient, value);
    check(gradient.rows() == n && gradient.cols() == value.cols(), "adam_rows: a gradient ", gradient.shape(), " for ", n,
          " rows of ", value.shape());
  }
  if (index.device() == Device::kCpu) check_row_steps(index, done, count, gradient.defined(), factors.rows(), value.size(0));
  dispatch("adam_rows", value.device(), value.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.adam_rows(n, value.cols(), index.data<std::int32_t>(), done.data<std::int32_t>(), factors.data<T>(),
                      count.data<std::int32_t>(), gradient.defined() ? gradient.data<T>() : nullptr, value.data<T>(),
                      first.data<T>(), second.data<T>());
  });
}

namespace {

void copy_columns(const char* op, const Tensor& x, std::int64_t x_begin, std::int64_t cols, bool accumulate, const Tensor& y,
                  std::int64_t y_begin) {
  dispatch(op, x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.copy_block(x.rows(), cols, x.data<T>() + x_begin, x.cols(), accumulate, y.data<T>() + y_begin, y.cols());
  });
}

}  // namespace

Tensor concat_columns(const std::vector<Tensor>& parts) {
  check(!parts.empty(), "concat_columns: no parts");
  std::int64_t cols = 0;
  for (const Tensor& part : parts) {
    check_same_kind("concat_columns", parts.front(), part);
    check(part.shape().rank() == 2 && part.rows() == parts.front().rows(), "concat_columns: ", parts.front().shape(), " and ",
          part.shape());
    cols += part.cols();
  }
  Tensor y = Tensor::empty({parts.front().rows(), cols}, parts.front().dtype(), parts.front().device());
  std::int64_t at = 0;
  for (const Tensor& part : parts) {
    copy_columns("concat_columns", part, 0, part.cols(), false, y, at);
    at += part.cols();
  }
  return y;
}

void copy_into(const Tensor& target, const Tensor& source) {
  check(target.dtype() == source.dtype() && target.numel() == source.numel(), "copy_into: ", source.dtype(), " ", source.shape(),
        " into ", target.dtype(), " ", target.shape());
  const auto to = reinterpret_cast<std::uintptr_t>(target.raw_data()), from = reinterpret_cast<std::uintptr_t>(source.raw_data());
  const auto bytes = static_cast<std::uintptr_t>(source.bytes());
  check(target.device() != source.device() || to == from || to + bytes <= from || from + bytes <= to,
        "copy_into: ", source.shape(), " and ", target.shape(), " overlap in part; give it a clone() of the source");
  copy_bytes(target.raw_data(), target.device(), source.raw_data(), source.device(), static_cast<std::size_t>(source.bytes()));
}

Tensor concat_rows(const std::vector<Tensor>& parts) {
  check(!parts.empty(), "concat_rows: no parts");
  std::int64_t rows = 0;
  for (const Tensor& part : parts) {
    check_same_kind("concat_rows", parts.front(), part);
    check(part.shape().rank() >= 1 && part.shape().with_rows(0) == parts.front().shape().with_rows(0),
          "concat_rows: ", parts.front().shape(), " and ", part.shape());
    rows += part.size(0);
  }
  Tensor y = Tensor::empty(parts.front().shape().with_rows(rows), parts.front().dtype(), parts.front().device());
  std::int64_t at = 0;
  for (const Tensor& part : parts) {
    copy_columns("concat_rows", part, 0, part.cols(), false, y.slice_rows(at, at + part.size(0)), 0);
    at += part.size(0);
  }
  return y;
}

Tensor slice_columns(const Tensor& x, std::int64_t begin, std::int64_t end) {
  check(x.shape().rank() == 2 && 0 <= begin && begin <= end && end <= x.cols(), "slice_columns: [", begin, ", ", end, ") of ",
        x.shape());
  Tensor y = Tensor::empty({x.rows(), end - begin}, x.dtype(), x.device());
  copy_columns("slice_columns", x, begin, end - begin, false, y, 0);
  return y;
}

void add_to_columns(const Tensor& x, const Tensor& target, std::int64_t begin) {
  check_same_kind("add_to_columns", x, target);
  check(x.rows() == target.rows() && begin >= 0 && begin <= target.cols() - x.cols(), "add_to_columns: ", x.shape(),
        " at column ", begin, " of ", target.shape());
  copy_columns("add_to_columns", x, 0, x.cols(), true, target, begin);
}

Tensor random_uniform(const Shape& shape, const RandomStream& stream, double low, double high, DType dtype, Device device,
                      const Tensor& row_ids) {
  Tensor y = Tensor::empty(shape, dtype, device);
  const std::int32_t* ids = row_ids_or_null("random_uniform", row_ids, y.rows(), device);
  dispatch("random_uniform", device, dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.random_uniform(y.rows(), y.cols(), stream, ids, static_cast<T>(low), static_cast<T>(high), y.data<T>());
  });
  return y;
}

Tensor random_normal(const Shape& shape, const RandomStream& stream, double mean, double deviation, DType dtype, Device device,
                     const Tensor& row_ids) {
  Tensor y = Tensor::empty(shape, dtype, device);
  const std::int32_t* ids = row_ids_or_null("random_normal", row_ids, y.rows(), device);
  dispatch("random_normal", device, dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.random_normal(y.rows(), y.cols(), stream, ids, static_cast<T>(mean), static_cast<T>(deviation), y.data<T>());
  });
  return y;
}

Tensor random_gumbel(const Shape& shape, const RandomStream& stream, DType dtype, Device device, const Tensor& row_ids) {
  Tensor y = Tensor::empty(shape, dtype, device);
  const std::int32_t* ids = row_ids_or_null("random_gumbel", row_ids, y.rows(), device);
  dispatch("random_gumbel", device, dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.random_gumbel(y.rows(), y.cols(), stream, ids, y.data<T>());
  });
  return y;
}

Tensor dropout(const Tensor& x, double p, const RandomStream& stream, const Tensor& row_ids) {
  check_probability("dropout", p);
  const std::int32_t* ids = row_ids_or_null("dropout", row_ids, x.rows(), x.device());
  Tensor y = empty_like(x);
  dispatch("dropout", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.dropout(x.rows(), x.cols(), x.data<T>(), static_cast<T>(p), stream, ids, y.data<T>());
  });
  return y;
}

}  // namespace tapestry
