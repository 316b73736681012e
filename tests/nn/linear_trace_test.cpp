// What a linear layer hands out of a sweep: its input, and the gradient before its activation.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/tape.h"
#include "nn/layers.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::nn {
namespace {

using autograd::LinearTrace;
using autograd::Tape;
using tests::random_tensor;
using tests::test_device;

class LinearTraceTest : public tests::DeviceTest {
 protected:
  static Tensor data(const Shape& shape, std::uint64_t seed) {
    return random_tensor(shape, seed, -2, 2, DType::kFloat64, test_device());
  }
  static double norm(const Tensor& x) { return std::sqrt(sum_squares(x).to(Device::kCpu).item()); }
  static void expect_near(const Tensor& a, const Tensor& b) {
    ASSERT_EQ(a.shape(), b.shape());
    EXPECT_TRUE(norm(binary(BinaryOp::kSubtract, a, b)) <= 1e-12 * norm(b));
  }

  Initializer init_{3, DType::kFloat64, test_device()};
  const Tensor x_ = data({5, 4}, 1), cotangent_ = data({5, 3}, 2);
};

TEST_F(LinearTraceTest, ErrorTimesInputIsTheWeightsGradientForEveryActivation) {
  for (const Activation activation :
       {Activation::kNone, Activation::kTanh, Activation::kRelu, Activation::kSigmoid, Activation::kPrelu}) {
    SCOPED_TRACE(static_cast<int>(activation));
    const Linear layer(4, 3, init_, activation);
    LinearTrace trace;
    {
      Tape tape;
      const Variable y = layer.forward(x_, trace);
      expect_near(y.value(), layer.forward(x_).value());
      EXPECT_FALSE(trace.error.defined()) << "before the sweep";
      tape.backward(y, cotangent_);
    }
    expect_near(trace.input, x_);
    expect_near(matmul(trace.error, trace.input, true, false), layer.weight().gradient());
    expect_near(column_sum(trace.error), layer.bias().gradient());
    for (std::int64_t row = 0; row < 5; ++row) {  // what a sweep of this row alone gives the weight
      layer.clear_gradients();
      Tape tape;
      tape.backward(layer.forward(x_.slice_rows(row, row + 1)), cotangent_.slice_rows(row, row + 1));
      const double expected = norm(layer.weight().gradient());
      const double product = norm(trace.error.slice_rows(row, row + 1)) * norm(trace.input.slice_rows(row, row + 1));
      EXPECT_NEAR(product, expected, 1e-12 * (1 + expected)) << "row " << row;
    }
  }
}

TEST_F(LinearTraceTest, IsNotWrittenOverByWhatTheSweepDoesNext) {
  const Linear first(4, 3, init_, Activation::kTanh), second(3, 3, init_);
  LinearTrace before, behind;
  Tape tape;
  tape.backward(second.forward(first.forward(x_, before), behind), cotangent_);
  expect_near(behind.error, cotangent_);  // no activation: it is the cotangent itself
  expect_near(matmul(before.error, before.input, true, false), first.weight().gradient());
  expect_near(matmul(behind.error, behind.input, true, false), second.weight().gradient());
}

TEST_F(LinearTraceTest, StaysEmptyWhereNothingIsSwept) {
  const Linear layer(4, 3, init_);
  LinearTrace trace;
  layer.forward(x_, trace);
  EXPECT_FALSE(trace.input.defined() || trace.error.defined());
}

}  // namespace
}  // namespace tapestry::nn
