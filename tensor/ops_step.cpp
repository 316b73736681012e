#include <array>

#include "tensor/dispatch.h"
#include "tensor/ops.h"
#include "tensor/ops_common.h"

/// The part of ops.h for steps that advance by themselves: what changes from step to step is read on the device.
namespace tapestry {

Tensor weighted_sum(const Tensor& weights, std::initializer_list<Tensor> terms) {
  check(terms.size() >= 1 && terms.size() <= 4, "weighted_sum: ", terms.size(), " terms, one to four are possible");
  check(weights.numel() == static_cast<std::int64_t>(terms.size()), "weighted_sum: weights ", weights.shape(), " for ",
        terms.size(), " terms");
  const Tensor& first = *terms.begin();
  check_same_kind("weighted_sum", weights, first);
  for (const Tensor& term : terms) check_same_shape("weighted_sum", first, term);
  Tensor y = empty_like(first);
  dispatch("weighted_sum", y.device(), y.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    std::array<const T*, 4> data = {};
    std::size_t count = 0;
    for (const Tensor& term : terms) data[count++] = term.data<T>();
    kernels.weighted_sum(y.numel(), static_cast<int>(count), weights.data<T>(), data.data(), y.data<T>());
  });
  return y;
}

void replace_rows(const Tensor& level, const Tensor& bound, const Tensor& x, const Tensor& target) {
  check_same_shape("replace_rows", x, target);
  check_same_shape("replace_rows", level, bound);
  check(level.dtype() == DType::kInt32 && level.numel() == x.rows() && level.device() == x.device(), "replace_rows: levels ",
        level.dtype(), " ", level.shape(), " for ", x.rows(), " rows");
  dispatch("replace_rows", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.replace_rows(x.rows(), x.cols(), level.data<std::int32_t>(), bound.data<std::int32_t>(), x.data<T>(),
                         target.data<T>());
  });
}

void add_integer(const Tensor& target, std::int32_t amount) {
  check(target.dtype() == DType::kInt32, "add_integer: a tensor of ", target.dtype(), ", not int32");
  dispatch<float>(target.device(),
                  [&](auto kernels) { kernels.add_integer(target.numel(), amount, target.data<std::int32_t>()); });
}

namespace {

void check_rows_fit(const CsrMatrix& x, const Tensor& index, std::int64_t room) {
  std::int64_t entries = 0;
  for (const std::int32_t row : index.span<std::int32_t>()) {
    check(row >= 0 && row < x.rows(), "gather_rows: index ", row, " into ", x.rows(), " rows");
    entries += x.row_nnz(row);
  }
  check(entries <= room, "gather_rows: ", entries, " entries in room for ", room);
}

}  // namespace

CsrMatrix gather_rows(const CsrMatrix& x, const Tensor& index, std::int64_t room) {
  check(index.dtype() == DType::kInt32 && index.device() == x.device(), "gather_rows: an index of ", index.dtype(), " on ",
        index.device(), " into a matrix on ", x.device());
  if (x.device() == Device::kCpu) check_rows_fit(x, index, room);
  const std::int64_t rows = index.numel();
  const DType dtype = x.has_values() ? x.values().dtype() : DType::kFloat32;
  Tensor offsets = Tensor::empty({rows + 1}, DType::kInt64, x.device());
  Tensor columns = Tensor::empty({room}, DType::kInt32, x.device());
  Tensor values = x.has_values() ? Tensor::empty({room}, dtype, x.device()) : Tensor();
  dispatch("gather_rows", x.device(), dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.csr_gather_rows(view<T>("gather_rows", x, x.device()), rows, index.data<std::int32_t>(), offsets.data<std::int64_t>(),
                            columns.data<std::int32_t>(), x.has_values() ? values.data<T>() : nullptr);
  });
  return CsrMatrix::trusted(rows, x.cols(), std::move(offsets), std::move(columns), std::move(values));
}

}  // namespace tapestry
