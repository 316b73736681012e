#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace tapestry::tests {

/// Numbers recorded from another framework, read from one of the text files in tests/golden (README.md there has the format).
class Golden {
 public:
  /// Reads and checks the whole file. Throws Error(kData) naming file, line and column if it is missing or malformed.
  explicit Golden(const std::string& path);

  bool has(const std::string& name) const { return entries_.contains(name); }
  /// The recorded tensor on the CPU. Throws Error(kMisuse) if there is none of that name, or if an integer `dtype` is asked
  /// for and an element is not an integer.
  Tensor tensor(const std::string& name, DType dtype = DType::kFloat64) const;
  /// The value of a recorded scalar (rank 0, or a single element). Throws Error(kMisuse) otherwise.
  double scalar(const std::string& name) const;
  /// What follows `prefix` in every name that starts with it, sorted: names_under("grad.") lists the parameters.
  std::vector<std::string> names_under(const std::string& prefix) const;

 private:
  struct Entry {
    Shape shape;
    std::vector<double> values;
  };
  const Entry& entry(const std::string& name) const;

  std::string path_;
  std::map<std::string, Entry> entries_;
};

}  // namespace tapestry::tests
