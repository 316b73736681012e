#pragma once

#include "tensor/kernels.h"
#include "tensor/ops.h"

/// What the files behind ops.h share: checks of operands, and tensors as kernels see them.
namespace tapestry {

/// Throws unless all of these (tensors, matrices; an undefined tensor is an absent option) are where the operation computes. What
/// a kernel reads elsewhere is another's memory, or none.
template <typename... Operands>
void check_on(const char* op, Device device, const Operands&... operands) {
  const auto check_one = [&](const auto& operand) {
    if constexpr (requires { operand.defined(); }) {
      if (!operand.defined()) return;
    }
    check(operand.device() == device, op, ": operands are on ", device, " and ", operand.device());
  };
  (check_one(operands), ...);
}

/// Throws unless both have a value, and these are of one type and on one device.
inline void check_same_kind(const char* op, const Tensor& a, const Tensor& b) {
  check(a.defined() && b.defined(), op, ": an operand was used before it was given a value");
  check(a.dtype() == b.dtype() && a.device() == b.device(), op, ": operands are ", a.dtype(), " ", a.shape(), " on ", a.device(),
        " and ", b.dtype(), " ", b.shape(), " on ", b.device());
}

inline void check_same_shape(const char* op, const Tensor& a, const Tensor& b) {
  check_same_kind(op, a, b);
  check(a.shape() == b.shape(), op, ": shapes ", a.shape(), " and ", b.shape(), " differ");
}

/// Throws unless `number`, which `what` names, is one element of x's type where x is.
inline void check_number(const char* op, const char* what, const Tensor& x, const Tensor& number) {
  check_same_kind(op, x, number);
  check(number.numel() == 1, op, ": the ", what, " has shape ", number.shape(), ", one number is needed");
}

/// Throws unless `index` is int32 [count] on `device`.
inline void check_index(const char* op, const Tensor& index, std::int64_t count, Device device) {
  check(index.dtype() == DType::kInt32, op, ": the index is ", index.dtype(), ", not int32");
  check(index.numel() == count, op, ": ", index.numel(), " indices for ", count, " rows");
  check_on(op, device, index);
}

inline Tensor empty_like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

/// The matrix as kernels of element type T on `device` see it. Throws when it is elsewhere, or its values are of another type.
template <typename T>
CsrView<T> view(const char* op, const CsrMatrix& x, Device device) {
  check_on(op, device, x);
  if (x.has_values()) {
    check(x.values().dtype() == kDTypeOf<T>, op, ": a sparse matrix of ", x.values().dtype(), " among operands of ", kDTypeOf<T>);
  }
  return {x.rows(), x.cols(), x.offsets().data<std::int64_t>(), x.columns().data<std::int32_t>(),
          x.has_values() ? x.values().data<T>() : nullptr};
}

}  // namespace tapestry
