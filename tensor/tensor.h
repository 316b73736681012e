#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "tensor/types.h"

namespace tapestry {

class Storage;

/// A handle on reference-counted, row-major, contiguous numbers. Copying the handle shares the numbers; clone() copies them.
/// A default-constructed Tensor is undefined: it has no storage and only defined() may be asked of it.
class Tensor {
 public:
  Tensor() = default;

  /// Uninitialised memory from the device's caching pool. Throws Error(kDevice) when the device has none left.
  static Tensor empty(const Shape& shape, DType dtype = DType::kFloat32, Device device = Device::kCpu);
  static Tensor zeros(const Shape& shape, DType dtype = DType::kFloat32, Device device = Device::kCpu);
  /// Floating-point types only.
  static Tensor full(const Shape& shape, double value, DType dtype = DType::kFloat32, Device device = Device::kCpu);
  /// Copies host values; their count must be shape.numel().
  template <Element T>
  static Tensor from(std::span<const T> values, const Shape& shape, Device device = Device::kCpu);
  template <Element T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape, Device device = Device::kCpu) {
    return from<T>(std::span<const T>(values.begin(), values.size()), shape, device);
  }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  std::int64_t size(int dim) const { return shape_[dim]; }
  std::int64_t numel() const { return shape_.numel(); }
  std::int64_t rows() const { return shape_.rows(); }
  std::int64_t cols() const { return shape_.cols(); }
  DType dtype() const { return dtype_; }
  Device device() const;
  std::int64_t bytes() const { return numel() * size_of(dtype_); }

  /// The first element. Throws unless T is the tensor's element type. The pointer is a device pointer on kCuda.
  template <Element T>
  T* data() const {
    check(kDTypeOf<T> == dtype_, "Tensor::data: asked for ", kDTypeOf<T>, " of a ", dtype_, " tensor");
    return static_cast<T*>(raw_data());
  }
  void* raw_data() const;

  /// The elements on the host. Throws unless the tensor is on the CPU.
  template <Element T>
  std::span<T> span() const& {
    check(device() == Device::kCpu, "Tensor::span: the tensor is on ", device());
    return {data<T>(), static_cast<std::size_t>(numel())};
  }
  /// Not of a tensor that is gone before the span is read, as in `for (float v : product(a, b).span<float>())`: its memory would
  /// go back to the pool, where no sanitizer sees who reads it.
  template <Element T>
  std::span<T> span() const&& = delete;

  /// The only element of a one-element tensor, brought to the host.
  double item() const;

  /// Rows [begin, end) of the first dimension, sharing storage.
  Tensor slice_rows(std::int64_t begin, std::int64_t end) const;
  /// The same numbers in another shape of as many elements, sharing storage.
  Tensor reshape(const Shape& shape) const;
  Tensor clone() const;
  /// This tensor on `device`: itself if it is there already.
  Tensor to(Device device) const;
  /// This tensor's values converted: itself if the type is the same.
  Tensor to(DType dtype) const;

  /// True when no other handle sees these numbers, so that they may be overwritten.
  bool sole_owner() const { return storage_.use_count() == 1; }

 private:
  Tensor(std::shared_ptr<Storage> storage, std::int64_t offset_bytes, const Shape& shape, DType dtype)
      : storage_(std::move(storage)), offset_bytes_(offset_bytes), shape_(shape), dtype_(dtype) {}

  std::shared_ptr<Storage> storage_;
  std::int64_t offset_bytes_ = 0;
  Shape shape_;
  DType dtype_ = DType::kFloat32;
};

}  // namespace tapestry
