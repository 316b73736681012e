#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tensor/csr.h"
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

/// A golden file of this repository: golden_file("vae_step.txt").
Golden golden_file(const std::string& name);

/// What a float32 or float64 run may differ from numbers recorded in float64, as relative_error.
double golden_tolerance(DType dtype);

/// Whether `ours` is the recorded tensor `name` to golden_tolerance.
::testing::AssertionResult matches_golden(const Golden& golden, const std::string& name, const Tensor& ours);

/// The places of a recorded matrix, float64 [B, I] on the CPU, that are not 0, as a matrix of ones.
CsrMatrix rows_of(const Tensor& dense);

}  // namespace tapestry::tests
