#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recsys/data/protocol.h"
#include "tensor/csr.h"
#include "tensor/tensor.h"

/// What a recommender does to the catalogue, beside being right: accuracy alone rewards showing everybody the same bestsellers.
/// V users, I items, k recommendations each. Definitions with an example: docs/metrics.md.
namespace tapestry::recsys {

/// How many users of `rows` [N, I] have each item: [I].
std::vector<std::int64_t> item_popularity(const CsrMatrix& rows);

/// The popularity third of each item [I]: 0 head, 1 mid, 2 tail. Items in descending popularity, ties by lower index, cut into
/// three groups of as equal size as possible, the head first to get one more.
std::vector<int> popularity_thirds(std::span<const std::int64_t> popularity);

/// Measures of the lists of all users together, and of each user.
struct CatalogueMetrics {
  double coverage = 0;  ///< share of all I items that appear in at least one list
  double gini = 0;      ///< of how often each of the I items is recommended: 0 all equally often, near 1 one item only
  /// [V] mean of -log2((n_i + 1) / (N + 1)) over the user's list: bits of surprise of an item that n_i of N users have (Zhou et
  /// al. 2010, with one added so that an item without users has some). NaN for an empty list.
  std::vector<double> novelty;
  /// [3][V] Recall@k on the held-out items of one popularity third alone: hits / min(k, |H in the third|); NaN without any.
  std::vector<double> recall[3];
};

/// Of the first k items of each list. ranked: int32 [V, at least k], best first, -1 where items ran out (rank_items). Popularity
/// is that of `train` [N, I]. Throws Error(kMisuse) when shapes differ, k is not positive or an item does not exist.
CatalogueMetrics catalogue_metrics(const Tensor& ranked, int k, const CsrMatrix& heldout, const CsrMatrix& train);

/// Gini coefficient of counts (not all zero): sum_i (2 i - n - 1) x_(i) / (n sum x), x_(1) <= ... <= x_(n). NaN for none or
/// zeros.
double gini(std::vector<std::int64_t> counts);

}  // namespace tapestry::recsys
