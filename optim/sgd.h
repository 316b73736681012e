#pragma once

#include "optim/optimizer.h"
#include "tensor/dispatch.h"
#include "tensor/step_graph.h"

namespace tapestry::optim {

struct SgdOptions {
  double momentum = 0;
  double l2 = 0;  ///< weight decay added to the gradient
};

/// Stochastic gradient descent: velocity = momentum * velocity + gradient; value -= learning rate * velocity. Its kernel is given
/// the learning rate by the host, so that a step recorded by a StepGraph would repeat the first one: there step() throws
/// Error(kMisuse), and Adam and Adamax have step_prepared().
class Sgd : public Optimizer {
 public:
  explicit Sgd(std::vector<autograd::Variable> parameters, const SgdOptions& options = {})
      : Optimizer(std::move(parameters), options.momentum != 0 ? 1 : 0), options_(options) {
    check(options.momentum >= 0 && options.momentum < 1, "Sgd: momentum ", options.momentum, " is not in [0, 1)");
    check(options.l2 >= 0, "Sgd: weight decay ", options.l2, " is negative");
  }

  void step(double learning_rate) override {
    check(!StepGraph::recording(),
          "Sgd::step: called within a step that a StepGraph records, which would repeat the learning rate ", learning_rate,
          " whatever later steps ask for: use Adam::step_prepared there (TAPESTRY_GRAPHS=off records none)");
    const Tensor& value = parameters().front().value();
    dispatch("Sgd", value.device(), value.dtype(), [&](auto kernels) {
      using T = typename decltype(kernels)::Scalar;
      const std::vector<ParameterView<T>>& views = parameter_views<T>();
      kernels.sgd(views.data(), static_cast<int>(views.size()), learning_rate, options_.momentum, options_.l2);
    });
    advance(1);
  }

 private:
  SgdOptions options_;
};

}  // namespace tapestry::optim
