#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "tensor/memory.h"
#include "tensor/ops.h"
#include "tensor/tensor.h"

namespace tapestry::autograd {

/// Where the gradient of one value gathers during a backward sweep. Null for a value that needs none, so that an op asks
/// `if (gradient)` before it computes anything for an input.
class GradientSlot {
 public:
  GradientSlot() = default;
  static GradientSlot of_leaf() { return on(kLeaf); }
  /// Of the output of an operation that the tape with this serial number records.
  static GradientSlot on(std::uint64_t tape) {
    GradientSlot slot;
    slot.gradient_ = std::allocate_shared<Gradient>(PoolAllocator<Gradient>());
    slot.gradient_->tape = tape;
    return slot;
  }

  explicit operator bool() const { return gradient_ != nullptr; }
  bool operator==(const GradientSlot&) const = default;
  const Tensor& get() const { return gradient_->sum; }
  /// Whether the sweep of that tape reaches it: it is a leaf, or was recorded there.
  bool is_of(std::uint64_t tape) const { return gradient_->tape == tape || gradient_->tape == kLeaf; }

  /// Adds a gradient. The first one is kept as it is; a later one is added in place only if nobody else holds the first.
  void accumulate(Tensor gradient) const {
    if (!gradient_->sum.defined()) {
      gradient_->sum = std::move(gradient);
    } else if (gradient_->sum.sole_owner()) {
      add_in_place(gradient_->sum, gradient);
    } else {
      gradient_->sum = linear_combination({{1.0, gradient_->sum}, {1.0, gradient}});
    }
  }

  /// Adds A' B', into the gradient that is there when possible: no buffer for the product.
  void accumulate_product(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) const {
    if (gradient_->sum.defined() && gradient_->sum.sole_owner()) {
      matmul_accumulate(a, b, transpose_a, transpose_b, gradient_->sum);
    } else {
      accumulate(matmul(a, b, transpose_a, transpose_b));
    }
  }

  /// Adds x^T dy, into the gradient that is there when possible.
  void accumulate_sparse_product(const CsrMatrix& x, const Tensor& dy) const {
    if (gradient_->sum.defined() && gradient_->sum.sole_owner()) {
      csr_transpose_matmul_add(x, dy, gradient_->sum);
    } else {
      accumulate(csr_transpose_matmul(x, dy));
    }
  }

  /// A gradient of `shape` that parts can be added to: zeros on the first call.
  const Tensor& writable(const Shape& shape, DType dtype, Device device) const {
    if (!gradient_->sum.defined()) {
      gradient_->sum = Tensor::zeros(shape, dtype, device);
    } else if (!gradient_->sum.sole_owner()) {
      gradient_->sum = gradient_->sum.clone();
    }
    return gradient_->sum;
  }

  /// Hands the gradient out and forgets it.
  Tensor take() const { return std::exchange(gradient_->sum, Tensor()); }
  void clear() const { gradient_->sum = Tensor(); }

 private:
  static constexpr std::uint64_t kLeaf = 0;
  struct Gradient {
    Tensor sum;
    std::uint64_t tape = kLeaf;
  };
  std::shared_ptr<Gradient> gradient_;
};

/// A tensor that may take part in differentiation. Copies share value and gradient. Implicit from Tensor: a constant.
class Variable {
 public:
  Variable() = default;
  Variable(Tensor value)
      : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor): constants mix freely with variables
  Variable(Tensor value, GradientSlot gradient) : value_(std::move(value)), gradient_(std::move(gradient)) {}

  /// A leaf whose gradient stays after the sweep: a model's parameter.
  static Variable parameter(Tensor value) { return {std::move(value), GradientSlot::of_leaf()}; }

  const Tensor& value() const { return value_; }
  bool defined() const { return value_.defined(); }
  bool requires_grad() const { return static_cast<bool>(gradient_); }
  const GradientSlot& slot() const { return gradient_; }
  /// The gradient of the last sweeps since it was cleared; undefined if none reached this leaf.
  const Tensor& gradient() const {
    check(requires_grad(), "Variable::gradient: this value is a constant");
    return gradient_.get();
  }
  void clear_gradient() const {
    if (gradient_) gradient_.clear();
  }

  const Shape& shape() const { return value_.shape(); }

 private:
  Tensor value_;
  GradientSlot gradient_;
};

}  // namespace tapestry::autograd
