#include "tensor/self_test.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <set>
#include <string>

#include "tests/support/device.h"
#include "tests/support/misuse.h"

namespace tapestry::tests {
namespace {

class SelfTestTest : public DeviceTest {};

TEST_F(SelfTestTest, ThisDevicePasses) {
  const std::vector<SelfTestResult> results = self_test(test_device());
  EXPECT_GT(results.size(), 10U);
  std::set<std::string> names;
  for (const SelfTestResult& result : results) {
    EXPECT_TRUE(names.insert(result.operation).second) << result.operation << " stands there twice";
    EXPECT_TRUE(result.passed()) << result.operation << " differs by " << result.difference << ", allowed " << result.allowed;
  }
}

TEST_F(SelfTestTest, TheLargestDifferenceIsFound) {
  const auto difference = [](std::initializer_list<float> found, std::initializer_list<float> expected) {
    return largest_difference(Tensor::from<float>(found, {2}, test_device()), Tensor::from<float>(expected, {2}));
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(difference({1, 5}, {1, 2}), 1.5);
  EXPECT_EQ(difference({-3, 0.5f}, {1, 0.5f}), 4);
  EXPECT_EQ(difference({1, 2}, {1, 2}), 0);
  EXPECT_EQ(difference({kNan, 2}, {1, 2}), kInfinity);
  EXPECT_EQ(difference({1, 2}, {1, kNan}), kInfinity);
  EXPECT_EQ(largest_difference(Tensor::from<std::int32_t>({1, 9}, {2}, test_device()), Tensor::from<std::int32_t>({1, 4}, {2})),
            1.25);
  expect_misuse([] { largest_difference(Tensor::zeros({3}), Tensor::zeros({2})); }, {"largest_difference", "[3]", "[2]"});
}

TEST(SelfTestResultTest, WrongNumbersDoNotPass) {
  EXPECT_TRUE((SelfTestResult{"", 0.5, 1}.passed()));
  EXPECT_FALSE((SelfTestResult{"", 2, 1}.passed()));
  EXPECT_FALSE((SelfTestResult{"", std::numeric_limits<double>::quiet_NaN(), 1}.passed()));
}

}  // namespace
}  // namespace tapestry::tests
