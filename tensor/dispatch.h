#pragma once

#include "tensor/kernels.h"
#include "tensor/types.h"

namespace tapestry {

/// Calls `body` with the device's kernels for element type T: the one place where a backend is chosen.
template <typename T, typename Body>
void dispatch(Device device, Body&& body) {
  device == Device::kCpu ? body(CpuKernels<T>{}) : body(CudaKernels<T>{});
}

/// The same for a type that is known when it runs. body(kernels) finds it as `typename decltype(kernels)::Scalar`. Throws
/// Error(kMisuse), naming the operation `op`, for a type that is no floating-point one.
template <typename Body>
void dispatch(const char* op, Device device, DType dtype, Body&& body) {
  check(dtype == DType::kFloat32 || dtype == DType::kFloat64, op, ": a floating-point tensor is needed, not ", dtype);
  dtype == DType::kFloat32 ? dispatch<float>(device, body) : dispatch<double>(device, body);
}

}  // namespace tapestry
