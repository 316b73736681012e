#include "recsys/experiment/recommender_history.h"

#include "recsys/experiment/selection.h"
#include "recsys/experiment/stage_names.h"
#include "recsys/generators/fit_log.h"
#include "tensor/error.h"

namespace tapestry::recsys {

void RecommenderHistory::hear(const StageProgress& progress) {
  if (!progress.epoch || !progress.loss) return;
  if (csv_.empty()) csv_ = concat("epoch,loss,", progress.metric_name, "\n");
  csv_ += history_line(*progress.epoch, *progress.loss, progress.metric);
}

std::string recommender_history_stage(const std::string& generator, const std::string& setting) {
  return generator == kOriginal ? concat(kOriginal, "-", kRecommenderFit) : concat(generator, "-", setting, "-", kRecommenderFit);
}

}  // namespace tapestry::recsys
