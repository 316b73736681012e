#include "nn/module.h"

#include "tensor/memory.h"

namespace tapestry::nn {

std::vector<NamedParameter> Module::named_parameters() const {
  std::vector<NamedParameter> all = parameters_;
  for (const auto& [name, module] : modules_) {
    for (NamedParameter& below : module->named_parameters()) {
      all.push_back({name + "." + below.name, std::move(below.variable)});
    }
  }
  return all;
}

std::vector<autograd::Variable> Module::parameters() const {
  std::vector<autograd::Variable> all;
  for (NamedParameter& parameter : named_parameters()) all.push_back(std::move(parameter.variable));
  return all;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const autograd::Variable& parameter : parameters()) count += parameter.value().numel();
  return count;
}

void Module::clear_gradients() const {
  for (const autograd::Variable& parameter : parameters()) parameter.clear_gradient();
}

std::vector<std::pair<std::string, Tensor>> Module::state() const {
  std::vector<std::pair<std::string, Tensor>> values;
  for (const NamedParameter& parameter : named_parameters()) {
    values.emplace_back(parameter.name, parameter.variable.value().clone());
  }
  return values;
}

void Module::load_state(const std::vector<std::pair<std::string, Tensor>>& state) const {
  const std::vector<NamedParameter> own = named_parameters();
  check(own.size() == state.size(), "load_state: ", state.size(), " tensors for a module with ", own.size(), " parameters");
  for (std::size_t i = 0; i < own.size(); ++i) {
    const Tensor& target = own[i].variable.value();
    const auto& [name, source] = state[i];
    check(name == own[i].name, "load_state: '", name, "' where '", own[i].name, "' was expected");
    check(source.shape() == target.shape() && source.dtype() == target.dtype(), "load_state: '", name, "' is ", source.dtype(),
          " ", source.shape(), ", not ", target.dtype(), " ", target.shape());
  }
  for (std::size_t i = 0; i < own.size(); ++i) copy_into(own[i].variable.value(), state[i].second);  // once all fits
  tell_of_changed_values();
}

void Module::tell_of_changed_values() const {
  for (const auto& [name, module] : modules_) module->tell_of_changed_values();
  values_changed();
}

autograd::Variable Module::add_parameter(std::string name, Tensor value) {
  parameters_.push_back({std::move(name), autograd::Variable::parameter(std::move(value))});
  return parameters_.back().variable;
}

}  // namespace tapestry::nn
