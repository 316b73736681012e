// tensor/precision.h: names, which GPUs have what, and what products lose.
#include "tensor/precision.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/error.h"
#include "tensor/ops.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

constexpr MatmulPrecision kAll[] = {MatmulPrecision::kFloat32, MatmulPrecision::kTf32, MatmulPrecision::kBf16};

TEST(Precision, NamesAreReadBackAndUnknownOnesRefused) {
  for (const MatmulPrecision precision : kAll) EXPECT_EQ(parse_precision(name(precision)), precision);
  try {
    parse_precision("float16");
    FAIL() << "float16 was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(error.what()).find("float32, tf32, bf16"), std::string::npos) << error.what();
  }
}

TEST(Precision, OlderGpusHaveFloat32Only) {
  CudaReport gpu;
  gpu.name = "an older GPU";
  gpu.capability = 75;
  EXPECT_NO_THROW(check_precision(MatmulPrecision::kFloat32, gpu));
  for (const MatmulPrecision precision : {MatmulPrecision::kTf32, MatmulPrecision::kBf16}) {
    try {
      check_precision(precision, gpu);
      ADD_FAILURE() << name(precision) << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kDevice);
      EXPECT_NE(std::string(error.what()).find("an older GPU has 7.5"), std::string::npos) << error.what();
    }
  }
  gpu.capability = 80;
  for (const MatmulPrecision precision : kAll) EXPECT_NO_THROW(check_precision(precision, gpu));
}

TEST(Precision, LastsAsLongAsItsScope) {
  EXPECT_EQ(matmul_precision(), MatmulPrecision::kFloat32);
  {
    const PrecisionScope outer(MatmulPrecision::kBf16);
    { const PrecisionScope inner(MatmulPrecision::kTf32); }
    EXPECT_EQ(matmul_precision(), MatmulPrecision::kBf16);
  }
  EXPECT_EQ(matmul_precision(), MatmulPrecision::kFloat32);
}

class PrecisionTest : public DeviceTest {
 protected:
  /// || C - exact || / || exact || of C = A B^T [m, n] over k, in `dtype` on the device under test.
  static double error_of_product(MatmulPrecision precision, DType dtype, std::int64_t m, std::int64_t n, std::int64_t k) {
    const Tensor a = random_tensor({m, k}, 1).to(DType::kFloat32), b = random_tensor({n, k}, 2).to(DType::kFloat32);
    const Tensor exact = matmul(a.to(DType::kFloat64), b.to(DType::kFloat64), false, true);
    const PrecisionScope scope(precision);
    const Tensor ours =
        matmul(a.to(dtype).to(test_device()), b.to(dtype).to(test_device()), false, true).to(Device::kCpu).to(DType::kFloat64);
    double error = 0, size = 0;
    for (std::int64_t i = 0; i < exact.numel(); ++i) {
      error += std::pow(ours.data<double>()[i] - exact.data<double>()[i], 2);
      size += std::pow(exact.data<double>()[i], 2);
    }
    return std::sqrt(error / size);
  }
};

// An operand is rounded by at most half of its last bit, 2^-11 of it in TF32 and 2^-8 in bfloat16. Errors to the nearest value
// are independent, so that the whole, with two operands, stays below sqrt(2) times that; a chip may cut bits off instead, which
// errs to one side, by as much on average as the nearest value does at most.
TEST_F(PrecisionTest, WhatAProductLoses) {
  if (!device_takes(MatmulPrecision::kTf32)) GTEST_SKIP() << "this GPU has float32 only";
  for (const auto& [m, n, k] : {std::tuple<int, int, int>{33, 47, 830}, {20, 31, 7}, {1, 29, 1008}}) {
    const double exact = error_of_product(MatmulPrecision::kFloat32, DType::kFloat32, m, n, k);
    EXPECT_TRUE(exact <= 1e-6) << exact;
    for (const auto& [precision, rounding] : {std::pair{MatmulPrecision::kTf32, 0x1p-11}, {MatmulPrecision::kBf16, 0x1p-8}}) {
      const double error = error_of_product(precision, DType::kFloat32, m, n, k);
      EXPECT_TRUE(error <= (device_is_emulated() ? std::sqrt(2.0) : 2.0) * rounding) << name(precision) << ": " << error;
      // cuBLAS may round, and decides where that pays; the CPU never does.
      if (test_device() == Device::kCpu) {
        EXPECT_EQ(error, exact);
      } else if (device_is_emulated()) {
        EXPECT_TRUE(error >= rounding / 4) << name(precision) << ": " << error;
      }
      RecordProperty(concat(name(precision), "_over_", k), concat(error));
    }
  }
}

TEST_F(PrecisionTest, Float64IsLeftAlone) {
  for (const MatmulPrecision precision : kAll) {
    if (!device_takes(precision)) continue;
    const double error = error_of_product(precision, DType::kFloat64, 20, 31, 100);
    EXPECT_TRUE(error <= 1e-14) << name(precision) << ": " << error;
  }
}

TEST_F(PrecisionTest, WhatIsNotFiniteStays) {
  const auto infinity = std::numeric_limits<float>::infinity();
  const Tensor a = Tensor::from<float>({infinity, -infinity, std::nanf(""), 1}, {4, 1}, test_device());
  const Tensor b = Tensor::full({1, 1}, 2.0, DType::kFloat32, test_device());
  for (const MatmulPrecision precision : kAll) {
    if (!device_takes(precision)) continue;
    const PrecisionScope scope(precision);
    const Tensor product = matmul(a, b).to(Device::kCpu);
    const float* c = product.data<float>();
    EXPECT_TRUE(c[0] == infinity && c[1] == -infinity && std::isnan(c[2]) && c[3] == 2.0f) << name(precision);
  }
}

}  // namespace
}  // namespace tapestry::tests
