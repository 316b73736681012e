#include "recsys/experiment/run_job.h"

#include <sys/resource.h>

#include <algorithm>
#include <map>

#include "recsys/experiment/fit_data.h"
#include "recsys/experiment/selection.h"
#include "recsys/generators/make_generators.h"
#include "recsys/metrics/ranking.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kRecommenderFit = "recommender_fit";
constexpr const char* kEvaluate = "evaluate";
constexpr const char* kSimilarity = "similarity";

/// Parts of a run outside the generators that draw numbers, continuing SdrmPart. Append only.
constexpr std::uint64_t kRecommenderPart = 100;

std::int64_t peak_rss_bytes() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

/// Passes what the models report on to the progress display and the log of stages.
class JobListener : public StageListener {
 public:
  JobListener(const RunJob& job, const JobSurroundings& surroundings) : job_(job), surroundings_(surroundings) {}

  void begin(const std::string& stage) override {
    surroundings_.checkpoint();
    label_ = {job_.index, job_.dataset, job_.recommender, job_.run, job_.runs, stage};
    task_ = surroundings_.progress.begin(label_);
    running_ = true;
  }
  void advance(const std::string& /*stage*/, const StageProgress& progress) override {
    surroundings_.checkpoint();
    surroundings_.progress.advance(task_, label_, progress);
  }
  void end(const std::string& stage) override {
    running_ = false;
    const double seconds = surroundings_.progress.end(task_, label_);
    surroundings_.store.log_stage({job_.dataset, job_.recommender, stage, job_.run, seconds, peak_rss_bytes()});
  }
  void warn(const std::string& message) override { surroundings_.progress.warn(message); }
  /// Ends the stage that an error broke off, if one was running: its time counts.
  void break_off() {
    if (running_) end(label_.stage);
  }

 private:
  const RunJob& job_;
  const JobSurroundings& surroundings_;
  StageLabel label_;
  EtaEstimator::Task task_ = 0;
  bool running_ = false;
};

/// NDCG@k over k positions stands beside the usual form where the paper printed that.
bool reports_ndcg_over_k(const RunJob& job) {
  return job.protocol->name == ProtocolName::kPublished && learns_from_dislikes(job.recommender);
}

/// Fits the job's recommender and measures it on the evaluation users.
Measures try_recommender(const RunJob& job, const FitData& data, StageListener& listener) {
  const auto recommender = make_recommender(job.recommender, job.values, derive_seed(job.seed, kRecommenderPart));
  listener.begin(kRecommenderFit);
  recommender->fit(data, [&](const StageProgress& progress) { listener.advance(kRecommenderFit, progress); });
  listener.end(kRecommenderFit);
  listener.begin(kEvaluate);
  const auto score = [&](std::int64_t begin, std::int64_t end) { return recommender->score(begin, end); };
  const Tensor ranked = rank_items(score, recommender->masked(), *std::max_element(kCutoffs.begin(), kCutoffs.end()));
  Measures measures = measure(ranked, heldout_for(*job.protocol, job.recommender), job.protocol->train, reports_ndcg_over_k(job));
  pool_trim(Device::kCpu);
  listener.end(kEvaluate);
  return measures;
}

SyntheticSummary compare_with_real(const RunJob& job, const CsrMatrix& synthetic, StageListener& listener) {
  listener.begin(kSimilarity);
  SyntheticSummary summary = summarise_synthetic(synthetic, job.protocol->train);
  listener.end(kSimilarity);
  return summary;
}

/// A unit whose models could not be fitted: every figure is NaN, for every user.
Unit failed_unit(const RunJob& job, const UnitKey& key, const std::string& reason) {
  return {key, reason, no_measures(job.protocol->evaluation.input.rows(), reports_ndcg_over_k(job)), std::nullopt};
}

std::vector<UnitKey> units_of(const RunJob& job, const std::string& generator) {
  std::vector<UnitKey> units;
  std::copy_if(job.missing.begin(), job.missing.end(), std::back_inserter(units),
               [&](const UnitKey& key) { return key.generator == generator; });
  return units;
}

void finish_unit(const RunJob& job, const JobSurroundings& surroundings, const Unit& unit) {
  surroundings.store.write(unit);
  surroundings.progress.unit({job.index, job.dataset, job.recommender, job.run, job.runs, ""}, unit.key.text());
}

/// Runs `work`, which finishes the units. When a model in it cannot be fitted or sampled, the units end with the reason instead,
/// and the job goes on.
template <typename Work>
void finish_units(const RunJob& job, const JobSurroundings& surroundings, JobListener& listener,
                  const std::vector<UnitKey>& units, const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kFit) throw;
    listener.break_off();
    for (const UnitKey& key : units) {
      listener.warn(key.text() + " failed: " + error.what());
      finish_unit(job, surroundings, failed_unit(job, key, error.what()));
    }
  }
}

