#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "optim/optimizer.h"
#include "tests/support/device.h"

namespace tapestry::optim {
namespace {

using autograd::Variable;

class ClipTest : public tests::DeviceTest {
 protected:
  /// A parameter whose gradient is `gradient`; without one if empty.
  static Variable parameter(const std::vector<float>& gradient) {
    const Shape shape = {static_cast<std::int64_t>(gradient.size())};
    const Variable variable = Variable::parameter(Tensor::zeros(shape, DType::kFloat32, tests::test_device()));
    if (!gradient.empty()) variable.slot().accumulate(Tensor::from<float>(gradient, shape, tests::test_device()));
    return variable;
  }
  static std::vector<float> gradient(const Variable& variable) {
    const Tensor host = variable.gradient().to(Device::kCpu);
    return {host.span<float>().begin(), host.span<float>().end()};
  }
};

TEST_F(ClipTest, ScalesByTheNormOverAllParameters) {
  const std::vector<Variable> parameters = {parameter({3, 0}), parameter({}), parameter({0, -4, 0})};
  EXPECT_DOUBLE_EQ(clip_gradient_norm(parameters, 2.5), 5);
  EXPECT_EQ(gradient(parameters[0]), (std::vector<float>{1.5f, 0}));
  EXPECT_EQ(gradient(parameters[2]), (std::vector<float>{0, -2, 0}));
  EXPECT_FALSE(parameters[1].gradient().defined());
  EXPECT_DOUBLE_EQ(clip_gradient_norm(parameters, 2.5), 2.5);
}

TEST_F(ClipTest, SeesNormsWhoseSquaresAreBelowFloat32) {
  const std::vector<Variable> parameters = {parameter({3e-25f}), parameter({4e-25f}), parameter({0})};
  EXPECT_NEAR(clip_gradient_norm(parameters, 2.5e-25), 5e-25, 1e-31);
  EXPECT_FLOAT_EQ(gradient(parameters[0])[0], 1.5e-25f);
}

TEST_F(ClipTest, LeavesSmallGradientsAlone) {
  const std::vector<Variable> parameters = {parameter({3}), parameter({4})};
  const void* place = parameters[0].gradient().raw_data();
  EXPECT_DOUBLE_EQ(clip_gradient_norm(parameters, 5), 5);
  EXPECT_EQ(gradient(parameters[0]), std::vector<float>{3});
  EXPECT_EQ(parameters[0].gradient().raw_data(), place);
}

TEST_F(ClipTest, DoesNotWriteOverATensorThatOthersHold) {
  const Tensor shared = Tensor::from<float>({30, 40}, {2}, tests::test_device());
  const Variable variable = Variable::parameter(Tensor::zeros({2}, DType::kFloat32, tests::test_device()));
  variable.slot().accumulate(shared);
  clip_gradient_norm({variable}, 5);
  EXPECT_EQ(gradient(variable), (std::vector<float>{3, 4}));
  EXPECT_EQ(shared.to(Device::kCpu).data<float>()[0], 30);
}

TEST_F(ClipTest, NormsThatAreNoNumberAreReturnedAndChangeNothing) {
  const std::vector<Variable> not_a_number = {parameter({std::nanf(""), 1}), parameter({100})};
  EXPECT_TRUE(std::isnan(clip_gradient_norm(not_a_number, 1)));
  EXPECT_EQ(gradient(not_a_number[1]), std::vector<float>{100});
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<Variable> infinite = {parameter({-infinity, 1}), parameter({100})};
  EXPECT_EQ(clip_gradient_norm(infinite, 1), std::numeric_limits<double>::infinity());
  EXPECT_EQ(gradient(infinite[0]), (std::vector<float>{-infinity, 1}));
  EXPECT_EQ(gradient(infinite[1]), std::vector<float>{100});
}

TEST_F(ClipTest, ANormWhoseSquareIsNoFloat32IsClipped) {
  const std::vector<Variable> parameters = {parameter({3e30F, 0}), parameter({4e30F})};
  EXPECT_NEAR(clip_gradient_norm(parameters, 5) / 5e30, 1, 1e-6);
  EXPECT_NEAR(gradient(parameters[0])[0], 3, 1e-5);
  EXPECT_NEAR(gradient(parameters[1])[0], 4, 1e-5);
}

TEST_F(ClipTest, RefusesLimitsThatAreNotPositive) {
  EXPECT_THROW(clip_gradient_norm({parameter({1})}, 0), Error);
  EXPECT_THROW(clip_gradient_norm({parameter({1})}, std::nan("")), Error);
}

}  // namespace
}  // namespace tapestry::optim
