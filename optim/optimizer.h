#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "tensor/kernels.h"

namespace tapestry::optim {

/// Changes parameters along their gradients. The parameters share one type and device. A parameter that got no gradient since
/// the last clear_gradients() is left alone, its moments too.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update at the given learning rate (schedules are functions of the caller's step or epoch: optim/schedule.h). Throws
  /// Error(kMisuse), and changes nothing, where a gradient does not fit its parameter.
  virtual void step(double learning_rate) = 0;
  void clear_gradients() const;
  std::int64_t steps() const { return steps_; }
  const std::vector<autograd::Variable>& parameters() const { return parameters_; }

  /// The moments by "first.0", "second.0", ..., themselves and not copies: with steps(), all that continuing takes, as far as the
  /// optimiser's own parameters go. (Who moves other weights by Adam's kernels keeps their moments.)
  std::vector<std::pair<std::string, Tensor>> moments() const;
  /// For who has overwritten the moments in place: as if `steps` updates had been made. Throws Error(kMisuse) unless steps >= 0.
  void count_as(std::int64_t steps);
  /// Copies of moments().
  std::vector<std::pair<std::string, Tensor>> state() const;
  /// Takes what state() gave, found by its names in any order, such as a file's. Throws Error(kMisuse), and changes nothing,
  /// unless each name of state() comes once, and no other, with its shape and type, and steps >= 0.
  void load_state(const std::vector<std::pair<std::string, Tensor>>& state, std::int64_t steps);

 protected:
  /// `moments`: how many tensors of each parameter's shape the method keeps (0 to 2), zero at first. Throws Error(kMisuse) for no
  /// parameters, a constant, one that comes twice, and parameters of several types or devices.
  Optimizer(std::vector<autograd::Variable> parameters, int moments);

  /// The parameters of element type T that have gradients, as kernels take them. Valid until the next call.
  template <typename T>
  const std::vector<ParameterView<T>>& parameter_views();
  void advance(std::int64_t updates) { steps_ += updates; }

 private:
  std::vector<autograd::Variable> parameters_;
  std::vector<Tensor> first_;
  std::vector<Tensor> second_;
  std::vector<ParameterView<float>> views32_;  ///< kept between steps so that a step allocates nothing
  std::vector<ParameterView<double>> views64_;
  std::int64_t steps_ = 0;
};

/// Clears an optimiser's gradients at the end of its scope, however that is left. A step of a StepGraph that runs out of memory
/// while it is recorded is tried once more, and must not find gradients of the attempt that was broken off.
class GradientScope {
 public:
  explicit GradientScope(const Optimizer& optimizer) : optimizer_(optimizer) {}
  ~GradientScope() { optimizer_.clear_gradients(); }
  GradientScope(const GradientScope&) = delete;
  GradientScope& operator=(const GradientScope&) = delete;

 private:
  const Optimizer& optimizer_;
};

/// Gradients scaled together so that their joint L2 norm is at most `limit`; returns the norm before. A norm that is NaN or
/// infinite leaves them as they are: the caller sees it in the result. (The squares are summed in float64: a norm above 1e154 is
/// infinite, one below 1e-162 is 0.)
double clip_gradient_norm(const std::vector<autograd::Variable>& parameters, double limit);

}  // namespace tapestry::optim
