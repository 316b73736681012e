#include "recsys/experiment/run_job.h"

#include <algorithm>

#include "recsys/experiment/fit_data.h"
#include "recsys/experiment/peak_memory.h"
#include "recsys/experiment/planned_work.h"
#include "recsys/experiment/recommender_history.h"
#include "recsys/experiment/selection.h"
#include "recsys/experiment/stage_names.h"
#include "recsys/metrics/ranking.h"
#include "tensor/atomic_file.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

/// Parts of a run outside the generators that draw numbers, continuing SdrmPart. Append only.
constexpr std::uint64_t kRecommenderPart = 100;

/// Passes what the models report on to the progress display and the log of stages.
class JobListener : public StageListener {
 public:
  JobListener(const RunJob& job, const JobSurroundings& surroundings) : job_(job), surroundings_(surroundings) {}

  void begin(const std::string& stage) override {
    surroundings_.poll();
    label_ = {job_.index, job_.dataset, job_.recommender, job_.run, job_.runs, stage};
    task_ = surroundings_.progress.begin(label_);
    running_ = true;
  }
  void advance(const std::string& /*stage*/, const StageProgress& progress) override {
    surroundings_.poll();
    if (progress.earlier && !progress.earlier->last) return;  // the last says enough
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

/// Fits the job's recommender as it is for this unit, keeps how the training went, and measures it on the evaluation users.
Measures try_recommender(const RunJob& job, const JobSurroundings& surroundings, const UnitKey& key, const FitData& data,
                         StageListener& listener) {
  const UnitStore& store = surroundings.store;
  auto recommender = make_recommender(job.recommender, for_unit(job.values, key.setting, key.generator),
                                      derive_seed(job.seed, kRecommenderPart), job.device);
  listener.begin(kRecommenderFit);
  RecommenderHistory history;
  const auto hear = [&](const StageProgress& progress) {
    history.hear(progress);
    listener.advance(kRecommenderFit, progress);
  };
  KeptCheckpoint checkpoint(unfinished_unit_file(store.folder(), key),
                            unit_digest(store.configuration(), key.dataset, key.recommender, key.generator),
                            surroundings.checkpoint, [&](const std::string& message) { listener.warn(message); });
  recommender->fit(data, hear, &checkpoint);
  pool_trim(Device::kCpu);  // never the GPU's: tensor/README.md
  listener.end(kRecommenderFit);
  if (!history.empty()) {
    const std::filesystem::path stem = store.run_paths(job.dataset, job.recommender, job.run).history;
    write_file_atomically(history_file(stem, recommender_history_stage(key.generator, key.setting)), history.csv());
  }
  listener.begin(kEvaluate);
  const auto score = [&](std::int64_t begin, std::int64_t end) { return recommender->score(begin, end); };
  const Tensor ranked = rank_items(score, recommender->masked(), *std::max_element(kCutoffs.begin(), kCutoffs.end()));
  Measures measures = measure(ranked, heldout_for(*job.protocol, job.recommender), job.protocol->train, reports_ndcg_over_k(job));
  recommender.reset();
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
  surroundings.store.remove_unfinished(unit.key);
  surroundings.journal.unit(unit.key.text());
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

}  // namespace

ModelFolder kept_models(const UnitStore& store, const RunJob& job, const std::string& owner) {
  const RunPaths paths = store.run_paths(job.dataset, owner, job.run);
  return {paths.models, paths.history, store.digest(job.dataset, owner), paths.unfinished};
}

void execute_job(const RunJob& job, const JobSurroundings& surroundings) {
  JobListener listener(job, surroundings);
  const ProtocolData& protocol = *job.protocol;
  if (const std::vector<UnitKey> units = units_of(job, kOriginal); !units.empty()) {
    // Without synthetic users the settings are the same: one fit is enough.
    finish_units(job, surroundings, listener, units, [&] {
      const FitData data = make_fit_data(protocol, job.recommender, kOriginal, units.front().setting, {});
      const Measures measures = try_recommender(job, surroundings, units.front(), data, listener);
      for (const UnitKey& key : units) finish_unit(job, surroundings, {key, "", measures, std::nullopt});
    });
  }
  const auto folder = [&](const RunJob& of, const std::string& owner) {
    ModelFolder kept = kept_models(surroundings.store, of, owner);
    kept.checkpoint = surroundings.checkpoint;
    return kept;
  };
  for (const std::unique_ptr<Generator>& generator : job_generators(job, folder)) {
    const std::vector<UnitKey> units = units_of(job, generator->name());
    finish_units(job, surroundings, listener, units, [&] {
      generator->fit(protocol, listener);
      const Interactions synthetic =
          generator->sample({protocol.synthetic_rows, protocol.density, learns_from_dislikes(job.recommender)}, listener);
      const SyntheticSummary summary = compare_with_real(job, synthetic.likes, listener);
      for (const UnitKey& key : units) {
        finish_units(job, surroundings, listener, {key}, [&] {
          const FitData data = make_fit_data(protocol, job.recommender, generator->name(), key.setting, synthetic);
          const Measures measures = try_recommender(job, surroundings, key, data, listener);
          finish_unit(job, surroundings, {key, "", measures, summary});
        });
      }
    });
  }
}

}  // namespace tapestry::recsys
