#pragma once

#include "tensor/kernels.h"
#include "tensor/types.h"

namespace tapestry {

/// Calls `body` with the kernels of the device and floating-point type: the one place where a backend is chosen.
/// body(kernels) finds the element type as `typename decltype(kernels)::Scalar`.
template <typename Body>
void dispatch(Device device, DType dtype, Body&& body) {
  check(dtype == DType::kFloat32 || dtype == DType::kFloat64, "a floating-point tensor is needed, not ", dtype);
  if (device == Device::kCpu) {
    dtype == DType::kFloat32 ? body(CpuKernels<float>{}) : body(CpuKernels<double>{});
  } else {
    dtype == DType::kFloat32 ? body(CudaKernels<float>{}) : body(CudaKernels<double>{});
  }
}

}  // namespace tapestry
