#pragma once

#include <cstdint>
#include <vector>

#include "tensor/csr.h"
#include "tensor/tensor.h"

namespace tapestry::tests {

/// `count` numbers, uniform in [low, high), that depend on the seed alone.
template <typename T>
std::vector<T> random_values(std::int64_t count, std::uint64_t seed, double low = -2, double high = 2);

/// The same as a tensor.
Tensor random_tensor(const Shape& shape, std::uint64_t seed, double low = -2, double high = 2, DType dtype = DType::kFloat64,
                     Device device = Device::kCpu);

/// `count` indices below `bound`, with repetitions.
std::vector<std::int32_t> random_indices(std::int64_t count, std::int64_t bound, std::uint64_t seed);

/// The pattern of a random sparse matrix of this density: row 1 is always empty, row 0 holds every column. Columns by row.
std::vector<std::vector<std::int32_t>> random_pattern(std::int64_t rows, std::int64_t cols, double density, std::uint64_t seed);

/// That pattern as a matrix, with random values in [0.5, 1.5) of `dtype` or without values (all ones).
CsrMatrix random_csr(std::int64_t rows, std::int64_t cols, std::uint64_t seed, bool with_values, DType dtype = DType::kFloat64,
                     Device device = Device::kCpu);

/// A matrix of `rows` users with tastes: users and items fall into `groups`, and a user takes most items of the own group and few
/// others. Something that a recommender can learn.
CsrMatrix grouped_matrix(std::int64_t rows, std::int64_t cols, int groups, std::uint64_t seed);

/// int32 [count], every entry `value`: a step or row id for a whole batch.
Tensor repeated(std::int64_t count, std::int32_t value);

}  // namespace tapestry::tests
