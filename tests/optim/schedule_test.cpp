#include "optim/schedule.h"

#include <gtest/gtest.h>

namespace tapestry::optim {
namespace {

TEST(ScheduleTest, ConstantStays) {
  EXPECT_EQ(constant_rate(0.3, 0, 10), 0.3);
  EXPECT_EQ(constant_rate(0.3, 9, 10), 0.3);
}

TEST(ScheduleTest, LinearFallsToZeroBehindTheLastStep) {
  EXPECT_DOUBLE_EQ(linear_rate(0.5, 0, 4), 0.5);
  EXPECT_DOUBLE_EQ(linear_rate(0.5, 1, 4), 0.375);
  EXPECT_DOUBLE_EQ(linear_rate(0.5, 3, 4), 0.125);
  EXPECT_DOUBLE_EQ(linear_rate(0.5, 4, 4), 0);
}

TEST(ScheduleTest, CosineIsHalfACosine) {
  EXPECT_DOUBLE_EQ(cosine_rate(0.5, 0, 6), 0.5);
  EXPECT_NEAR(cosine_rate(0.5, 2, 6), 0.375, 1e-15);  // cos 60 degrees = 1/2
  EXPECT_NEAR(cosine_rate(0.5, 3, 6), 0.25, 1e-15);
  EXPECT_NEAR(cosine_rate(0.5, 4, 6), 0.125, 1e-15);
  EXPECT_NEAR(cosine_rate(0.5, 6, 6), 0, 1e-15);
}

}  // namespace
}  // namespace tapestry::optim
