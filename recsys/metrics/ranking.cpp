#include "recsys/metrics/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/memory.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"

namespace tapestry::recsys {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void check_shapes(const char* name, std::int64_t rows, std::int64_t cols, const CsrMatrix& matrix) {
  check(matrix.rows() == rows && matrix.cols() == cols, "ranking metrics: ", name, " is [", matrix.rows(), ", ", matrix.cols(),
        "], expected [", rows, ", ", cols, "]");
}

void check_scores(const Tensor& scores, const CsrMatrix& masked) {
  check(scores.defined() && scores.shape().rank() == 2 && scores.dtype() == DType::kFloat32,
        "ranking metrics: scores must be float32 [users, items]");
  check_shapes("the input", scores.size(0), scores.size(1), masked);
}

/// Users whose scores are held at a time: no more than `most`, nor than 16 MiB of scores where there are many items.
std::int64_t tile_of(std::int64_t most, std::int64_t items) {
  constexpr std::int64_t kScores = 1 << 22;
  return std::clamp<std::int64_t>(kScores / std::max<std::int64_t>(1, items), 1, most);
}

/// 1 / log2(rank + 1) for ranks 1, 2, ..., and their running sums: the DCG of a list of nothing but hits.
struct Discounts {
  explicit Discounts(int longest) : by_rank(static_cast<std::size_t>(longest) + 1), sum(by_rank.size()) {
    for (std::size_t r = 1; r < by_rank.size(); ++r) {
      by_rank[r] = 1.0 / std::log2(static_cast<double>(r) + 1.0);
      sum[r] = sum[r - 1] + by_rank[r];
    }
  }
  std::vector<double> by_rank, sum;
};

/// Writes one user's metrics. `ranked` are the best items, best first, -1 behind the last; `heldout` ascends.
void measure_user(std::span<const std::int32_t> ranked, std::span<const std::int32_t> heldout, const Discounts& discounts,
                  IdealDcg ideal, std::int64_t user, UserMetrics& out) {
  std::vector<double> dcg(discounts.sum.size());
  std::vector<int> hits(discounts.sum.size());
  for (std::size_t rank = 1; rank < dcg.size(); ++rank) {
    const bool hit = rank <= ranked.size() && std::binary_search(heldout.begin(), heldout.end(), ranked[rank - 1]);
    hits[rank] = hits[rank - 1] + (hit ? 1 : 0);
    dcg[rank] = dcg[rank - 1] + (hit ? discounts.by_rank[rank] : 0.0);
  }
  for (std::size_t c = 0; c < out.cutoffs().size(); ++c) {
    const std::size_t k = static_cast<std::size_t>(out.cutoffs()[c]);
    const std::size_t reachable = std::min(k, heldout.size());
    const double best = discounts.sum[ideal == IdealDcg::kCutoff ? k : reachable];
    out.recall(c)[static_cast<std::size_t>(user)] = heldout.empty() ? kNaN : hits[k] / static_cast<double>(reachable);
    out.ndcg(c)[static_cast<std::size_t>(user)] = heldout.empty() ? kNaN : dcg[k] / best;
  }
}

int longest_cutoff(const std::vector<int>& cutoffs) {
  check(!cutoffs.empty(), "ranking metrics: no cut-off given");
  for (const int k : cutoffs) check(k > 0, "ranking metrics: cut-off ", k, " is not positive");
  return *std::max_element(cutoffs.begin(), cutoffs.end());
}

}  // namespace

UserMetrics::UserMetrics(std::vector<int> cutoffs, std::int64_t users)
    : cutoffs_(std::move(cutoffs)),
      users_(users),
      recall_(cutoffs_.size() * static_cast<std::size_t>(users), kNaN),
      ndcg_(recall_) {}

std::span<const double> UserMetrics::values(const std::string& metric) const {
  for (std::size_t c = 0; c < cutoffs_.size(); ++c) {
    if (metric == concat("Recall@", cutoffs_[c])) return recall(c);
    if (metric == concat("NDCG@", cutoffs_[c])) return ndcg(c);
  }
  fail(ErrorKind::kMisuse, "UserMetrics::values: ", metric, " was not computed");
}

