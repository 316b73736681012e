#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "recsys/data/protocol.h"
#include "tensor/csr.h"
#include "tensor/tensor.h"

/// Ranking metrics. V users, I items, K cut-offs. Definitions with worked examples: docs/metrics.md.
namespace tapestry::recsys {

/// The cut-offs of the SDRM paper.
inline constexpr std::array<int, 6> kCutoffs = {1, 3, 5, 10, 20, 50};

/// How many positions the best possible DCG@k fills.
enum class IdealDcg : std::uint8_t {
  kHeldOut,  ///< min(k, |held-out|): a perfect ranking scores 1
  kCutoff,   ///< k, even when fewer items are held out: the form in which the NeuMF results were printed
};

/// Before the k of an NDCG@k whose ideal DCG is over k positions (IdealDcg::kCutoff), where both forms are reported.
inline constexpr const char* kNdcgOverK = "NDCG-k@";

struct RankingOptions {
  std::vector<int> cutoffs{kCutoffs.begin(), kCutoffs.end()};
  IdealDcg ideal = IdealDcg::kHeldOut;
  /// Users scored at a time by the function form: bounds memory (rank_items). Changes no result where a user's scores are the
  /// same in any tile, which those of CODIGEM while it is fitted are not: every tile gets noise of its own.
  std::int64_t tile_users = 256;
};

/// A mean over the users for whom the metric is defined.
struct MeanOverUsers {
  double value = 0;        ///< NaN when no user counts
  std::int64_t users = 0;  ///< that count: those with held-out items
};

/// Recall@k and NDCG@k of every user, kept per user for paired tests. NaN for a user without held-out items.
class UserMetrics {
 public:
  UserMetrics(std::vector<int> cutoffs, std::int64_t users);

  const std::vector<int>& cutoffs() const { return cutoffs_; }
  std::int64_t users() const { return users_; }
  /// The values of all users at the cut-off with this index into cutoffs() [V].
  std::span<double> recall(std::size_t cutoff) { return row<double>(recall_.data(), cutoff); }
  std::span<const double> recall(std::size_t cutoff) const { return row<const double>(recall_.data(), cutoff); }
  std::span<double> ndcg(std::size_t cutoff) { return row<double>(ndcg_.data(), cutoff); }
  std::span<const double> ndcg(std::size_t cutoff) const { return row<const double>(ndcg_.data(), cutoff); }
  /// The values of a metric by name, "Recall@10" or "NDCG@10" [V]. Throws Error(kMisuse) when it was not computed.
  std::span<const double> values(const std::string& metric) const;

 private:
  template <typename T>
  std::span<T> row(T* values, std::size_t cutoff) const {
    return {values + cutoff * static_cast<std::size_t>(users_), static_cast<std::size_t>(users_)};
  }

  std::vector<int> cutoffs_;
  std::int64_t users_;
  std::vector<double> recall_, ndcg_;  // [K, V]
};

/// Metric names in the order of reports: Recall@k for every cut-off, then NDCG@k.
std::vector<std::string> metric_names(std::span<const int> cutoffs = kCutoffs);

/// Whether a metric's name is one of Recall@k, NDCG@k and NDCG-k@k.
bool is_ranking_metric(const std::string& name);
/// The same with k = 10, at which the paper's main tables stand.
bool is_ranking_metric_at_10(const std::string& name);

/// Scores of the users [begin, end), float32 [end - begin, I] on any device: for models that know their users by number.
using RowScores = std::function<Tensor(std::int64_t begin, std::int64_t end)>;

/// The `count` best items of every user, best first: scores float32 [V, I], masked [V, I] on the host, whose entries are never
/// among them: int32 [V, count] on the host, -1 where items ran out. Equal scores rank by ascending item index; NaN ranks below
/// every number, -inf included. The second form asks for at most `tile_users` users' scores at a time, and at most 16 MiB of
/// them, so that [V, I] never exists as a whole. Scores on a GPU are masked and ranked there: of all that was computed, the lists
/// alone cross to the host. Throws Error(kMisuse) when shapes differ or the count is not positive.
Tensor rank_items(const Tensor& scores, const CsrMatrix& masked, int count);
Tensor rank_items(const RowScores& score, const CsrMatrix& masked, int count, std::int64_t tile_users = 256);

/// Recall@k = hits@k / min(k, |H|) and NDCG@k = DCG@k / IDCG@k, DCG@k = sum over ranks r <= k holding an item of H of
/// 1 / log2(r + 1), where H is the user's held-out set, a row of heldout [V, I], and ranked int32 [V, at least the largest k] the
/// user's list (rank_items). On the host, wherever the scores were: V lists of 50 items are a few hundred kilobytes and
/// milliseconds. Throws Error(kMisuse) when shapes differ or a cut-off is not positive.
UserMetrics list_metrics(const Tensor& ranked, const CsrMatrix& heldout, const RankingOptions& options = {});

/// The same from scores: lists run over the items outside the user's input. scores float32 [V, I] on any device, or asked for in
/// tiles of users: by their inputs, score(inputs [n, I]) gives float32 [n, I], or by number.
UserMetrics ranking_metrics(const Tensor& scores, const HeldOut& users, const RankingOptions& options = {});
UserMetrics ranking_metrics(const std::function<Tensor(const CsrMatrix&)>& score, const HeldOut& users,
                            const RankingOptions& options = {});
UserMetrics ranking_metrics(const RowScores& score, const HeldOut& users, const RankingOptions& options = {});

/// The mean over the values that are not NaN, summed in order.
MeanOverUsers mean_over_users(std::span<const double> values);

/// Mean Recall@k and mean NDCG@k from scores as ranking_metrics takes them: what fits stop on. NaN when no user counts.
template <typename Scores>
double mean_recall_at(int k, const Scores& score, const HeldOut& users) {
  return mean_over_users(ranking_metrics(score, users, {.cutoffs = {k}}).recall(0)).value;
}
template <typename Scores>
double mean_ndcg_at(int k, const Scores& score, const HeldOut& users) {
  return mean_over_users(ranking_metrics(score, users, {.cutoffs = {k}}).ndcg(0)).value;
}

}  // namespace tapestry::recsys
