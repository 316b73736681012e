#include "optim/schedule.h"

#include <gtest/gtest.h>

#include "optim/sgd.h"
#include "tensor/step_graph.h"
#include "tests/support/gpu_test.h"
#include "tests/support/misuse.h"

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

class ScheduleOnDevice : public tests::GpuTest {};

// A recorded step would go on with the rate that it was recorded with.
TEST_F(ScheduleOnDevice, SgdRefusesToBeRecorded) {
  const autograd::Variable w = autograd::Variable::parameter(Tensor::full({1}, 1.0, DType::kFloat64, Device::kCuda));
  w.slot().accumulate(Tensor::full({1}, 1.0, DType::kFloat64, Device::kCuda));
  Sgd sgd({w});
  StepGraph graph(Device::kCuda);
  EXPECT_FALSE(StepGraph::recording());
  graph.run(0, [&] { sgd.step(0.5); });  // called
  EXPECT_EQ(w.value().item(), 0.5);
  tests::expect_misuse([&] { graph.run(0, [&] { sgd.step(0.25); }); }, {"Sgd::step", "StepGraph", "0.25", "step_prepared"});
  EXPECT_EQ(sgd.steps(), 1);
  sgd.step(0.25);  // outside
  EXPECT_EQ(w.value().item(), 0.25);
}

}  // namespace
}  // namespace tapestry::optim
