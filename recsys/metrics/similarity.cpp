#include "recsys/metrics/similarity.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace tapestry::recsys {
namespace {

/// Calls visit(row of a, row of b, entries they share) for every pair that shares an entry, rows of a in parallel.
template <typename Visit>
void for_overlaps(const CsrMatrix& a, const CsrMatrix& b, const Visit& visit) {
  check(a.cols() == b.cols(), "similarity: users over ", a.cols(), " and over ", b.cols(), " items");
  const CsrMatrix& holders = b.transpose();  // [I, M]
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
    for (const std::int32_t other : touched) {
      visit(row, other, std::exchange(shared[static_cast<std::size_t>(other)], 0));
    }
  });
}

struct Pair {
  std::int64_t shared, united;
};

Pair pair_of(const CsrMatrix& a, std::int64_t row, const CsrMatrix& b, std::int64_t other, std::int64_t shared) {
  return {shared, a.row_nnz(row) + b.row_nnz(other) - shared};
}

}  // namespace

SimilarityHistogram jaccard_histogram(const CsrMatrix& a, const CsrMatrix& b) {
  std::vector<SimilarityHistogram> by_row(static_cast<std::size_t>(a.rows()), SimilarityHistogram{});
  for_overlaps(a, b, [&](std::int64_t row, std::int64_t other, std::int64_t shared) {
    const Pair pair = pair_of(a, row, b, other, shared);
    const auto bin = std::min<std::int64_t>(kSimilarityBins - 1, pair.shared * kSimilarityBins / pair.united);
    ++by_row[static_cast<std::size_t>(row)][static_cast<std::size_t>(bin)];
  });
  SimilarityHistogram total = {};
  std::int64_t seen = 0;
  for (const SimilarityHistogram& one : by_row) {
    for (std::size_t bin = 0; bin < total.size(); ++bin) {
      total[bin] += one[bin];
      seen += one[bin];
    }
  }
  total[0] += a.rows() * b.rows() - seen;  // the pairs without an entry in common
  return total;
}

std::vector<double> nearest_similarity(const CsrMatrix& a, const CsrMatrix& b) {
  std::vector<double> nearest(static_cast<std::size_t>(a.rows()));
  for_overlaps(a, b, [&](std::int64_t row, std::int64_t other, std::int64_t shared) {
    const Pair pair = pair_of(a, row, b, other, shared);
    double& best = nearest[static_cast<std::size_t>(row)];
    best = std::max(best, static_cast<double>(pair.shared) / static_cast<double>(pair.united));
  });
  return nearest;
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
