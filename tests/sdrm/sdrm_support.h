#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "nn/module.h"
#include "tensor/csr.h"
#include "tests/support/golden.h"

namespace tapestry::tests {

/// A golden file of this repository: golden_file("vae_step.txt").
Golden golden_file(const std::string& name);

/// || ours - expected || / || expected || over a whole tensor (absolute where the expected one is zero): NaN if anything is.
double relative_error(const Tensor& ours, const Tensor& expected);

/// What a float32 or float64 run may differ from numbers recorded in float64, as relative_error.
double golden_tolerance(DType dtype);

/// Whether `ours` is the recorded tensor `name` to golden_tolerance.
::testing::AssertionResult matches_golden(const Golden& golden, const std::string& name, const Tensor& ours);

/// Sets every parameter to the recorded "initial.NAME"; fails unless the file has exactly the module's parameters.
void load_initial(const Golden& golden, const nn::Module& module, DType dtype);

/// int32 [count], every entry `value`: a step or row id for a whole batch.
Tensor repeated(std::int64_t count, std::int32_t value);

/// Whether the two hold the same bits.
bool same_bits(const Tensor& a, const Tensor& b);

/// Whether two modules hold the same parameters bit for bit, wherever they lie.
bool same_state(const nn::Module& a, const nn::Module& b);

/// The worst error, over a float64 module's parameters, of a gradient of loss() against central differences, each as
/// relative_error of the whole tensor. NaN if any is. `loss` must be deterministic and away from kinks.
double worst_gradient_error(const nn::Module& module, const std::function<autograd::Variable()>& loss);

/// A matrix of `rows` users with tastes: users and items fall into `groups`, and a user takes most items of the own group and few
/// others. Something that a recommender can learn.
CsrMatrix grouped_matrix(std::int64_t rows, std::int64_t cols, int groups, std::uint64_t seed);

}  // namespace tapestry::tests
