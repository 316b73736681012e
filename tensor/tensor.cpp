#include "tensor/tensor.h"

#include <cstring>

#include "tensor/dispatch.h"
#include "tensor/memory.h"

namespace tapestry {

/// One block of a device's pool, given back when the last handle goes.
class Storage {
 public:
  Storage(Device device, std::size_t bytes) : device_(device), bytes_(bytes), block_(pool_allocate(device, bytes)) {}
  ~Storage() { pool_free(device_, block_, bytes_); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Device device() const { return device_; }
  std::byte* block() const { return static_cast<std::byte*>(block_); }

 private:
  Device device_;
  std::size_t bytes_;
  void* block_;
};

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  const auto bytes = static_cast<std::size_t>(shape.numel() * size_of(dtype));
  return {std::allocate_shared<Storage>(PoolAllocator<Storage>(), device, bytes), 0, shape, dtype};
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  if (dtype == DType::kFloat32 || dtype == DType::kFloat64) return full(shape, 0.0, dtype, device);
  Tensor tensor = empty(shape, dtype, Device::kCpu);
  std::memset(tensor.raw_data(), 0, static_cast<std::size_t>(tensor.bytes()));
  return tensor.to(device);
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor tensor = empty(shape, dtype, device);
  dispatch("Tensor::full", device, dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.fill(tensor.numel(), static_cast<T>(value), tensor.data<T>());
  });
  return tensor;
}

template <Element T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape, Device device) {
  check(static_cast<std::int64_t>(values.size()) == shape.numel(), "Tensor::from: ", values.size(), " values for shape ", shape);
  Tensor tensor = empty(shape, kDTypeOf<T>, device);
  copy_bytes(tensor.raw_data(), device, values.data(), Device::kCpu, values.size_bytes());
  return tensor;
}
template Tensor Tensor::from<float>(std::span<const float>, const Shape&, Device);
template Tensor Tensor::from<double>(std::span<const double>, const Shape&, Device);
template Tensor Tensor::from<std::int32_t>(std::span<const std::int32_t>, const Shape&, Device);
template Tensor Tensor::from<std::int64_t>(std::span<const std::int64_t>, const Shape&, Device);

Device Tensor::device() const {
  check(defined(), "Tensor: used before it was given a value");
  return storage_->device();
}

void* Tensor::raw_data() const {
  check(defined(), "Tensor: used before it was given a value");
  return storage_->block() + offset_bytes_;
}

double Tensor::item() const {
  check(numel() == 1, "Tensor::item: the tensor has shape ", shape_, ", not one element");
  const Tensor host = to(Device::kCpu);
  switch (dtype_) {
    case DType::kFloat32:
      return *host.data<float>();
    case DType::kFloat64:
      return *host.data<double>();
    case DType::kInt32:
      return *host.data<std::int32_t>();
    case DType::kInt64:
      return static_cast<double>(*host.data<std::int64_t>());
  }
  return 0;
}

Tensor Tensor::slice_rows(std::int64_t begin, std::int64_t end) const {
  check(shape_.rank() >= 1, "slice_rows: a scalar has no rows");
  check(0 <= begin && begin <= end && end <= shape_[0], "slice_rows: [", begin, ", ", end, ") of shape ", shape_);
  const std::int64_t row_bytes = shape_[0] == 0 ? 0 : bytes() / shape_[0];
  return {storage_, offset_bytes_ + begin * row_bytes, shape_.with_rows(end - begin), dtype_};
}

Tensor Tensor::reshape(const Shape& shape) const {
  check(shape.numel() == numel(), "reshape: ", shape_, " to ", shape, " changes the number of elements");
  return {storage_, offset_bytes_, shape, dtype_};
}

Tensor Tensor::clone() const {
  Tensor copy = empty(shape_, dtype_, device());
  copy_bytes(copy.raw_data(), device(), raw_data(), device(), static_cast<std::size_t>(bytes()));
  return copy;
}

Tensor Tensor::to(Device target) const {
  if (target == device()) return *this;
  Tensor copy = empty(shape_, dtype_, target);
  copy_bytes(copy.raw_data(), target, raw_data(), device(), static_cast<std::size_t>(bytes()));
  return copy;
}

Tensor Tensor::to(DType target) const {
  if (target == dtype_) return *this;
  Tensor converted = empty(shape_, target, device());
  const auto is_float = [](DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat64; };
  check(is_float(dtype_) && is_float(target), "Tensor::to: no conversion from ", dtype_, " to ", target);
  dispatch("Tensor::to", device(), dtype_, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    if (target == DType::kFloat32) {
      kernels.convert(numel(), data<T>(), converted.data<float>());
    } else {
      kernels.convert(numel(), data<T>(), converted.data<double>());
    }
  });
  return converted;
}

}  // namespace tapestry
