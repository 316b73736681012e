#include "tensor/self_test.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/device.h"

namespace tapestry::tests {
namespace {

class SelfTestTest : public DeviceTest {};

TEST_F(SelfTestTest, ThisDevicePasses) {
  const std::vector<SelfTestResult> results = self_test(test_device());
  EXPECT_GT(results.size(), 10U);
  for (const SelfTestResult& result : results) {
    EXPECT_TRUE(result.passed()) << result.operation << " differs by " << result.difference << ", allowed " << result.allowed;
  }
}

TEST(SelfTestResultTest, WrongNumbersDoNotPass) {
  EXPECT_TRUE((SelfTestResult{"", 0.5, 1}.passed()));
  EXPECT_FALSE((SelfTestResult{"", 2, 1}.passed()));
  EXPECT_FALSE((SelfTestResult{"", std::numeric_limits<double>::quiet_NaN(), 1}.passed()));
}

}  // namespace
}  // namespace tapestry::tests
