#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "recsys/experiment/runner.h"

namespace tapestry::apps {

/// reproduce --ablations: runs the experiment of `options` once for each ablation of these names (recsys/experiment/ablation.h),
/// in a folder of its name below options.out, and writes deviations.md, deviations.csv and best_of_many.csv there. Killed and
/// started again, it goes on. Returns the exit status; throws as Experiment does.
int ablate(const recsys::ExperimentOptions& options, const std::vector<recsys::LoadedDataset>& datasets,
           const std::vector<std::string>& names, const std::function<std::unique_ptr<recsys::Progress>()>& make_progress);

}  // namespace tapestry::apps
