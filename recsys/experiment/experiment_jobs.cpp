#include "recsys/experiment/experiment_jobs.h"

#include <algorithm>
#include <string>
#include <utility>

#include "recsys/experiment/combinations.h"
#include "recsys/experiment/unit_pattern.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace tapestry::recsys {

std::vector<std::vector<ProtocolData>> protocols_of(const std::vector<LoadedDataset>& datasets,
                                                    const ExperimentOptions& options) {
  check(options.runs <= options.folds || options.folds == 0 || options.runs % options.folds == 0, "Experiment: ", options.runs,
        " runs do not visit ", options.folds, " folds equally often");
  std::vector<std::vector<ProtocolData>> protocols(datasets.size());
  for (std::size_t d = 0; d < datasets.size(); ++d) {
    for (int fold = 0; fold < std::max(1, options.folds); ++fold) {
      protocols[d].push_back(
          make_protocol(datasets[d].data, options.protocol, options.seed, {fold, options.folds}, options.without));
    }
  }
  return protocols;
}

std::int64_t ExperimentJobs::missing_units() const {
  std::int64_t missing = 0;
  for (const RunJob& job : jobs) missing += static_cast<std::int64_t>(job.missing.size());
  return missing;
}

ExperimentJobs experiment_jobs(const std::vector<LoadedDataset>& datasets,
                               const std::vector<std::vector<ProtocolData>>& protocols, const ExperimentOptions& options,
                               const std::function<bool(const UnitKey&)>& has) {
  ExperimentJobs work;
  int index = 0;
  for (std::size_t d = 0; d < datasets.size(); ++d) {
    const std::string& dataset = datasets[d].data.name;
    for (const std::string& recommender : options.recommenders) {
      const int runs = runs_of(options, dataset, recommender);
      for (int run = 1; run <= runs; ++run) {
        RunJob job = {++index,
                      dataset,
                      recommender,
                      run,
                      runs,
                      &protocols[d][static_cast<std::size_t>(run - 1) % protocols[d].size()],
                      hyperparameters_for(options, dataset, recommender),
                      baselines_for(options, dataset),
                      derive_seed(options.seed, static_cast<std::uint64_t>(run)),
                      {},
                      device_of(options)};
        for (const UnitKey& key : unit_keys_of_run(options, dataset, recommender, run)) {
          ++work.units;
          if (has(key)) {
            ++work.finished;
          } else if (matches_any(options.only, key.text())) {
            job.missing.push_back(key);
          }
        }
        if (!job.missing.empty()) work.jobs.push_back(std::move(job));
      }
    }
  }
  return work;
}

}  // namespace tapestry::recsys
