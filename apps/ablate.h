#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "recsys/experiment/runner.h"

namespace tapestry::apps {

/// reproduce --ablations: runs the experiment of `options` once for each ablation of these names (recsys/experiment/ablation.h),
/// in a folder of its name below options.out, and writes deviations.md, deviations.csv and best_of_many.csv there. Killed and
/// started again, it goes on. Names the units that failed, ablation by ablation. Returns the exit status, as print_failures does;
/// throws as Experiment does, before anything is computed also for a folder that is not for its ablation or taken, as options.out
/// itself may be.
int ablate(const recsys::ExperimentOptions& options, const std::vector<recsys::LoadedDataset>& datasets,
           const std::vector<std::string>& names, const std::function<std::unique_ptr<recsys::Progress>()>& make_progress);

}  // namespace tapestry::apps
