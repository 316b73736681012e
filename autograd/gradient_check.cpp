#include "autograd/gradient_check.h"

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "tensor/ops.h"

namespace tapestry::autograd {
namespace {

double contract(const Tensor& output, const Tensor& cotangent) {
  return sum(binary(BinaryOp::kMultiply, output, cotangent)).item();
}

}  // namespace

GradientCheck check_gradients(const std::function<Variable(const std::vector<Variable>&)>& function,
                              const std::vector<Tensor>& inputs, double step, std::uint64_t seed) {
  std::vector<Variable> variables;
  for (const Tensor& input : inputs) {
    check(input.dtype() == DType::kFloat64, "check_gradients: inputs are to be float64, not ", input.dtype());
    variables.push_back(Variable::parameter(input.clone()));
  }
  Tensor cotangent;
  {
    Tape tape;
    const Variable output = function(variables);
    cotangent = random_normal(output.shape(), {seed, Purpose::kTest, 0}, 0, 1, DType::kFloat64, output.value().device());
    tape.backward(output, cotangent);
  }
  GradientCheck result;
  for (std::size_t input = 0; input < variables.size(); ++input) {
    const Variable& variable = variables[input];
    check(variable.gradient().defined(), "check_gradients: input ", input, " got no gradient");
    check(variable.gradient().shape() == variable.shape(), "check_gradients: input ", input, " of shape ", variable.shape(),
          " got a gradient of shape ", variable.gradient().shape());
    const Tensor analytic = variable.gradient().to(Device::kCpu);
    const Tensor original = variable.value().to(Device::kCpu).clone();
    for (std::int64_t element = 0; element < original.numel(); ++element) {
      const auto moved = [&](double by) {
        const Tensor changed = original.clone();
        changed.data<double>()[element] += by;
        copy_into(variable.value(), changed);
        return contract(function(variables).value(), cotangent);
      };
      const double numeric = (moved(step) - moved(-step)) / (2 * step);
      const double exact = analytic.data<double>()[element];
      const double error = std::abs(numeric - exact) / std::max({1.0, std::abs(numeric), std::abs(exact)});
      if (!(error <= result.worst)) {
        result = {error, concat("input ", input, " element ", element, ": numeric ", numeric, ", analytic ", exact)};
        if (std::isnan(error)) return result;
      }
    }
    copy_into(variable.value(), original);  // for the inputs behind it
  }
  return result;
}

}  // namespace tapestry::autograd
