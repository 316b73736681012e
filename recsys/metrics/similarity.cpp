#include "recsys/metrics/similarity.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace tapestry::recsys {
namespace {

/// Of one row of a: at most the rows of b, which are numbered in 32 bits.
using RowHistogram = std::array<std::int32_t, kSimilarityBins>;

/// Whether a pair is more alike than another: its shared / united is larger.
bool more_alike(const Overlap& one, const Overlap& other) {
  return std::int64_t{one.shared} * other.united > std::int64_t{other.shared} * one.united;
}

}  // namespace

std::size_t similarity_bin(const Overlap& pair) {
  const std::int64_t tenths = std::int64_t{pair.shared} * kSimilarityBins / pair.united;
  return static_cast<std::size_t>(std::min<std::int64_t>(kSimilarityBins - 1, tenths));
}

Similarities jaccard_similarities(const CsrMatrix& a, const CsrMatrix& b) {
  check(a.cols() == b.cols(), "similarity: users over ", a.cols(), " and over ", b.cols(), " items");
  const CsrMatrix& holders = b.transpose();  // [I, M]
  Similarities found;
  found.nearest.resize(static_cast<std::size_t>(a.rows()));
  std::vector<RowHistogram> by_row(found.nearest.size());
  parallel_for(a.rows(), [&](std::int64_t row) {
    thread_local std::vector<std::int32_t> shared, touched;
    shared.resize(static_cast<std::size_t>(b.rows()));
    touched.clear();
    // Or memory that runs out below would leave counts in `shared` for the thread's next row.
    touched.reserve(static_cast<std::size_t>(b.rows()));
    for (const std::int32_t item : a.row(row)) {
      for (const std::int32_t other : holders.row(item)) {
        if (shared[static_cast<std::size_t>(other)]++ == 0) touched.push_back(other);
      }
    }
    Overlap best;
    RowHistogram bins = {};
    for (const std::int32_t other : touched) {
      const std::int32_t both = std::exchange(shared[static_cast<std::size_t>(other)], 0);
      const Overlap pair = {both, static_cast<std::int32_t>(a.row_nnz(row) + b.row_nnz(other) - both)};
      ++bins[similarity_bin(pair)];
      if (more_alike(pair, best)) best = pair;
    }
    found.nearest[static_cast<std::size_t>(row)] = best;
    by_row[static_cast<std::size_t>(row)] = bins;
  });
  std::int64_t seen = 0;
  for (const RowHistogram& one : by_row) {
    for (std::size_t bin = 0; bin < one.size(); ++bin) {
      found.pairs[bin] += one[bin];
      seen += one[bin];
    }
  }
  found.pairs[0] += a.rows() * b.rows() - seen;  // the pairs without an entry in common
  return found;
}

std::vector<std::int64_t> length_distribution(const CsrMatrix& rows) {
  std::vector<std::int64_t> counts(1);
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const auto length = static_cast<std::size_t>(rows.row_nnz(row));
    if (length >= counts.size()) counts.resize(length + 1);
    ++counts[length];
  }
  return counts;
}

}  // namespace tapestry::recsys
