#pragma once

#include <cstring>

#include "optim/optimizer.h"
#include "tensor/dispatch.h"

namespace tapestry::optim {

/// The constants of updates first_step, first_step + 1, ... (counted from 1) at this rate, on the host: [count,
/// Formula::kFactors] of this type. PreparedOptimizer says what a Formula is.
template <typename Formula>
Tensor prepared_factors(const typename Formula::Options& options, double learning_rate, std::int64_t first_step,
                        std::int64_t count, DType dtype) {
  const Tensor rows = Tensor::empty({count, Formula::kFactors}, dtype);
  dispatch(Formula::kName, Device::kCpu, dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = Formula::template factors<T>(options, learning_rate, first_step + i);
      static_assert(sizeof(row) == Formula::kFactors * sizeof(T));
      std::memcpy(rows.data<T>() + i * Formula::kFactors, &row, sizeof(row));
    }
  });
  return rows;
}

/// A method with two moments whose kernel reads the constants of an update where the parameters are, so that a step that a GPU
/// repeats as a graph (tensor/step_graph.h) needs nothing of the host. Its Formula has
///   Options, kName, kFactors: how many constants an update has,
///   factors<T>(options, learning_rate, t): those of update t = 1, 2, ..., kFactors numbers T one behind the other,
///   update(kernels, parameters, count, factors): the update itself, one fused pass over each parameter.
template <typename Formula>
class PreparedOptimizer : public Optimizer {
 public:
  void step(double learning_rate) final {
    step_prepared(prepare(1, learning_rate).to(parameters().front().value().device()));
    advance(1);
  }

  /// The constants of the next `count` updates at this rate, on the host: [count, kFactors] of the parameters' type.
  Tensor prepare(std::int64_t count, double learning_rate) const {
    const DType dtype = parameters().front().value().dtype();
    return prepared_factors<Formula>(options_, learning_rate, steps() + 1, count, dtype);
  }
  /// One update with a row of prepare(), [kFactors], read where the parameters are. It does not count, since a step captured in a
  /// graph is called once for many updates. Throws Error(kMisuse), and changes nothing, where the row or a gradient does not fit.
  void step_prepared(const Tensor& factors) {
    const Tensor& value = parameters().front().value();
    check(factors.numel() == Formula::kFactors && factors.dtype() == value.dtype() && factors.device() == value.device(),
          Formula::kName, "::step_prepared: factors ", factors.dtype(), " ", factors.shape(), " on ", factors.device());
    dispatch(Formula::kName, value.device(), value.dtype(), [&](auto kernels) {
      using T = typename decltype(kernels)::Scalar;
      const std::vector<ParameterView<T>>& views = parameter_views<T>();
      Formula::update(kernels, views.data(), static_cast<int>(views.size()), factors.data<T>());
    });
  }
  /// Counts updates made by step_prepared().
  void count(std::int64_t updates) { advance(updates); }

  const typename Formula::Options& options() const { return options_; }

 protected:
  PreparedOptimizer(std::vector<autograd::Variable> parameters, const typename Formula::Options& options)
      : Optimizer(std::move(parameters), 2), options_(options) {}

 private:
  typename Formula::Options options_;
};

}  // namespace tapestry::optim
