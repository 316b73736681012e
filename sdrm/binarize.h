#pragma once

#include <functional>
#include <span>

#include "sdrm/config.h"
#include "tensor/csr.h"

namespace tapestry::sdrm {

class MultiVae;

/// A matrix of logits [rows, cols] that is computed tile by tile and never held whole. Tiles may lie on a GPU: what is looked for
/// is then found there, and the ones alone come to the host. Tiles have at most 2^21 entries (8 MiB), or one row.
struct LogitMatrix {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::function<Tensor(std::int64_t begin, std::int64_t end)> tile;  ///< float32 [end - begin, cols]; same numbers on every call
};

/// The tiles of what MultiVAE's decoder makes of latents [rows, K], which are on the model's device and are decoded there on
/// demand. Refers to the model, which must live as long.
std::function<Tensor(std::int64_t begin, std::int64_t end)> decoded_rows(const MultiVae& model, Tensor latents);

/// f(x) = 1 if x >= lambda (SDRM Eq. 11), lambda the quantile at 1 - density of all logits (linear interpolation between order
/// statistics). One pass that keeps the largest entries only: memory in proportion to the result. Entries equal to lambda are
/// all ones, as the formula says. NaN and infinite logits throw Error(kFit), here and in all functions below.
struct Binarized {
  CsrMatrix ones;
  double threshold = 0;
};
Binarized binarize_at_density(const LogitMatrix& logits, double density, const Progress& progress = {});

/// Entries <= the quantile at `density`: the explicit negatives that NeuMF needs.
Binarized lowest_at_density(const LogitMatrix& logits, double density, const Progress& progress = {});

/// f(x) = 1 if x > 0.
CsrMatrix binarize_positive(const LogitMatrix& logits);

/// The largest lengths[r] logits of each row r, ties by lower column.
CsrMatrix binarize_row_lengths(const LogitMatrix& logits, std::span<const std::int64_t> lengths);

/// Profile lengths for binarize_row_lengths: drawn with replacement from the rows of a real matrix.
std::vector<std::int64_t> draw_row_lengths(const CsrMatrix& real, std::int64_t rows, std::uint64_t seed);

}  // namespace tapestry::sdrm
