#pragma once

#include <string>
#include <vector>

#include "tensor/csr.h"
#include "tensor/tensor.h"

/// What one evaluation of a recommender is reduced to. Definitions: docs/metrics.md.
namespace tapestry::recsys {

/// The length of the lists whose effect on the catalogue is measured.
inline constexpr int kCatalogueCutoff = 10;

/// Figures by name, in the order of reports.
struct Measures {
  std::vector<std::string> names;
  std::vector<double> means;               ///< [metric] over users; of coverage and Gini, the figure itself
  std::vector<std::vector<double>> users;  ///< [metric][user]; NaN where undefined; empty for coverage and Gini, which are of all
};

/// Recall@k and NDCG@k for all cut-offs, NDCG-k@k too with `over_k`, then Coverage@10, Gini@10, Novelty@10 and the recall on each
/// popularity third, Recall-head@10, Recall-mid@10, Recall-tail@10.
std::vector<std::string> measure_names(bool over_k);

/// All of them for ranked lists. ranked int32 [V, at least 50] (rank_items), heldout [V, I], train [N, I]: the real users, whose
/// likes say what is popular.
Measures measure(const Tensor& ranked, const CsrMatrix& heldout, const CsrMatrix& train, bool over_k);

/// The same without figures, all NaN: of V users whose lists could not be made.
Measures no_measures(std::int64_t users, bool over_k);

}  // namespace tapestry::recsys
