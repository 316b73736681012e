#pragma once

#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace tapestry::nn {

struct NamedParameter {
  std::string name;  ///< path of member names: "encoder.0.weight"
  autograd::Variable variable;
};

/// A part of a model that owns parameters and further modules. Layers register what they own in their constructor, so that one
/// walk finds every parameter by name, in order of registration. Not copyable: children are known by address.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// Every parameter of this module and of those below it.
  std::vector<NamedParameter> named_parameters() const;
  std::vector<autograd::Variable> parameters() const;
  std::int64_t parameter_count() const;
  void clear_gradients() const;

  /// Copies of all values by name: what a checkpoint holds.
  std::vector<std::pair<std::string, Tensor>> state() const;
  /// Overwrites the values in place, which every module then hears of (values_changed). Throws Error(kMisuse), and changes
  /// nothing, unless names, order, shapes and types are those of state().
  void load_state(const std::vector<std::pair<std::string, Tensor>>& state) const;
  /// To be called by who has overwritten values in place by other means: every module hears of it.
  void tell_of_changed_values() const;

 protected:
  autograd::Variable add_parameter(std::string name, Tensor value);
  /// The module is kept by address, and must live and stay where it is as long as this one: a member, or what one points to.
  void add_module(std::string name, const Module& module) { modules_.emplace_back(std::move(name), &module); }
  /// A temporary would be gone after the call.
  void add_module(std::string name, const Module&& module) = delete;

  /// This module's values and those below it have been overwritten: for what a module keeps that follows from them. Called on
  /// those below first.
  virtual void values_changed() const {}

 private:
  std::vector<NamedParameter> parameters_;
  std::vector<std::pair<std::string, const Module*>> modules_;
};

}  // namespace tapestry::nn
