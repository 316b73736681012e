#pragma once

#include "tensor/kernels.h"
#include "tensor/ops.h"

/// What the files behind ops.h share: checks of operands, and tensors as kernels see them.
namespace tapestry {

inline void check_same_kind(const char* op, const Tensor& a, const Tensor& b) {
  check(a.dtype() == b.dtype(), op, ": operands are ", a.dtype(), " and ", b.dtype());
  check(a.device() == b.device(), op, ": operands are on ", a.device(), " and ", b.device());
}

inline void check_same_shape(const char* op, const Tensor& a, const Tensor& b) {
  check_same_kind(op, a, b);
  check(a.shape() == b.shape(), op, ": shapes ", a.shape(), " and ", b.shape(), " differ");
}

inline Tensor empty_like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

/// The matrix as kernels of element type T see it. Throws when its values are of another type.
template <typename T>
CsrView<T> view(const CsrMatrix& x) {
  return {x.rows(), x.cols(), x.offsets().data<std::int64_t>(), x.columns().data<std::int32_t>(),
          x.has_values() ? x.values().data<T>() : nullptr};
}

}  // namespace tapestry
