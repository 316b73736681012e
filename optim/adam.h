#pragma once

#include "optim/optimizer.h"

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

/// Adam (Kingma & Ba 2015, Algorithm 1), one fused pass over each parameter.
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<autograd::Variable> parameters, const AdamOptions& options = {});

  /// The constants of the next `count` updates at this rate, on the host: [count, kAdamFactors] of the parameters' type.
  Tensor prepare(std::int64_t count, double learning_rate) const;
  /// One update with a row of prepare(), [kAdamFactors], read where the parameters are: the same bits as step(). It does not
  /// count, since a step captured in a graph is called once for many updates.
  void step_prepared(const Tensor& factors);
  /// Counts updates made by step_prepared().
  void count(std::int64_t updates) { advance(updates); }

 private:
  template <typename T>
  void fill_prepared(double learning_rate, const Tensor& factors) const;
  void update(Device device, const std::vector<ParameterView<float>>& views, double learning_rate) override;
  void update(Device device, const std::vector<ParameterView<double>>& views, double learning_rate) override;
  template <typename T>
  void update_as(Device device, const std::vector<ParameterView<T>>& views, double learning_rate);

  AdamOptions options_;
};

}  // namespace tapestry::optim
