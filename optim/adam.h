#pragma once

#include <cmath>

#include "optim/prepared.h"
#include "tensor/update_factors.h"

namespace tapestry::optim {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double l2 = 0;         ///< weight decay added to the gradient: it passes through the moments (Kingma & Ba 2015)
  double decoupled = 0;  ///< weight decay applied to the value itself, times the learning rate (Loshchilov & Hutter 2019)
};

/// Adam's, for PreparedOptimizer.
struct AdamFormula {
  using Options = AdamOptions;
  static constexpr const char* kName = "Adam";
  static constexpr std::int64_t kFactors = kAdamFactors;

  /// Algorithm 1: value -= lr m^ / (sqrt(v^) + epsilon), m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t), with both corrections in
  /// constants, so that the kernel need not divide by them at every element:
  ///   rate = lr / (1 - beta1^t),  root2 = 1 / sqrt(1 - beta2^t),  rest_i = 1 - beta_i,  keep = 1 - lr decoupled,
  /// each rounded to T once.
  template <typename T>
  static AdamFactors<T> factors(const AdamOptions& options, double learning_rate, std::int64_t t) {
    const auto power = static_cast<double>(t);
    const double correction1 = 1 - std::pow(options.beta1, power), correction2 = 1 - std::pow(options.beta2, power);
    return {.beta1 = static_cast<T>(options.beta1),
            .beta2 = static_cast<T>(options.beta2),
            .rest1 = static_cast<T>(1 - options.beta1),
            .rest2 = static_cast<T>(1 - options.beta2),
            .l2 = static_cast<T>(options.l2),
            .keep = static_cast<T>(1 - learning_rate * options.decoupled),
            .rate = static_cast<T>(learning_rate / correction1),
            .root2 = static_cast<T>(1 / std::sqrt(correction2)),
            .epsilon = static_cast<T>(options.epsilon)};
  }
  template <typename Kernels, typename T>
  static void update(Kernels kernels, const ParameterView<T>* parameters, int count, const T* factors) {
    kernels.adam_prepared(parameters, count, factors);
  }
};

/// Adam (Kingma & Ba 2015, Algorithm 1), one fused pass over each parameter.
class Adam : public PreparedOptimizer<AdamFormula> {
 public:
  explicit Adam(std::vector<autograd::Variable> parameters, const AdamOptions& options = {});
};

/// The constants of Adam's updates first_step, first_step + 1, ... (counted from 1), on the host: [count, kAdamFactors] of this
/// type. For weights that move by Adam but are no optimiser's parameters: what Adam::prepare gives, without an optimiser.
inline Tensor adam_factors(const AdamOptions& options, double learning_rate, std::int64_t first_step, std::int64_t count,
                           DType dtype) {
  return prepared_factors<AdamFormula>(options, learning_rate, first_step, count, dtype);
}

}  // namespace tapestry::optim
