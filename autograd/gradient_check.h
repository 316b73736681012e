#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace tapestry::autograd {

struct GradientCheck {
  double worst = 0;      ///< largest |numeric - analytic| / max(1, |numeric|, |analytic|); NaN if any gradient is NaN
  std::string location;  ///< input and element of the worst
  bool within(double tolerance) const { return worst <= tolerance; }  ///< false for NaN
};

/// Compares the gradients of function(inputs) with central differences of step `step` in float64. The output is contracted with
/// random normal cotangents: a plain sum would be blind to errors that cancel, as in a softmax. The function must be
/// deterministic and the inputs float64, away from kinks. Throws if an input gets no gradient.
GradientCheck check_gradients(const std::function<Variable(const std::vector<Variable>&)>& function,
                              const std::vector<Tensor>& inputs, double step = 1e-6, std::uint64_t seed = 1);

}  // namespace tapestry::autograd
