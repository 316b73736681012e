#include "optim/adamax.h"

#include <cmath>

#include "tensor/dispatch.h"

namespace tapestry::optim {

Adamax::Adamax(std::vector<autograd::Variable> parameters, const AdamaxOptions& options)
    : Optimizer(std::move(parameters), 2), options_(options) {
  check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "Adamax: betas ", options.beta1,
        " and ", options.beta2, " are not both in [0, 1)");
  check(options.epsilon > 0, "Adamax: epsilon ", options.epsilon, " is not positive");
}

template <typename T>
void Adamax::update_as(Device device, const std::vector<ParameterView<T>>& views, double learning_rate) {
  const AdamaxStep step = {learning_rate, options_.beta1, options_.beta2, options_.epsilon,
                           1 - std::pow(options_.beta1, static_cast<double>(steps()))};
  const int count = static_cast<int>(views.size());
  device == Device::kCpu ? CpuKernels<T>::adamax(views.data(), count, step) : CudaKernels<T>::adamax(views.data(), count, step);
}

void Adamax::update(Device device, const std::vector<ParameterView<float>>& views, double learning_rate) {
  update_as(device, views, learning_rate);
}

void Adamax::update(Device device, const std::vector<ParameterView<double>>& views, double learning_rate) {
  update_as(device, views, learning_rate);
}

}  // namespace tapestry::optim
