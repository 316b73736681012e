// Operations against PyTorch's values and gradients, with magnitudes at which exp overflows float32 or loses the 1 in 1 + exp(x).
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/elementwise.h"
#include "autograd/loss.h"
#include "autograd/reduction.h"
#include "autograd/tape.h"
#include "tests/support/device.h"
#include "tests/support/golden.h"

namespace tapestry::autograd {
namespace {

using tests::Golden;
using tests::test_device;

struct Operation {
  std::string name;                 ///< in the file
  std::vector<std::string> inputs;  ///< of which it has gradients, by their names there
  std::string cotangent;
  std::function<Variable(const std::vector<Variable>& inputs, const Tensor& label)> call;
};

const std::vector<Operation>& operations() {
  using Inputs = std::vector<Variable>;
  static const std::vector<Operation> all = {
      {"softplus", {"x"}, "matrix", [](const Inputs& in, const Tensor&) { return softplus(in[0]); }},
      {"log_softmax", {"x"}, "matrix", [](const Inputs& in, const Tensor&) { return log_softmax(in[0]); }},
      {"bce_with_logits", {"x"}, "scalar", [](const Inputs& in, const Tensor& y) { return bce_with_logits(in[0], y); }},
      {"sigmoid", {"x"}, "matrix", [](const Inputs& in, const Tensor&) { return sigmoid(in[0]); }},
      {"tanh", {"x"}, "matrix", [](const Inputs& in, const Tensor&) { return tanh(in[0]); }},
      {"leaky_relu", {"x"}, "matrix", [](const Inputs& in, const Tensor&) { return leaky_relu(in[0], 0.2); }},
      {"prelu", {"x", "slope"}, "matrix", [](const Inputs& in, const Tensor&) { return prelu(in[0], in[1]); }},
      {"mse", {"x", "y"}, "scalar", [](const Inputs& in, const Tensor&) { return mse(in[0], in[1]); }},
      {"variance", {"x"}, "scalar", [](const Inputs& in, const Tensor&) { return variance(in[0]); }},
  };
  return all;
}

class GoldenOps : public tests::DeviceTest {
 protected:
  Tensor given(const std::string& name, DType dtype) const { return golden_.tensor(name).to(dtype).to(test_device()); }

  /// Every number within `tolerance` of the recorded one, relative to the larger of that and .1: log_softmax takes numbers of up
  /// to 90 from each other, whose rounding a small difference keeps. What is not a number is far off.
  void expect_near(const Tensor& found, const std::string& name, double tolerance) const {
    const Tensor expected = golden_.tensor(name), here = found.to(Device::kCpu).to(DType::kFloat64);
    ASSERT_EQ(here.shape(), expected.shape()) << name;
    for (std::size_t i = 0; i < expected.span<double>().size(); ++i) {
      const double right = expected.span<double>()[i], error = std::abs(here.span<double>()[i] - right);
      EXPECT_TRUE(error <= tolerance * std::max(0.1, std::abs(right))) << name << "[" << i << "] " << here.span<double>()[i];
    }
  }

  /// `suffix`: "" or "_large", of the operation's name and of its input x.
  void check(const Operation& operation, const std::string& suffix, DType dtype, double tolerance) const {
    std::vector<Variable> inputs;
    for (const std::string& name : operation.inputs) {
      inputs.push_back(Variable::parameter(given(name + (name == "x" ? suffix : ""), dtype)));
    }
    Tape tape;
    const Variable value = operation.call(inputs, given("label", dtype));
    tape.backward(value, given("cotangent_" + operation.cotangent, dtype).reshape(value.shape()));
    const std::string name = operation.name + suffix;
    expect_near(value.value(), name + ".value", tolerance);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      expect_near(inputs[i].gradient(), name + ".grad_" + operation.inputs[i], tolerance);
    }
  }

  const Golden golden_ = tests::golden_file("ops.txt");
};

TEST_F(GoldenOps, ValuesAndGradientsArePyTorchs) {
  std::size_t recorded = 0;
  for (const Operation& operation : operations()) {
    for (const std::string suffix : {"", "_large"}) {
      if (!golden_.has(operation.name + suffix + ".value")) continue;
      ++recorded;
      check(operation, suffix, DType::kFloat64, 1e-12);
      check(operation, suffix, DType::kFloat32, 2e-5);
    }
  }
  EXPECT_EQ(recorded, operations().size() + 3) << "three of them at large magnitudes too";
}

}  // namespace
}  // namespace tapestry::autograd
