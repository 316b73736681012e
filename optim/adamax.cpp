#include "optim/adamax.h"

#include <cmath>

namespace tapestry::optim {

Adamax::Adamax(std::vector<autograd::Variable> parameters, const AdamaxOptions& options)
    : PreparedOptimizer(std::move(parameters), options) {
  check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "Adamax: betas ", options.beta1,
        " and ", options.beta2, " are not both in [0, 1)");
  check(options.epsilon > 0, "Adamax: epsilon ", options.epsilon, " is not positive");
}

AdamaxStep adamax_step(const AdamaxOptions& options, double learning_rate, std::int64_t t) {
  return {learning_rate, options.beta1, options.beta2, options.epsilon, 1 - std::pow(options.beta1, static_cast<double>(t))};
}

}  // namespace tapestry::optim
