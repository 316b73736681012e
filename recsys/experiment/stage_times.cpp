#include "recsys/experiment/stage_times.h"

#include "recsys/experiment/stage_names.h"

namespace tapestry::recsys {
namespace {

/// So many finished fits of a recommender are taken for the mixture of settings and generators that is still to come.
constexpr int kMixture = 6;

/// Fits of one recommender that take very different numbers of epochs: a mean over some of them says nothing about the others.
bool has_mixed_fits(const RunJob& job, const StageCall& call) {
  return call.stage == kRecommenderFit && !job.values.neumf_exceptions.empty();
}

}  // namespace

void StageTimes::add(const StageRecord& record) {
  means_[{record.dataset, record.recommender, record.stage}].add(record.seconds);
}

std::optional<KnownMean> StageTimes::expected(const RunJob& job, const StageCall& call) const {
  const auto found = means_.find({call.dataset, call.recommender, call.stage});
  if (found == means_.end() || has_mixed_fits(job, call)) return std::nullopt;
  if (is_recommenders(call.stage) && found->second.count < kMixture) return std::nullopt;
  return found->second;
}

}  // namespace tapestry::recsys
