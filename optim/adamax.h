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

 private:
  void update(Device device, const std::vector<ParameterView<float>>& views, double learning_rate) override;
  void update(Device device, const std::vector<ParameterView<double>>& views, double learning_rate) override;
  template <typename T>
  void update_as(Device device, const std::vector<ParameterView<T>>& views, double learning_rate);

  AdamaxOptions options_;
};

}  // namespace tapestry::optim
