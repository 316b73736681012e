// The accuracy that tensor/elementwise.h promises for float32, over wide ranges, and what becomes of infinities, NaN, zero and
// denormals. Everything goes through the vector code of unary().
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "tensor/elementwise.h"
#include "tensor/ops.h"
#include "tests/support/device.h"

namespace tapestry::tests {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kDenormal = 1e-40f;
constexpr float kSmallestNormal = 1.17549435e-38f;

std::vector<float> evaluate(UnaryOp op, const std::vector<float>& x) {
  const Tensor tensor = Tensor::from<float>(x, {static_cast<std::int64_t>(x.size())}, test_device());
  const Tensor y = unary(op, tensor).to(Device::kCpu);
  return {y.span<float>().begin(), y.span<float>().end()};
}

/// About 400,000 floats between two bounds of one sign, evenly spaced in their bits: every exponent gets its share.
std::vector<float> spread(float low, float high) {
  const auto first = std::bit_cast<std::uint32_t>(std::abs(low) < std::abs(high) ? low : high);
  const auto last = std::bit_cast<std::uint32_t>(std::abs(low) < std::abs(high) ? high : low);
  const std::uint32_t stride = std::max(1u, (last - first) / 400000);
  std::vector<float> values;
  for (std::uint64_t bits = first; bits <= last; bits += stride)
    values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  return values;
}

/// |y - exact| in units of the last place of the exact value as a float32.
double ulps(float y, double exact) {
  const auto rounded = static_cast<float>(exact);
  if (std::isinf(rounded)) return y == rounded ? 0 : kInf;
  const double unit = std::nextafter(std::abs(rounded), kInf) - static_cast<double>(std::abs(rounded));
  return std::abs(static_cast<double>(y) - exact) / unit;
}

/// The largest error of op over [low, high] in ulp is at most `allowed`.
void expect_accurate(UnaryOp op, float low, float high, double allowed, const std::function<double(double)>& exact) {
  const std::vector<float> x = spread(low, high);
  const std::vector<float> y = evaluate(op, x);
  double worst = 0;
  float at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = ulps(y[i], exact(static_cast<double>(x[i])));
    if (!(error <= worst)) {
      worst = error;
      at = x[i];
    }
  }
  EXPECT_TRUE(worst <= allowed) << worst << " ulp at " << at << " in [" << low << ", " << high << "], allowed " << allowed;
}

class TranscendentalTest : public DeviceTest {};

TEST_F(TranscendentalTest, ExpWithinTwoUlp) {
  const auto exact = [](double x) { return std::exp(x); };
  expect_accurate(UnaryOp::kExp, 1e-30f, 88.7f, 2, exact);
  expect_accurate(UnaryOp::kExp, -1e-30f, -87.3f, 2, exact);
  expect_accurate(UnaryOp::kExp, -87.3f, -104.0f, 2, exact);  // the results are denormal
}

TEST_F(TranscendentalTest, LogWithinTwoUlp) {
  const auto exact = [](double x) { return std::log(x); };
  expect_accurate(UnaryOp::kLog, kSmallestNormal, 3e38f, 2, exact);
  expect_accurate(UnaryOp::kLog, 0.5f, 2.0f, 2, exact);  // through 0
  expect_accurate(UnaryOp::kLog, 0.99f, 1.01f, 2, exact);
  expect_accurate(UnaryOp::kLog, 1e-45f, kSmallestNormal, 2, exact);  // denormal arguments
}

TEST_F(TranscendentalTest, TanhWithinTwoUlp) {
  const auto exact = [](double x) { return std::tanh(x); };
  expect_accurate(UnaryOp::kTanh, 1e-30f, 30.0f, 2, exact);
  expect_accurate(UnaryOp::kTanh, -0.5f, -1.0f, 2, exact);  // across the change of formula
  expect_accurate(UnaryOp::kTanh, -1e-30f, -30.0f, 2, exact);
}

