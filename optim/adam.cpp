#include "optim/adam.h"

#include <cmath>
#include <cstring>

#include "tensor/dispatch.h"
#include "tensor/update_factors.h"

namespace tapestry::optim {

Adam::Adam(std::vector<autograd::Variable> parameters, const AdamOptions& options)
    : Optimizer(std::move(parameters), 2), options_(options) {
  check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "Adam: betas ", options.beta1,
        " and ", options.beta2, " are not both in [0, 1)");
  check(options.epsilon > 0, "Adam: epsilon ", options.epsilon, " is not positive");
  check(options.l2 >= 0 && options.decoupled >= 0, "Adam: a weight decay of ", options.l2, " or ", options.decoupled,
        " is negative");
}

AdamStep adam_step(const AdamOptions& options, double learning_rate, std::int64_t t) {
  const auto power = static_cast<double>(t);
  return {learning_rate,
          options.beta1,
          options.beta2,
          options.epsilon,
          options.l2,
          options.decoupled,
          1 - std::pow(options.beta1, power),
          1 - std::pow(options.beta2, power)};
}

template <typename T>
void Adam::update_as(Device device, const std::vector<ParameterView<T>>& views, double learning_rate) {
  const AdamStep step = adam_step(options_, learning_rate, steps());
  dispatch<T>(device, [&](auto kernels) { kernels.adam(views.data(), static_cast<int>(views.size()), step); });
}

template <typename T>
void Adam::fill_prepared(double learning_rate, const Tensor& factors) const {
  for (std::int64_t i = 0; i < factors.rows(); ++i) {
    const AdamFactors<T> row(adam_step(options_, learning_rate, steps() + 1 + i));
    std::memcpy(factors.data<T>() + i * kAdamFactors, &row, sizeof(row));
  }
}

Tensor Adam::prepare(std::int64_t count, double learning_rate) const {
  Tensor factors = Tensor::empty({count, kAdamFactors}, parameters().front().value().dtype());
  factors.dtype() == DType::kFloat32 ? fill_prepared<float>(learning_rate, factors)
                                     : fill_prepared<double>(learning_rate, factors);
  return factors;
}

void Adam::step_prepared(const Tensor& factors) {
  const Tensor& value = parameters().front().value();
  check(factors.numel() == kAdamFactors && factors.device() == value.device(), "Adam::step_prepared: factors ", factors.shape(),
        " on ", factors.device());
  dispatch(value.device(), value.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    const std::vector<ParameterView<T>>& views = parameter_views<T>();
    kernels.adam_prepared(views.data(), static_cast<int>(views.size()), factors.data<T>());
  });
}

void Adam::update(Device device, const std::vector<ParameterView<float>>& views, double learning_rate) {
  update_as(device, views, learning_rate);
}

void Adam::update(Device device, const std::vector<ParameterView<double>>& views, double learning_rate) {
  update_as(device, views, learning_rate);
}

}  // namespace tapestry::optim
