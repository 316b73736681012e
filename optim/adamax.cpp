#include "optim/adamax.h"

#include <cmath>
#include <cstring>

#include "tensor/dispatch.h"
#include "tensor/update_factors.h"

namespace tapestry::optim {

Adamax::Adamax(std::vector<autograd::Variable> parameters, const AdamaxOptions& options)
    : Optimizer(std::move(parameters), 2), options_(options) {
  check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "Adamax: betas ", options.beta1,
        " and ", options.beta2, " are not both in [0, 1)");
  check(options.epsilon > 0, "Adamax: epsilon ", options.epsilon, " is not positive");
}

AdamaxStep Adamax::numbers(double learning_rate, std::int64_t t) const {
  return {learning_rate, options_.beta1, options_.beta2, options_.epsilon, 1 - std::pow(options_.beta1, static_cast<double>(t))};
}

template <typename T>
void Adamax::fill_prepared(double learning_rate, const Tensor& factors) const {
  for (std::int64_t i = 0; i < factors.rows(); ++i) {
    const AdamaxFactors<T> row(numbers(learning_rate, steps() + 1 + i));
    std::memcpy(factors.data<T>() + i * kAdamaxFactors, &row, sizeof(row));
  }
}

Tensor Adamax::prepare(std::int64_t count, double learning_rate) const {
  Tensor factors = Tensor::empty({count, kAdamaxFactors}, parameters().front().value().dtype());
  factors.dtype() == DType::kFloat32 ? fill_prepared<float>(learning_rate, factors)
                                     : fill_prepared<double>(learning_rate, factors);
  return factors;
}

void Adamax::step_prepared(const Tensor& factors) {
  const Tensor& value = parameters().front().value();
  check(factors.numel() == kAdamaxFactors && factors.device() == value.device(), "Adamax::step_prepared: factors ",
        factors.shape(), " on ", factors.device());
  dispatch(value.device(), value.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    const std::vector<ParameterView<T>>& views = parameter_views<T>();
    kernels.adamax_prepared(views.data(), static_cast<int>(views.size()), factors.data<T>());
  });
}

template <typename T>
void Adamax::update_as(Device device, const std::vector<ParameterView<T>>& views, double learning_rate) {
  const AdamaxStep step = numbers(learning_rate, steps());
  dispatch<T>(device, [&](auto kernels) { kernels.adamax(views.data(), static_cast<int>(views.size()), step); });
}

void Adamax::update(Device device, const std::vector<ParameterView<float>>& views, double learning_rate) {
  update_as(device, views, learning_rate);
}

void Adamax::update(Device device, const std::vector<ParameterView<double>>& views, double learning_rate) {
  update_as(device, views, learning_rate);
}

}  // namespace tapestry::optim
