#pragma once

#include <cstdint>

#include "tensor/elementwise.h"
#include "tensor/random.h"

namespace tapestry {

/// The stored pattern of a sparse matrix on the device of the call; `values` may be null (all ones).
template <typename T>
struct CsrView {
  std::int64_t rows;
  std::int64_t cols;
  const std::int64_t* offsets;  ///< [rows + 1]
  const std::int32_t* columns;  ///< [nnz], ascending within a row
  const T* values;              ///< [nnz] or null
};

/// One parameter as an optimiser sees it.
template <typename T>
struct ParameterView {
  T* value;
  const T* gradient;
  T* first;   ///< Adam's and Adamax's first moment, or SGD's velocity
  T* second;  ///< Adam's second moment, Adamax's norm
  std::int64_t count;
};

/// How many numbers an Adam step is prepared as: those of AdamFactors (tensor/update_factors.h).
inline constexpr std::int64_t kAdamFactors = 9;

/// How many numbers an Adamax step is prepared as: those of AdamaxFactors.
inline constexpr std::int64_t kAdamaxFactors = 5;

/// How the categories of a table's columns lie in a row of C numbers. A column has one to three categories; columns with more
/// come first. Category 0 of every column stands first, then category 1 of the columns that have one, then category 2 of those
/// that have one: three planes, so that loops over columns run along memory. Where a softmax is taken within each column only the
/// differences to category 0 matter: a row of differences has planes 1 and 2 alone.
struct CategoryPlanes {
  std::int64_t columns;  ///< all columns
  std::int64_t two;      ///< those with at least two categories
  std::int64_t three;    ///< those with three: three <= two <= columns

  constexpr std::int64_t categories() const { return columns + two + three; }  ///< C
  constexpr std::int64_t differences() const { return two + three; }           ///< C - columns
};

/// What the categories of such columns stand for, where the rows are.
struct CategoryMeaning {
  const std::int32_t* values;  ///< [C] the value of each category
  const std::int32_t* order;   ///< [C] of equal scores in one column the category with the lowest order counts
  const std::int32_t* places;  ///< [columns] where the column stands in a row of values, each place once
};

enum class Activation : std::uint8_t { kNone, kTanh, kRelu, kSigmoid, kPrelu };

/// Numbers that linear_multinomial_nll takes beside its operands and results.
struct LinearMultinomialRoom {
  std::int64_t kept;      ///< for its backward pass
  std::int64_t forward;   ///< workspace of the forward pass
  std::int64_t backward;  ///< and of the backward pass
};

/// Items per partial sum of value_linear_adam, and how many partial sums that makes.
inline constexpr std::int64_t kValueBlock = 32;
constexpr std::int64_t value_blocks(std::int64_t items) { return (items + kValueBlock - 1) / kValueBlock; }

/// How many losses step_probabilities weighs a diffusion step by.
inline constexpr std::int64_t kRecentLosses = 10;

/// Entries per partial count of count_at_least, and how many of them there are.
inline constexpr std::int64_t kSelectChunk = 1024;
constexpr std::int64_t select_chunks(std::int64_t n) { return (n + kSelectChunk - 1) / kSelectChunk; }

/// The contract: every kernel, declared once. tensor/cpu and tensor/cuda implement it in files of the same names.
template <typename T>
struct CpuKernels {
  using Scalar = T;
#include "tensor/kernel_contract.inc"
};

/// Without CUDA, tensor/no_cuda_kernels.cpp implements these by an error.
template <typename T>
struct CudaKernels {
  using Scalar = T;
#include "tensor/kernel_contract.inc"
};

}  // namespace tapestry