TEST_F(TranscendentalTest, SigmoidAndSoftplusAsTheirHeaderSays) {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  expect_accurate(UnaryOp::kSigmoid, 1e-30f, 50.0f, 3, sigmoid);
  expect_accurate(UnaryOp::kSigmoid, -1e-30f, -87.0f, 3, sigmoid);
  const auto softplus = [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); };
  expect_accurate(UnaryOp::kSoftplus, 1e-30f, 1e30f, 4, softplus);
  expect_accurate(UnaryOp::kSoftplus, -1e-30f, -87.0f, 4, softplus);
}

TEST_F(TranscendentalTest, Log1pOfSmallNumbers) {
  double worst = 0;
  for (const float x : spread(1e-40f, 1.0f)) worst = std::max(worst, ulps(scalar::log1p(x), std::log1p(static_cast<double>(x))));
  EXPECT_TRUE(worst <= 3) << worst << " ulp";
}

TEST_F(TranscendentalTest, Limits) {
  EXPECT_EQ(evaluate(UnaryOp::kExp, {0, -0.0f, kInf, -kInf, 89, 100, -200, -104.1f, kDenormal}),
            (std::vector<float>{1, 1, kInf, 0, kInf, kInf, 0, 0, 1}));
  EXPECT_EQ(evaluate(UnaryOp::kLog, {1, 0, -0.0f, kInf}), (std::vector<float>{0, -kInf, -kInf, kInf}));
  EXPECT_EQ(evaluate(UnaryOp::kTanh, {0, kInf, -kInf, 20, -1000}), (std::vector<float>{0, 1, -1, 1, -1}));
  EXPECT_EQ(evaluate(UnaryOp::kSigmoid, {0, kInf, -kInf, 200, -200}), (std::vector<float>{0.5f, 1, 0, 1, 0}));
  EXPECT_EQ(evaluate(UnaryOp::kSoftplus, {kInf, -kInf, 200, -200, 3e38f}), (std::vector<float>{kInf, 0, 200, 0, 3e38f}));
  EXPECT_EQ(evaluate(UnaryOp::kRelu, {0, kInf, -kInf, -1}), (std::vector<float>{0, kInf, 0, 0}));
  EXPECT_EQ(evaluate(UnaryOp::kSqrt, {0, 4, kInf}), (std::vector<float>{0, 2, kInf}));
  for (const float y : evaluate(UnaryOp::kLog, {-1, -kInf, -kDenormal})) EXPECT_TRUE(std::isnan(y));
}

TEST_F(TranscendentalTest, NanPropagates) {
  for (const UnaryOp op : {UnaryOp::kExp, UnaryOp::kLog, UnaryOp::kTanh, UnaryOp::kSigmoid, UnaryOp::kSoftplus, UnaryOp::kRelu,
                           UnaryOp::kLeakyRelu, UnaryOp::kSquare, UnaryOp::kSqrt, UnaryOp::kNegate}) {
    std::vector<float> x(37, 1.0f);
    x[3] = x[36] = kNan;  // within a vector and in the rest
    const std::vector<float> y = evaluate(op, x);
    EXPECT_TRUE(std::isnan(y[3]) && std::isnan(y[36])) << "operation " << static_cast<int>(op);
    EXPECT_FALSE(std::isnan(y[2])) << "operation " << static_cast<int>(op);
  }
}

TEST_F(TranscendentalTest, SameBitsWhereverAnElementStands) {
  for (const UnaryOp op : {UnaryOp::kExp, UnaryOp::kLog, UnaryOp::kTanh, UnaryOp::kSigmoid, UnaryOp::kSoftplus}) {
    for (const float x : {0.3f, 1.7f, 5.1f}) {
      const std::vector<float> row = evaluate(op, std::vector<float>(67, x));
      EXPECT_EQ(row, std::vector<float>(67, evaluate(op, {x})[0])) << "operation " << static_cast<int>(op) << " at " << x;
    }
  }
}

}  // namespace
}  // namespace tapestry::tests
