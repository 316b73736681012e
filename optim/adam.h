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

/// Adam (Kingma & Ba 2015, Algorithm 1), all parameters in one fused pass.
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<autograd::Variable> parameters, const AdamOptions& options = {});

 private:
  void update(Device device, const std::vector<ParameterView<float>>& views, double learning_rate) override;
  void update(Device device, const std::vector<ParameterView<double>>& views, double learning_rate) override;
  template <typename T>
  void update_as(Device device, const std::vector<ParameterView<T>>& views, double learning_rate);

  AdamOptions options_;
};

}  // namespace tapestry::optim
