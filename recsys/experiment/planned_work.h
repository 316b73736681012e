#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "recsys/experiment/run_job.h"
#include "recsys/generators/generator.h"
#include "recsys/generators/model_folder.h"

namespace tapestry::recsys {

/// A stage that a job is going to go through once.
struct StageCall {
  int job = 0;  ///< RunJob::index
  std::string dataset, recommender, stage;
  std::string generator;  ///< whose stage it is; of the recommender's stages: whose users it gets
  std::string setting;    ///< of the recommender's stages
  double guess = 0;       ///< seconds on an ordinary pair of cores, from operation counts
};

/// Where the models that belong to `owner` (a recommender, or kBaselineOwner) are kept for a job.
using FolderOf = std::function<ModelFolder(const RunJob& job, const std::string& owner)>;

/// Whether the generator's model depends on the recommender: MultiVAE++ and SDRM. The others' are the same for all.
bool belongs_to_recommender(const std::string& generator);

/// The generators of the job's missing units, in the order of reports, and all of them ready to be fitted.
std::vector<std::string> missing_generators(const RunJob& job);
std::vector<std::unique_ptr<Generator>> job_generators(const RunJob& job, const FolderOf& folder);

/// What these jobs are going to do, in their order. A model that jobs of one run share and that is not kept yet is fitted by the
/// first of them.
std::vector<StageCall> planned_calls(const std::vector<RunJob>& jobs, const FolderOf& folder);

/// Whether two jobs would fit the same model if they were begun side by side: both belong to one run of a data set, and of a
/// generator that is the same for every recommender and that both need no model is kept, or one that will not be taken up.
bool share_an_unfitted_model(const RunJob& one, const RunJob& other, const FolderOf& folder, SoundModels& sound);

}  // namespace tapestry::recsys
