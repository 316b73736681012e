#include "optim/adam.h"

#include <cmath>

#include "tensor/dispatch.h"

namespace tapestry::optim {

Adam::Adam(std::vector<autograd::Variable> parameters, const AdamOptions& options)
    : Optimizer(std::move(parameters), 2), options_(options) {
  check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "Adam: betas ", options.beta1,
        " and ", options.beta2, " are not both in [0, 1)");
  check(options.epsilon > 0, "Adam: epsilon ", options.epsilon, " is not positive");
}

template <typename T>
void Adam::update_as(Device device, const std::vector<ParameterView<T>>& views, double learning_rate) {
  const auto t = static_cast<double>(steps());
  const AdamStep step = {learning_rate,
                         options_.beta1,
                         options_.beta2,
                         options_.epsilon,
                         options_.l2,
                         options_.decoupled,
                         1 - std::pow(options_.beta1, t),
                         1 - std::pow(options_.beta2, t)};
  const int count = static_cast<int>(views.size());
  device == Device::kCpu ? CpuKernels<T>::adam(views.data(), count, step) : CudaKernels<T>::adam(views.data(), count, step);
}

void Adam::update(Device device, const std::vector<ParameterView<float>>& views, double learning_rate) {
  update_as(device, views, learning_rate);
}

void Adam::update(Device device, const std::vector<ParameterView<double>>& views, double learning_rate) {
  update_as(device, views, learning_rate);
}

}  // namespace tapestry::optim
