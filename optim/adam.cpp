#include "optim/adam.h"

#include <cmath>

namespace tapestry::optim {

Adam::Adam(std::vector<autograd::Variable> parameters, const AdamOptions& options)
    : PreparedOptimizer(std::move(parameters), options) {
  check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "Adam: betas ", options.beta1,
        " and ", options.beta2, " are not both in [0, 1)");
  check(options.epsilon > 0, "Adam: epsilon ", options.epsilon, " is not positive");
  check(options.l2 >= 0 && options.decoupled >= 0, "Adam: a weight decay of ", options.l2, " or ", options.decoupled,
        " is negative");
}

AdamStep adam_step(const AdamOptions& options, double learning_rate, std::int64_t t) {
  const auto power = static_cast<double>(t);
  return {learning_rate,
          options.beta1,
          options.beta2,
          options.epsilon,
          options.l2,
          options.decoupled,
          1 - std::pow(options.beta1, power),
          1 - std::pow(options.beta2, power)};
}

}  // namespace tapestry::optim
