#include "nn/init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/device.h"

namespace tapestry::nn {
namespace {

struct Moments {
  double mean = 0;
  double deviation = 0;
  double lowest = 0;
  double highest = 0;
};

Moments moments(const Tensor& tensor) {
  const Tensor host = tensor.to(Device::kCpu).to(DType::kFloat64);
  const auto values = host.span<double>();
  Moments result = {0, 0, values[0], values[0]};
  for (const double value : values) {
    result.mean += value / static_cast<double>(values.size());
    result.lowest = std::min(result.lowest, value);
    result.highest = std::max(result.highest, value);
  }
  for (const double value : values) {
    result.deviation += (value - result.mean) * (value - result.mean) / static_cast<double>(values.size());
  }
  result.deviation = std::sqrt(result.deviation);
  return result;
}

const Shape kShape = {400, 250};
constexpr double kRoot = 316.2277660168379;  // of its number of elements

class InitTest : public tests::DeviceTest {
 protected:
  Initializer init_{20240613, DType::kFloat32, tests::test_device()};
};

/// Within four standard errors of U(-bound, bound), and reaching close to the bounds but not over them.
void expect_uniform(const Tensor& tensor, double bound) {
  EXPECT_EQ(tensor.shape(), kShape);
  const Moments found = moments(tensor);
  const double deviation = bound / std::sqrt(3.0);
  EXPECT_TRUE(std::abs(found.mean) <= 4 * deviation / kRoot) << found.mean;
  // A uniform's kurtosis is 9/5: its sample deviation has the standard error deviation * sqrt(4/5) / 2 / sqrt(n).
  EXPECT_TRUE(std::abs(found.deviation - deviation) <= 4 * deviation * std::sqrt(0.8) / 2 / kRoot) << found.deviation;
  EXPECT_TRUE(found.lowest >= -bound * 1.000001 && found.lowest <= -bound * 0.999) << found.lowest;
  EXPECT_TRUE(found.highest <= bound * 1.000001 && found.highest >= bound * 0.999) << found.highest;
}

TEST_F(InitTest, UniformKinds) {
  expect_uniform(init_.uniform(kShape, 0.7), 0.7);
  expect_uniform(init_.xavier_uniform(kShape, 250, 400), std::sqrt(6.0 / 650));
  expect_uniform(init_.lecun_uniform(kShape, 250), std::sqrt(3.0 / 250));
  expect_uniform(init_.kaiming_uniform(kShape, 250, 0), std::sqrt(6.0 / 250));
  expect_uniform(init_.kaiming_uniform(kShape, 250, 2), std::sqrt(6.0 / (5 * 250)));
  expect_uniform(init_.fan_in_uniform(kShape, 250), 1 / std::sqrt(250.0));
}

TEST_F(InitTest, Normal) {
  const Moments found = moments(init_.normal(kShape, 0.3));
  EXPECT_TRUE(std::abs(found.mean) <= 4 * 0.3 / kRoot) << found.mean;
  EXPECT_TRUE(std::abs(found.deviation - 0.3) <= 4 * 0.3 / std::sqrt(2.0) / kRoot) << found.deviation;
  EXPECT_TRUE(found.highest > 3.5 * 0.3 && found.lowest < -3.5 * 0.3);  // tails: not cut, not uniform
}

TEST_F(InitTest, XavierNormal) {
  const double deviation = std::sqrt(2.0 / 650);
  const Moments found = moments(init_.xavier_normal(kShape, 250, 400));
  EXPECT_TRUE(std::abs(found.deviation - deviation) <= 4 * deviation / std::sqrt(2.0) / kRoot) << found.deviation;
  EXPECT_TRUE(found.highest > 3.5 * deviation);
}

TEST_F(InitTest, TruncatedNormalHasTheDeviationAskedForAfterTheCut) {
  const Moments found = moments(init_.truncated_normal(kShape, 0.3));
  EXPECT_TRUE(std::abs(found.mean) <= 4 * 0.3 / kRoot) << found.mean;
  EXPECT_TRUE(std::abs(found.deviation - 0.3) <= 4 * 0.3 / std::sqrt(2.0) / kRoot) << found.deviation;
  const double cut = 2 * 0.3 / 0.8796256610342398;
  EXPECT_TRUE(found.highest <= cut * 1.000001 && found.highest >= cut * 0.99) << found.highest;
  EXPECT_TRUE(found.lowest >= -cut * 1.000001 && found.lowest <= -cut * 0.99) << found.lowest;
}

TEST_F(InitTest, Constant) {
  const Moments found = moments(init_.constant({3, 2}, 0.25));
  EXPECT_EQ(found.lowest, 0.25);
  EXPECT_EQ(found.highest, 0.25);
}

std::vector<float> values(const Tensor& tensor) {
  const Tensor host = tensor.to(Device::kCpu);
  return {host.span<float>().begin(), host.span<float>().end()};
}

TEST_F(InitTest, SeedAndOrderDecideTheNumbers) {
  const auto draw = [](std::uint64_t seed) {
    Initializer init(seed, DType::kFloat32, tests::test_device());
    return std::vector<std::vector<float>>{values(init.uniform({4, 5}, 1)), values(init.uniform({4, 5}, 1)),
                                           values(init.truncated_normal({4, 5}, 1)), values(init.normal({4, 5}, 1))};
  };
  const auto first = draw(7);
  EXPECT_EQ(first, draw(7));
  EXPECT_NE(first[0], first[1]);  // each parameter has numbers of its own
  const auto other = draw(8);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_NE(first[i], other[i]) << i;
}

TEST_F(InitTest, TypeAndDeviceAreTheModels) {
  Initializer init(1, DType::kFloat64, tests::test_device());
  for (const Tensor& tensor : {init.uniform({2}, 1), init.normal({2}, 1), init.truncated_normal({2}, 1), init.constant({2}, 1)}) {
    EXPECT_EQ(tensor.dtype(), DType::kFloat64);
    EXPECT_EQ(tensor.device(), tests::test_device());
  }
}

}  // namespace
}  // namespace tapestry::nn
