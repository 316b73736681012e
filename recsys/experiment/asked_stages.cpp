#include "recsys/experiment/asked_stages.h"

#include <algorithm>
#include <utility>

#include "recsys/experiment/selection.h"
#include "recsys/experiment/stage_names.h"
#include "recsys/generators/make_generators.h"
#include "recsys/generators/sdrm_family.h"

namespace tapestry::recsys {

std::set<std::string> shared_fits(std::span<const std::string> generators) {
  std::set<std::string> fits;
  for (const std::string& generator : generators) {
    if (generator != kOriginal && !SdrmFamily::has(generator)) fits.insert(stages_of(generator).front());
  }
  return fits;
}

std::set<std::string> stages_of_all(std::span<const std::string> generators) {
  std::set<std::string> all;
  for (const std::string& generator : generators) {
    if (generator == kOriginal) continue;
    for (std::string& stage : stages_of(generator)) all.insert(std::move(stage));
  }
  return all;
}

std::vector<StageRecord> asked_stages(const UnitStore& store, const ExperimentOptions& options,
                                      std::span<const std::string> datasets) {
  const std::set<std::string> of_generators = stages_of_all(options.generators), shared = shared_fits(options.generators);
  const auto is_in = [](const auto& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<StageRecord> records = store.stages();
  std::erase_if(records, [&](const StageRecord& record) {
    const bool of_a_generator = record.run > 0 && !is_any_generators(record.stage);
    return !is_in(datasets, record.dataset) || record.run > options.runs ||
           (!record.recommender.empty() && !is_in(options.recommenders, record.recommender) && !shared.contains(record.stage)) ||
           (of_a_generator && !of_generators.contains(record.stage));
  });
  return records;
}

}  // namespace tapestry::recsys
