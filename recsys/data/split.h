#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "recsys/data/dataset.h"
#include "tensor/csr.h"

namespace tapestry::recsys {

/// How many of n interactions an 80/20 split holds out: ceil(0.2 n).
inline std::int64_t heldout_count(std::int64_t n) { return (n + 4) / 5; }

/// The sizes of the groups of a 70:20:10 split of `users`: floor(0.7 n) train, floor(0.2 n) test, the rest valid.
struct GroupSizes {
  std::int64_t train = 0;
  std::int64_t test = 0;
  std::int64_t valid = 0;
};
GroupSizes group_sizes(std::int64_t users);

/// The published split: train, then test, then valid users, contiguous in user index.
std::vector<Part> contiguous_parts(std::int64_t users);

/// An order of 0..n-1 (sdrm::shuffle_by). `below(b)` draws from 0..b-1.
std::vector<std::int32_t> shuffled(std::int64_t n, const std::function<std::uint32_t(std::uint32_t)>& below);

/// Some entries of each row, as a matrix of ones [U, I]: count_of(row), at most as many as it has, from the front of an order of
/// them that shuffled() draws. Row by row; one of which none are wanted draws nothing. Throws Error(kMisuse) where
/// more are wanted than there are.
CsrMatrix draw_from_rows(const CsrMatrix& rows, const std::function<std::int64_t(std::int64_t)>& count_of,
                         const std::function<std::uint32_t(std::uint32_t)>& below);

/// The published hold-out as a matrix of ones [U, I]: ceil(0.2 n) of the n entries of each valid row of `matrix`, drawn as the
/// published program draws them (NumPy's legacy MT19937 generator seeded with 123, one pass over the valid users).
CsrMatrix published_holdout(const CsrMatrix& matrix, const std::vector<Part>& parts);

/// Completes a data set of which name, source, stored and ids are set: the contiguous split, both hold-outs and the digest.
void complete_dataset(Dataset& dataset);

}  // namespace tapestry::recsys
