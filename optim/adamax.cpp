#include "optim/adamax.h"

namespace tapestry::optim {

Adamax::Adamax(std::vector<autograd::Variable> parameters, const AdamaxOptions& options)
    : PreparedOptimizer(std::move(parameters), options) {
  check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "Adamax: betas ", options.beta1,
        " and ", options.beta2, " are not both in [0, 1)");
  check(options.epsilon > 0, "Adamax: epsilon ", options.epsilon, " is not positive");
}

}  // namespace tapestry::optim
