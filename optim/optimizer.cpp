#include "optim/optimizer.h"

#include <cmath>
#include <map>
#include <type_traits>

#include "tensor/memory.h"
#include "tensor/ops.h"

namespace tapestry::optim {

Optimizer::Optimizer(std::vector<autograd::Variable> parameters, int moments) : parameters_(std::move(parameters)) {
  check(!parameters_.empty(), "Optimizer: no parameters");
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const autograd::Variable& parameter = parameters_[i];
    const Tensor& value = parameter.value();
    const Tensor& first = parameters_.front().value();
    check(parameter.requires_grad(), "Optimizer: one of the parameters is a constant");
    for (std::size_t j = 0; j < i; ++j) {  // it would be moved twice by each step
      check(!(parameters_[j].slot() == parameter.slot()), "Optimizer: parameter ", i, " of shape ", value.shape(),
            " is the same as parameter ", j);
    }
    check(value.dtype() == first.dtype() && value.device() == first.device(), "Optimizer: parameters of ", first.dtype(), " on ",
          first.device(), " and of ", value.dtype(), " on ", value.device());
    if (moments >= 1) first_.push_back(Tensor::zeros(value.shape(), value.dtype(), value.device()));
    if (moments >= 2) second_.push_back(Tensor::zeros(value.shape(), value.dtype(), value.device()));
  }
}

template <typename T>
const std::vector<ParameterView<T>>& Optimizer::parameter_views() {
  auto& views = [this]() -> auto& {
    if constexpr (std::is_same_v<T, float>) {
      return views32_;
    } else {
      return views64_;
    }
  }
  ();
  views.clear();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& gradient = parameters_[i].gradient();
    if (!gradient.defined()) continue;
    const Tensor& value = parameters_[i].value();
    check(gradient.shape() == value.shape(), "Optimizer::step: a gradient ", gradient.shape(), " for a parameter ",
          value.shape());
    check(gradient.dtype() == value.dtype() && gradient.device() == value.device(), "Optimizer::step: a gradient of ",
          gradient.dtype(), " on ", gradient.device(), " for a parameter of ", value.dtype(), " on ", value.device());
    views.push_back({value.data<T>(), gradient.data<T>(), first_.empty() ? nullptr : first_[i].data<T>(),
                     second_.empty() ? nullptr : second_[i].data<T>(), value.numel()});
  }
  return views;
}
template const std::vector<ParameterView<float>>& Optimizer::parameter_views();
template const std::vector<ParameterView<double>>& Optimizer::parameter_views();

void Optimizer::clear_gradients() const {
  for (const autograd::Variable& parameter : parameters_) parameter.clear_gradient();
}

std::vector<std::pair<std::string, Tensor>> Optimizer::moments() const {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (std::size_t i = 0; i < first_.size(); ++i) tensors.emplace_back("first." + std::to_string(i), first_[i]);
  for (std::size_t i = 0; i < second_.size(); ++i) tensors.emplace_back("second." + std::to_string(i), second_[i]);
  return tensors;
}

void Optimizer::count_as(std::int64_t steps) {
  check(steps >= 0, "Optimizer::count_as: ", steps, " steps");
  steps_ = steps;
}

std::vector<std::pair<std::string, Tensor>> Optimizer::state() const {
  std::vector<std::pair<std::string, Tensor>> tensors = moments();
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  return tensors;
}

void Optimizer::load_state(const std::vector<std::pair<std::string, Tensor>>& state, std::int64_t steps) {
  std::map<std::string, Tensor> given;
  for (const auto& [name, source] : state) {
    check(given.emplace(name, source).second, "Optimizer::load_state: '", name, "' comes twice");
  }
  std::vector<std::pair<Tensor, Tensor>> copies;  // {target, source}
  for (const auto& [name, target] : moments()) {
    const auto found = given.find(name);
    check(found != given.end(), "Optimizer::load_state: '", name, "' is missing");
    const Tensor& source = found->second;
    check(source.shape() == target.shape() && source.dtype() == target.dtype(), "Optimizer::load_state: '", name, "' is ",
          source.dtype(), " ", source.shape(), ", not ", target.dtype(), " ", target.shape());
    copies.emplace_back(target, source);
    given.erase(found);
  }
  if (!given.empty()) {
    fail(ErrorKind::kMisuse, "Optimizer::load_state: '", given.begin()->first, "' is none of this optimiser's ", copies.size(),
         " moments");
  }
  check(steps >= 0, "Optimizer::load_state: ", steps, " steps");
  for (const auto& [target, source] : copies) copy_into(target, source);  // nothing is changed before all fits
  count_as(steps);
}

namespace {

/// The sum of a gradient's squares. Where it is more than float32 holds, from a norm of 1.8e19 on, or so little that float32
/// loses digits of it, it is taken again in float64.
double sum_of_squares(const Tensor& gradient) {
  constexpr double kLittle = 1e-30;
  const double squares = sum_squares(gradient).item();
  const bool exact = gradient.dtype() == DType::kFloat64 || (std::isfinite(squares) && squares >= kLittle);
  return exact ? squares : sum_squares(gradient.to(DType::kFloat64)).item();
}

}  // namespace

double clip_gradient_norm(const std::vector<autograd::Variable>& parameters, double limit) {
  check(limit > 0, "clip_gradient_norm: the limit ", limit, " is not positive");
  double squares = 0;
  for (const autograd::Variable& parameter : parameters) {
    if (parameter.gradient().defined()) squares += sum_of_squares(parameter.gradient());
  }
  const double norm = std::sqrt(squares);
  if (!std::isfinite(norm) || norm <= limit) return norm;
  for (const autograd::Variable& parameter : parameters) {
    if (!parameter.gradient().defined()) continue;
    const Tensor clipped = scaled(parameter.gradient(), limit / norm);
    parameter.clear_gradient();
    parameter.slot().accumulate(clipped);
  }
  return norm;
}

}  // namespace tapestry::optim
