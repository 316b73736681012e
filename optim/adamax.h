#pragma once

#include <cmath>

#include "optim/prepared.h"
#include "tensor/update_factors.h"

namespace tapestry::optim {

struct AdamaxOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Adamax's, for PreparedOptimizer.
struct AdamaxFormula {
  using Options = AdamaxOptions;
  static constexpr const char* kName = "Adamax";
  static constexpr std::int64_t kFactors = kAdamaxFactors;

  /// The paper (Algorithm 2) has no epsilon; PyTorch adds it to the gradient within the maximum, and so does this.
  template <typename T>
  static AdamaxFactors<T> factors(const AdamaxOptions& options, double learning_rate, std::int64_t t) {
    const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(t));
    return {.beta1 = static_cast<T>(options.beta1),
            .beta2 = static_cast<T>(options.beta2),
            .rest1 = static_cast<T>(1 - options.beta1),
            .rate = static_cast<T>(learning_rate / correction1),
            .epsilon = static_cast<T>(options.epsilon)};
  }
  template <typename Kernels, typename T>
  static void update(Kernels kernels, const ParameterView<T>* parameters, int count, const T* factors) {
    kernels.adamax_prepared(parameters, count, factors);
  }
};

/// Adamax (Kingma & Ba 2015, Algorithm 2): Adam with the infinity norm of past gradients, u = max(beta2 u, |g| + epsilon).
class Adamax : public PreparedOptimizer<AdamaxFormula> {
 public:
  explicit Adamax(std::vector<autograd::Variable> parameters, const AdamaxOptions& options = {});
};

}  // namespace tapestry::optim
