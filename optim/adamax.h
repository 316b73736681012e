#pragma once

#include "optim/optimizer.h"

namespace tapestry::optim {

struct AdamaxOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Adamax (Kingma & Ba 2015, Algorithm 2): Adam with the infinity norm of past gradients, u = max(beta2 u, |g| + epsilon).
class Adamax : public Optimizer {
 public:
  explicit Adamax(std::vector<autograd::Variable> parameters, const AdamaxOptions& options = {});

  /// As Adam has them: the constants of the next `count` updates at this rate, on the host [count, kAdamaxFactors]; one update
  /// with a row of them, which does not count; and how many of those were made.
  Tensor prepare(std::int64_t count, double learning_rate) const;
  void step_prepared(const Tensor& factors);
  void count(std::int64_t updates) { advance(updates); }

 private:
  AdamaxStep numbers(double learning_rate, std::int64_t t) const;
  template <typename T>
  void fill_prepared(double learning_rate, const Tensor& factors) const;
  void update(Device device, const std::vector<ParameterView<float>>& views, double learning_rate) override;
  void update(Device device, const std::vector<ParameterView<double>>& views, double learning_rate) override;
  template <typename T>
  void update_as(Device device, const std::vector<ParameterView<T>>& views, double learning_rate);

  AdamaxOptions options_;
};

}  // namespace tapestry::optim
