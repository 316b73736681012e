#pragma once

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

/// The numbers of update t = 1, 2, ...
AdamStep adam_step(const AdamOptions& options, double learning_rate, std::int64_t t);

/// Adam's, for PreparedOptimizer.
struct AdamFormula {
  using Options = AdamOptions;
  static constexpr const char* kName = "Adam";
  static constexpr std::int64_t kFactors = kAdamFactors;

  template <typename T>
  static AdamFactors<T> factors(const AdamOptions& options, double learning_rate, std::int64_t t) {
    return AdamFactors<T>(adam_step(options, learning_rate, t));
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