std::vector<std::string> metric_names(std::span<const int> cutoffs) {
  std::vector<std::string> names;
  for (const char* kind : {"Recall@", "NDCG@"}) {
    for (const int k : cutoffs) names.push_back(concat(kind, k));
  }
  return names;
}

bool is_ranking_metric(const std::string& name) {
  return name.starts_with("Recall@") || name.starts_with("NDCG@") || name.starts_with(kNdcgOverK);
}

bool is_ranking_metric_at_10(const std::string& name) { return is_ranking_metric(name) && name.ends_with("@10"); }

Tensor rank_items(const Tensor& scores, const CsrMatrix& masked, int count) {
  const auto rows = [&](std::int64_t begin, std::int64_t end) { return scores.slice_rows(begin, end); };
  check_scores(scores, masked);
  return rank_items(rows, masked, count, std::max<std::int64_t>(1, scores.size(0)));
}

Tensor rank_items(const RowScores& score, const CsrMatrix& masked, int count, std::int64_t tile_users) {
  check(count > 0, "rank_items: count ", count, " is not positive");
  check(tile_users > 0, "ranking metrics: a tile of ", tile_users, " users");
  const std::int64_t tile = tile_of(tile_users, masked.cols());
  Tensor ranked;  // [V, count], where the scores are
  for (std::int64_t begin = 0; begin < masked.rows(); begin += tile) {
    const std::int64_t end = std::min(begin + tile, masked.rows());
    const Tensor scores = score(begin, end);
    const CsrMatrix seen = masked.slice_rows(begin, end);
    check_scores(scores, seen);
    if (!ranked.defined()) ranked = Tensor::empty({masked.rows(), count}, DType::kInt32, scores.device());
    copy_into(ranked.slice_rows(begin, end), rank_rows(scores, seen.to(scores.device()), count));
  }
  return ranked.defined() ? ranked.to(Device::kCpu) : Tensor::empty({0, count}, DType::kInt32);
}

UserMetrics list_metrics(const Tensor& ranked, const CsrMatrix& heldout, const RankingOptions& options) {
  const int longest = longest_cutoff(options.cutoffs);
  check(ranked.shape().rank() == 2 && ranked.dtype() == DType::kInt32 && ranked.size(0) == heldout.rows() &&
            ranked.size(1) >= longest,
        "list_metrics: lists ", ranked.shape(), " for cut-offs to ", longest, " and the held-out items of ", heldout.rows(),
        " users");
  const Discounts discounts(longest);
  const auto length = static_cast<std::size_t>(ranked.size(1));
  UserMetrics metrics(options.cutoffs, heldout.rows());
  parallel_for(heldout.rows(), [&](std::int64_t user) {
    const auto list = ranked.span<std::int32_t>().subspan(static_cast<std::size_t>(user) * length, length);
    measure_user(list, heldout.row(user), discounts, options.ideal, user, metrics);
  });
  return metrics;
}

UserMetrics ranking_metrics(const Tensor& scores, const HeldOut& users, const RankingOptions& options) {
  check_scores(scores, users.input);
  check_shapes("the held-out matrix", users.input.rows(), users.input.cols(), users.heldout);
  return list_metrics(rank_items(scores, users.input, longest_cutoff(options.cutoffs)), users.heldout, options);
}

UserMetrics ranking_metrics(const RowScores& score, const HeldOut& users, const RankingOptions& options) {
  check_shapes("the held-out matrix", users.input.rows(), users.input.cols(), users.heldout);
  return list_metrics(rank_items(score, users.input, longest_cutoff(options.cutoffs), options.tile_users), users.heldout,
                      options);
}

UserMetrics ranking_metrics(const std::function<Tensor(const CsrMatrix&)>& score, const HeldOut& users,
                            const RankingOptions& options) {
  return ranking_metrics([&](std::int64_t begin, std::int64_t end) { return score(users.input.slice_rows(begin, end)); }, users,
                         options);
}

MeanOverUsers mean_over_users(std::span<const double> values) {
  MeanOverUsers mean;
  double sum = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    ++mean.users;
    sum += value;
  }
  mean.value = mean.users > 0 ? sum / static_cast<double>(mean.users) : kNaN;
  return mean;
}

}  // namespace tapestry::recsys
