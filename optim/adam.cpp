#include "optim/adam.h"

namespace tapestry::optim {

Adam::Adam(std::vector<autograd::Variable> parameters, const AdamOptions& options)
    : PreparedOptimizer(std::move(parameters), options) {
  check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "Adam: betas ", options.beta1,
        " and ", options.beta2, " are not both in [0, 1)");
  check(options.epsilon > 0, "Adam: epsilon ", options.epsilon, " is not positive");
  check(options.l2 >= 0 && options.decoupled >= 0, "Adam: a weight decay of ", options.l2, " or ", options.decoupled,
        " is negative");
}

}  // namespace tapestry::optim