std::vector<std::string> missing_generators(const RunJob& job) {
  std::vector<std::string> names;
  for (const std::string& name : known_generator_names()) {
    if (!units_of(job, name).empty()) names.push_back(name);
  }
  return names;
}

std::vector<std::unique_ptr<Generator>> job_generators(const RunJob& job, const UnitStore& store) {
  const auto folder = [&](const std::string& owner) {
    const RunPaths paths = store.run_paths(job.dataset, owner, job.run);
    return ModelFolder{paths.models, paths.history, store.digest(job.dataset, owner)};
  };
  return make_generators(missing_generators(job), {job.values.vae, job.values.score, job.baselines, job.seed,
                                                   folder(job.recommender), folder(kBaselineOwner)});
}

/// Seconds that fitting and measuring the recommender takes on an ordinary core pair.
std::map<std::string, double> guesses(const RunJob& job) {
  const auto rows = static_cast<double>(job.protocol->generator.rows());
  const auto items = static_cast<double>(job.protocol->generator.cols());
  const auto entries = static_cast<double>(job.protocol->generator.nnz());
  double fit_seconds = 0.05 + 2e-6 * entries + 5e-5 * (items + rows);
  // A good ten epochs' updates, each of which passes over the first layer and its moments.
  if (job.values.mlp) fit_seconds = 15 * rows / 16 * items * 4096 * 2e-9;
  if (const std::optional<NeuMfConfig>& neumf = job.values.neumf) {
    const double epochs_run = neumf->selection == NeuMfSelection::kFirstEpoch ? 1 : static_cast<double>(neumf->max_epochs);
    fit_seconds = epochs_run * entries / 256 * (4e-4 + (items + rows) * 4e-8);
  }
  return {{kRecommenderFit, fit_seconds},
          {kEvaluate, static_cast<double>(job.protocol->evaluation.input.rows()) * items * 100 / kGuessedRate},
          // For each synthetic entry the real users who have its item, half of them in items that many have.
          {kSimilarity, entries * entries / items * 4 * 1e-9}};
}

}  // namespace

void plan_job(const RunJob& job, const UnitStore& store, Progress& progress) {
  const std::map<std::string, double> seconds = guesses(job);
  const auto plan = [&](const std::string& stage) { progress.plan(job.index, stage, seconds.at(stage)); };
  const auto plan_recommender = [&](std::size_t times) {
    for (std::size_t i = 0; i < times; ++i) {
      plan(kRecommenderFit);
      plan(kEvaluate);
    }
  };
  plan_recommender(units_of(job, kOriginal).empty() ? 0 : 1);
  if (missing_generators(job).empty()) return;
  const std::vector<std::unique_ptr<Generator>> generators = job_generators(job, store);
  for (const PlannedStage& stage : planned_stages(generators, *job.protocol)) {
    progress.plan(job.index, stage.name, stage.seconds);
  }
  for (const std::unique_ptr<Generator>& generator : generators) {
    plan(kSimilarity);
    plan_recommender(units_of(job, generator->name()).size());
  }
}

void execute_job(const RunJob& job, const JobSurroundings& surroundings) {
  JobListener listener(job, surroundings);
  const ProtocolData& protocol = *job.protocol;
  if (const std::vector<UnitKey> units = units_of(job, kOriginal); !units.empty()) {
    // Without synthetic users the settings are the same: one fit is enough.
    finish_units(job, surroundings, listener, units, [&] {
      const FitData data = make_fit_data(protocol, job.recommender, kOriginal, units.front().setting, {});
      const Measures measures = try_recommender(job, data, listener);
      for (const UnitKey& key : units) finish_unit(job, surroundings, {key, "", measures, std::nullopt});
    });
  }
  if (missing_generators(job).empty()) return;
  for (const std::unique_ptr<Generator>& generator : job_generators(job, surroundings.store)) {
    const std::vector<UnitKey> units = units_of(job, generator->name());
    finish_units(job, surroundings, listener, units, [&] {
      generator->fit(protocol, listener);
      const Interactions synthetic =
          generator->sample({protocol.synthetic_rows, protocol.density, learns_from_dislikes(job.recommender)}, listener);
      const SyntheticSummary summary = compare_with_real(job, synthetic.likes, listener);
      for (const UnitKey& key : units) {
        finish_units(job, surroundings, listener, {key}, [&] {
          const FitData data = make_fit_data(protocol, job.recommender, generator->name(), key.setting, synthetic);
          finish_unit(job, surroundings, {key, "", try_recommender(job, data, listener), summary});
        });
      }
    });
  }
}

}  // namespace tapestry::recsys
