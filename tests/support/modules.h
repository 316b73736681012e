#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "nn/module.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

// What tests ask of whole modules. All of it lies here, so that tests of tensors need no modules.
namespace tapestry::tests {

/// Sets every parameter to the recorded "initial.NAME"; fails unless the file has exactly the module's parameters.
inline void load_initial(const Golden& golden, const nn::Module& module, DType dtype) {
  std::vector<std::pair<std::string, Tensor>> state;
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    state.emplace_back(parameter.name, golden.tensor("initial." + parameter.name, dtype).reshape(parameter.variable.shape()));
  }
  ASSERT_EQ(state.size(), golden.names_under("initial.").size());
  module.load_state(state);
}

/// Every parameter's gradient is the recorded one, whose name is `prefix` and the parameter's.
inline void expect_gradients(const Golden& golden, const nn::Module& module, const std::string& prefix = "grad.") {
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    EXPECT_TRUE(matches_golden(golden, prefix + parameter.name, parameter.variable.gradient()));
  }
}

/// Every parameter is the recorded one, as after the last step.
inline void expect_values(const Golden& golden, const nn::Module& module, const std::string& prefix = "final.") {
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    EXPECT_TRUE(matches_golden(golden, prefix + parameter.name, parameter.variable.value()));
  }
}

/// Whether two modules hold the same parameters bit for bit, wherever they lie.
inline bool same_state(const nn::Module& a, const nn::Module& b) {
  const auto first = a.state();
  const auto second = b.state();
  bool same = first.size() == second.size();
  for (std::size_t i = 0; same && i < first.size(); ++i) {
    same = first[i].first == second[i].first && same_bits(first[i].second.to(Device::kCpu), second[i].second.to(Device::kCpu));
  }
  return same;
}

/// The worst error, over a float64 module's parameters, of a gradient of loss() against central differences, each as
/// relative_error of the whole tensor. NaN if any is. `loss` must be deterministic and away from kinks.
inline double worst_gradient_error(const nn::Module& module, const std::function<autograd::Variable()>& loss) {
  module.clear_gradients();
  {
    autograd::Tape tape;
    tape.backward(loss());
  }
  constexpr double kStep = 1e-5;
  double worst = 0;
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    const Tensor& value = parameter.variable.value();
    check(parameter.variable.gradient().defined(), "worst_gradient_error: ", parameter.name, " got no gradient");
    const Tensor numeric = Tensor::empty(value.shape(), DType::kFloat64);
    for (std::int64_t i = 0; i < value.numel(); ++i) {
      double& element = value.data<double>()[i];
      const double original = element;
      element = original + kStep;
      const double above = loss().value().item();
      element = original - kStep;
      const double below = loss().value().item();
      element = original;
      numeric.data<double>()[i] = (above - below) / (2 * kStep);
    }
    const double error = relative_error(parameter.variable.gradient(), numeric);
    if (!(error <= worst)) worst = error;
    if (std::isnan(worst)) break;
  }
  module.clear_gradients();
  return worst;
}

}  // namespace tapestry::tests
