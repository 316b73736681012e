#include "recsys/metrics/catalogue.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// One user's recall on each third. The list may be shorter than k.
void measure_thirds(std::span<const std::int32_t> list, int k, std::span<const std::int32_t> heldout, std::span<const int> thirds,
                    std::size_t user, CatalogueMetrics& out) {
  std::int64_t wanted[3] = {}, hits[3] = {};
  for (const std::int32_t item : heldout) ++wanted[thirds[static_cast<std::size_t>(item)]];
  for (const std::int32_t item : list) {
    if (std::binary_search(heldout.begin(), heldout.end(), item)) ++hits[thirds[static_cast<std::size_t>(item)]];
  }
  for (int third = 0; third < 3; ++third) {
    if (wanted[third] == 0) continue;  // NaN
    const std::int64_t reachable = std::min(static_cast<std::int64_t>(k), wanted[third]);
    out.recall[third][user] = static_cast<double>(hits[third]) / static_cast<double>(reachable);
  }
}

/// The first k items of a list, without the -1 behind its end.
std::span<const std::int32_t> list_of(const Tensor& ranked, int k, std::int64_t user) {
  const auto row =
      ranked.span<std::int32_t>().subspan(static_cast<std::size_t>(user * ranked.cols()), static_cast<std::size_t>(k));
  return row.first(static_cast<std::size_t>(std::find(row.begin(), row.end(), -1) - row.begin()));
}

}  // namespace

std::vector<std::int64_t> item_popularity(const CsrMatrix& rows) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(rows.cols()));
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    for (const std::int32_t item : rows.row(row)) ++counts[static_cast<std::size_t>(item)];
  }
  return counts;
}

std::vector<int> popularity_thirds(std::span<const std::int64_t> popularity) {
  std::vector<std::size_t> order(popularity.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return popularity[a] > popularity[b]; });
  const std::size_t head = (order.size() + 2) / 3, mid = (order.size() + 1) / 3;
  std::vector<int> thirds(order.size());
  for (std::size_t place = 0; place < order.size(); ++place) thirds[order[place]] = place < head ? 0 : place < head + mid ? 1 : 2;
  return thirds;
}

double gini(std::vector<std::int64_t> counts) {
  std::sort(counts.begin(), counts.end());
  const auto n = static_cast<double>(counts.size());
  double total = 0, weighted = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += static_cast<double>(counts[i]);
    weighted += (2 * static_cast<double>(i + 1) - n - 1) * static_cast<double>(counts[i]);
  }
  return total > 0 ? weighted / (n * total) : kNaN;
}

CatalogueMetrics catalogue_metrics(const Tensor& ranked, int k, const CsrMatrix& heldout, const CsrMatrix& train) {
  check(ranked.shape().rank() == 2 && ranked.dtype() == DType::kInt32 && ranked.size(0) == heldout.rows() &&
            heldout.cols() == train.cols() && k > 0 && k <= ranked.size(1),
        "catalogue_metrics: the first ", k, " of lists ", ranked.shape(), ", held-out items [", heldout.rows(), ", ",
        heldout.cols(), "] and training rows over ", train.cols(), " items");
  const std::vector<std::int64_t> popularity = item_popularity(train);
  const std::vector<int> thirds = popularity_thirds(popularity);
  const auto users = static_cast<std::size_t>(ranked.size(0));
  CatalogueMetrics metrics;
  metrics.novelty.assign(users, kNaN);
  for (std::vector<double>& recall : metrics.recall) recall.assign(users, kNaN);
  std::vector<std::int64_t> shown(popularity.size());
  for (std::size_t user = 0; user < users; ++user) {
    const auto list = list_of(ranked, k, static_cast<std::int64_t>(user));
    double surprise = 0;
    for (const std::int32_t item : list) {
      check(item >= 0 && item < train.cols(), "catalogue_metrics: item ", item, " of ", train.cols());
      ++shown[static_cast<std::size_t>(item)];
      const auto having = static_cast<double>(popularity[static_cast<std::size_t>(item)]);
      surprise -= std::log2((having + 1) / (static_cast<double>(train.rows()) + 1));
    }
    if (!list.empty()) metrics.novelty[user] = surprise / static_cast<double>(list.size());
    measure_thirds(list, k, heldout.row(static_cast<std::int64_t>(user)), thirds, user, metrics);
  }
  const auto covered = std::count_if(shown.begin(), shown.end(), [](std::int64_t times) { return times > 0; });
  metrics.coverage = shown.empty() ? kNaN : static_cast<double>(covered) / static_cast<double>(shown.size());
  metrics.gini = gini(std::move(shown));
  return metrics;
}

}  // namespace tapestry::recsys
