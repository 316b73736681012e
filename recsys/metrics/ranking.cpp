#include "recsys/metrics/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/parallel.h"

namespace tapestry::recsys {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Candidate {
  float score;
  std::int32_t item;
};

/// Candidate a ranks before b. No NaN gets here.
bool before(const Candidate& a, const Candidate& b) { return a.score > b.score || (a.score == b.score && a.item < b.item); }

/// The best `capacity` candidates seen so far, the worst of them on top of a heap. Items are offered in ascending order, so that
/// an equal score never displaces a kept one.
class TopList {
 public:
  explicit TopList(std::size_t capacity) : capacity_(capacity) { heap_.reserve(capacity + 1); }

  void offer(float score, std::int32_t item) {
    if (std::isnan(score)) return;
    if (heap_.size() == capacity_) {
      if (!(score > heap_.front().score)) return;
      std::pop_heap(heap_.begin(), heap_.end(), before);
      heap_.pop_back();
    }
    heap_.push_back({score, item});
    std::push_heap(heap_.begin(), heap_.end(), before);
  }

  /// Offers items [begin, end). Nearly all fall below the bar once the list is full, which a branch-free look at a strip tells.
  void offer_range(const float* scores, std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t kStrip = 32;
    std::int64_t item = begin;
    while (item < end) {
      const std::int64_t stop = std::min(item + kStrip, end);
      if (heap_.size() == capacity_ && stop - item == kStrip) {
        const float bar = heap_.front().score;
        int above = 0;
        for (std::int64_t i = 0; i < kStrip; ++i) above |= scores[item + i] > bar;
        if (!above) {
          item = stop;
          continue;
        }
      }
      for (; item < stop; ++item) offer(scores[item], static_cast<std::int32_t>(item));
    }
  }

  std::vector<Candidate>& sorted() {
    std::sort(heap_.begin(), heap_.end(), before);
    return heap_;
  }

 private:
  std::size_t capacity_;
  std::vector<Candidate> heap_;
};

/// Calls visit(begin, end) for the gaps between the masked items of [0, items).
template <typename Visit>
void for_unmasked(std::int64_t items, std::span<const std::int32_t> masked, const Visit& visit) {
  std::int64_t begin = 0;
  for (const std::int32_t item : masked) {
    visit(begin, item);
    begin = item + 1;
  }
  visit(begin, items);
}

void check_shapes(const char* name, std::int64_t rows, std::int64_t cols, const CsrMatrix& matrix) {
  check(matrix.rows() == rows && matrix.cols() == cols, "ranking metrics: ", name, " is [", matrix.rows(), ", ", matrix.cols(),
        "], expected [", rows, ", ", cols, "]");
}

void check_scores(const Tensor& scores, const CsrMatrix& masked) {
  check(scores.defined() && scores.shape().rank() == 2 && scores.dtype() == DType::kFloat32 && scores.device() == Device::kCpu,
        "ranking metrics: scores must be float32 [users, items] on the host");
  check_shapes("the input", scores.size(0), scores.size(1), masked);
}

std::span<const float> user_scores(const Tensor& scores, std::int64_t user) {
  return scores.span<float>().subspan(static_cast<std::size_t>(user * scores.cols()), static_cast<std::size_t>(scores.cols()));
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

std::vector<std::int32_t> best_items(std::span<const float> scores, std::span<const std::int32_t> masked, int count) {
  check(count > 0, "best_items: count ", count, " is not positive");
  const std::int64_t items = static_cast<std::int64_t>(scores.size());
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::int64_t>(count, items));
  TopList top(wanted);
  if (wanted > 0) for_unmasked(items, masked, [&](auto begin, auto end) { top.offer_range(scores.data(), begin, end); });
  std::vector<std::int32_t> best;
  best.reserve(wanted);
  for (const Candidate& candidate : top.sorted()) best.push_back(candidate.item);
  if (best.size() < wanted) {
    for_unmasked(items, masked, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end && best.size() < wanted; ++i) {
        if (std::isnan(scores[static_cast<std::size_t>(i)])) best.push_back(static_cast<std::int32_t>(i));
      }
    });
  }
  return best;
}

Tensor rank_items(const Tensor& scores, const CsrMatrix& masked, int count) {
  const auto rows = [&](std::int64_t begin, std::int64_t end) { return scores.slice_rows(begin, end); };
  check_scores(scores, masked);
  return rank_items(rows, masked, count, std::max<std::int64_t>(1, scores.size(0)));
}

Tensor rank_items(const RowScores& score, const CsrMatrix& masked, int count, std::int64_t tile_users) {
  check(count > 0, "rank_items: count ", count, " is not positive");
  check(tile_users > 0, "ranking metrics: a tile of ", tile_users, " users");
  const Tensor ranked = Tensor::empty({masked.rows(), count}, DType::kInt32);
  std::int32_t* out = ranked.data<std::int32_t>();
  std::fill_n(out, ranked.numel(), -1);
  for (std::int64_t begin = 0; begin < masked.rows(); begin += tile_users) {
    const std::int64_t end = std::min(begin + tile_users, masked.rows());
    const Tensor scores = score(begin, end).to(Device::kCpu);
    check_scores(scores, masked.slice_rows(begin, end));
    parallel_for(end - begin, [&](std::int64_t row) {
      const std::vector<std::int32_t> best = best_items(user_scores(scores, row), masked.row(begin + row), count);
      std::copy(best.begin(), best.end(), out + (begin + row) * count);
    });
  }
  return ranked;
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
    if (std::isnan(value)) {
      ++mean.skipped;
    } else {
      ++mean.users;
      sum += value;
    }
  }
  mean.value = mean.users > 0 ? sum / static_cast<double>(mean.users) : kNaN;
  return mean;
}

double mean_recall_at_k(const Tensor& scores, const HeldOut& users, int k) {
  const UserMetrics metrics = ranking_metrics(scores, users, {.cutoffs = {k}});
  return mean_over_users(metrics.recall(0)).value;
}

}  // namespace tapestry::recsys
