#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/cuda/cuda_device.h"

namespace tapestry {

/// What a float32 matrix product makes of its operands on a GPU before it multiplies them. Sums are kept in float32 all the same.
/// Products of float64, sparse products, everything that is no matrix product, and the whole CPU know nothing of it.
enum class MatmulPrecision : std::uint8_t {
  kFloat32,  ///< nothing: 23 bits of mantissa
  kTf32,     ///< TF32: float32's exponent, 10 bits of mantissa
  kBf16,     ///< bfloat16: float32's exponent, 7 bits of mantissa
};

/// "float32", "tf32", "bf16".
const char* name(MatmulPrecision precision);
std::vector<std::string> known_precisions();
/// Throws Error(kUsage), with the known names, for any other.
MatmulPrecision parse_precision(const std::string& name);

/// Throws Error(kDevice) when the GPU of the report has no units for this precision: TF32 and bfloat16 came with compute
/// capability 8.0.
void check_precision(MatmulPrecision precision, const CudaReport& report);

/// Of the products that any thread asks for from now on; kFloat32 until somebody says otherwise. One for the whole process: a
/// job's helper threads compute like the job. Work that was recorded to be replayed keeps what it was recorded with.
MatmulPrecision matmul_precision();

/// Another precision for as long as this object lives.
class PrecisionScope {
 public:
  explicit PrecisionScope(MatmulPrecision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  MatmulPrecision before_;
};

}  // namespace tapestry
