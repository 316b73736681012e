#include "recsys/experiment/planned_work.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "recsys/experiment/selection.h"
#include "recsys/experiment/stage_names.h"
#include "recsys/generators/make_generators.h"
#include "recsys/generators/sdrm_family.h"

namespace tapestry::recsys {
namespace {

/// The seconds that fitting and measuring the recommender and comparing users takes on an ordinary pair of cores.
struct JobGuess {
  double fit, evaluate, similarity;
};
JobGuess guess(const RunJob& job, const std::string& setting, const std::string& generator) {
  const Hyperparameters values = for_unit(job.values, setting, generator);
  const auto rows = static_cast<double>(job.protocol->generator.rows());
  const auto items = static_cast<double>(job.protocol->generator.cols());
  const auto entries = static_cast<double>(job.protocol->generator.nnz());
  double fit = 0.05 + 2e-6 * entries + 5e-5 * (items + rows);
  // A good ten epochs' updates, each of which passes over the first layer and its moments.
  if (const std::optional<MlpConfig>& mlp = values.mlp) {
    const auto epochs = static_cast<double>(std::min<std::int64_t>(mlp->max_epochs, 15));
    fit = epochs * rows / static_cast<double>(mlp->batch) * items * 4096 * 2e-9;
  }
  if (const std::optional<NeuMfConfig>& neumf = values.neumf) {
    const double epochs = neumf->selection == NeuMfSelection::kFirstEpoch ? 1 : static_cast<double>(neumf->max_epochs);
    fit = epochs * entries / static_cast<double>(neumf->batch) * (4e-4 + (items + rows) * 4e-8);
  }
  // Every entry of a synthetic user meets the real users who have its item, and popular items have many: twice, for all pairs
  // and for the nearest.
  const double met = 5 * entries * entries / items;
  return {fit, static_cast<double>(job.protocol->evaluation.input.rows()) * items * 100 / kGuessedRate, 2 * met * 3e-9};
}

}  // namespace

bool belongs_to_recommender(const std::string& generator) { return SdrmFamily::has(generator); }

std::vector<std::string> missing_generators(const RunJob& job) {
  std::vector<std::string> names;
  for (const std::vector<std::string>& all : {known_generator_names(), unprinted_generator_names()}) {
    std::copy_if(all.begin(), all.end(), std::back_inserter(names), [&](const std::string& name) {
      return std::any_of(job.missing.begin(), job.missing.end(), [&](const UnitKey& key) { return key.generator == name; });
    });
  }
  return names;
}

std::vector<std::unique_ptr<Generator>> job_generators(const RunJob& job, const FolderOf& folder) {
  const std::vector<std::string> names = missing_generators(job);
  if (names.empty()) return {};  // then no folder is asked for either
  return make_generators(names, {job.values.vae, job.values.score, job.baselines, job.seed, folder(job, job.recommender),
                                 folder(job, kBaselineOwner), job.device});
}

std::vector<StageCall> planned_calls(const std::vector<RunJob>& jobs, const FolderOf& folder) {
  std::vector<StageCall> calls;
  std::set<std::string> shared;  // fits that another job does
  for (const RunJob& job : jobs) {
    const auto add = [&](const std::string& stage, const std::string& generator, const std::string& setting, double guessed) {
      calls.push_back({job.index, job.dataset, job.recommender, stage, generator, setting, guessed});
    };
    const auto add_recommender = [&](const std::string& generator, const std::string& setting) {
      const JobGuess seconds = guess(job, setting, generator);
      add(kRecommenderFit, generator, setting, seconds.fit);
      add(kEvaluate, generator, setting, seconds.evaluate);
    };
    // Without synthetic users both settings are one fit.
    const auto original =
        std::find_if(job.missing.begin(), job.missing.end(), [](const UnitKey& key) { return key.generator == kOriginal; });
    if (original != job.missing.end()) add_recommender(kOriginal, original->setting);
    std::set<std::string> seen;
    for (const std::unique_ptr<Generator>& generator : job_generators(job, folder)) {
      const std::string& name = generator->name();
      for (const PlannedStage& stage : generator->plan(*job.protocol)) {
        const std::string fit = concat(job.dataset, "/", job.run, "/", stage.name);
        const bool elsewhere = stage.name.ends_with("_fit") && !belongs_to_recommender(name) && !shared.insert(fit).second;
        if (seen.insert(stage.name).second && !elsewhere) add(stage.name, name, "", stage.seconds);
      }
      add(kSimilarity, name, "", guess(job, "", name).similarity);
      for (const UnitKey& key : job.missing) {
        if (key.generator == name) add_recommender(name, key.setting);
      }
    }
  }
  return calls;
}

bool share_an_unfitted_model(const RunJob& one, const RunJob& other, const FolderOf& folder, SoundModels& sound) {
  if (one.dataset != other.dataset || one.run != other.run) return false;
  const std::vector<std::string> theirs = missing_generators(other);
  for (const std::string& name : missing_generators(one)) {
    const std::string model = model_of(name);
    const bool both =
        std::any_of(theirs.begin(), theirs.end(), [&](const std::string& their) { return model_of(their) == model; });
    if (both && !belongs_to_recommender(name) && !sound.has(folder(one, kBaselineOwner), model)) return true;
  }
  return false;
}

}  // namespace tapestry::recsys
