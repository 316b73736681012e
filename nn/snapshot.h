#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/module.h"

namespace tapestry::nn {

/// The values of a module as they were at one time, to come back to: the best epoch's, while training goes on. Its memory, as
/// much as the module's parameters take, is asked for when it is made and written over whenever it is taken.
class Snapshot {
 public:
  /// The module must outlive the snapshot and keep its parameters.
  explicit Snapshot(const Module& module) : module_(module), values_(module.state()) {}

  void take();
  bool taken() const { return taken_; }
  /// Puts the values last taken back into the module. Throws when none were.
  void restore() const;

  /// Its values by name, themselves and not copies, for who keeps them in a file: written over there, they count as taken or not.
  const std::vector<std::pair<std::string, Tensor>>& values() const { return values_; }
  void count_as_taken(bool taken) { taken_ = taken; }

 private:
  const Module& module_;
  std::vector<std::pair<std::string, Tensor>> values_;
  bool taken_ = false;
};

}  // namespace tapestry::nn
