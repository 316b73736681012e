#include "recsys/experiment/run_job.h"

#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <optional>

#include "recsys/experiment/fit_data.h"
#include "recsys/experiment/selection.h"
#include "recsys/generators/sdrm_family.h"
#include "recsys/metrics/ranking.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kRecommenderFit = "recommender_fit";
constexpr const char* kEvaluate = "evaluate";

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
  }
  void advance(const std::string& /*stage*/, const StageProgress& progress) override {
    surroundings_.checkpoint();
    surroundings_.progress.advance(task_, label_, progress);
  }
  void end(const std::string& stage) override {
    const double seconds = surroundings_.progress.end(task_, label_);
    surroundings_.store.log_stage({job_.dataset, job_.recommender, stage, job_.run, seconds, peak_rss_bytes()});
  }
  void warn(const std::string& message) override { surroundings_.progress.warn(message); }

 private:
  const RunJob& job_;
  const JobSurroundings& surroundings_;
  StageLabel label_;
  EtaEstimator::Task task_ = 0;
};

/// What the evaluation of one recommender gives.
struct Measured {
  UserMetrics metrics;
  std::optional<UserMetrics> over_k;  ///< with the ideal DCG over k: where the paper printed that
};

/// Fits the job's recommender and measures it on the evaluation users.
Measured try_recommender(const RunJob& job, const FitData& data, StageListener& listener) {
  const auto recommender = make_recommender(job.recommender, job.values, derive_seed(job.seed, kRecommenderPart));
  listener.begin(kRecommenderFit);
  recommender->fit(data, [&](const StageProgress& progress) { listener.advance(kRecommenderFit, progress); });
  listener.end(kRecommenderFit);
  listener.begin(kEvaluate);
  const HeldOut users = {recommender->masked(), heldout_for(*job.protocol, job.recommender)};
  const auto score = [&](std::int64_t begin, std::int64_t end) { return recommender->score(begin, end); };
  Measured measured = {ranking_metrics(score, users), std::nullopt};
  if (job.protocol->name == ProtocolName::kPublished && learns_from_dislikes(job.recommender)) {
    measured.over_k = ranking_metrics(score, users, {.ideal = IdealDcg::kCutoff});
  }
  pool_trim(Device::kCpu);
  listener.end(kEvaluate);
  return measured;
}

Unit make_unit(const UnitKey& key, const Measured& measured) {
  Unit unit;
  unit.key = key;
  const auto add = [&](const std::string& name, std::span<const double> values) {
    unit.metrics.push_back(name);
    unit.means.push_back(mean_over_users(values).value);
    unit.users.emplace_back(values.begin(), values.end());
  };
  for (const std::string& name : metric_names()) add(name, measured.metrics.values(name));
  if (measured.over_k) {
    for (const int k : kCutoffs) add(concat(kNdcgOverK, k), measured.over_k->values(concat("NDCG@", k)));
  }
  return unit;
}

std::vector<UnitKey> units_of(const RunJob& job, const std::string& generator) {
  std::vector<UnitKey> units;
  std::copy_if(job.missing.begin(), job.missing.end(), std::back_inserter(units),
               [&](const UnitKey& key) { return key.generator == generator; });
  return units;
}

void finish_unit(const RunJob& job, const JobSurroundings& surroundings, const UnitKey& key, const Measured& measured) {
  surroundings.store.write(make_unit(key, measured));
  surroundings.progress.unit({job.index, job.dataset, job.recommender, job.run, job.runs, ""}, key.text());
}

std::vector<std::string> missing_generators(const RunJob& job) {
  std::vector<std::string> names;
  for (const std::string& name : SdrmFamily::names()) {
    if (!units_of(job, name).empty()) names.push_back(name);
  }
  return names;
}

std::vector<std::unique_ptr<Generator>> job_generators(const RunJob& job, const UnitStore& store) {
  const RunPaths paths = store.run_paths(job.dataset, job.recommender, job.run);
  const ModelFolder folder = {paths.models, paths.history, store.digest(job.dataset, job.recommender)};
  return make_sdrm_generators(missing_generators(job), {job.values.vae, job.values.score, job.seed, folder});
}

/// Seconds that the stages of a job take on an ordinary core pair, from the operations in their matrix products.
std::map<std::string, double> guesses(const RunJob& job) {
  constexpr double kRate = 5e10;  // operations a second
  const sdrm::VaeConfig& vae = job.values.vae;
  const sdrm::ScoreConfig& score = job.values.score;
  const auto rows = static_cast<double>(job.protocol->generator.rows());
  const auto drawn = static_cast<double>(job.protocol->synthetic_rows);
  const auto items = static_cast<double>(job.protocol->generator.cols());
  const auto entries = static_cast<double>(job.protocol->generator.nnz());
  const auto h = static_cast<double>(vae.hidden), k = static_cast<double>(vae.latent);
  const double network = k * k * static_cast<double>(score.hidden_layers + 2);
  const auto epochs = static_cast<double>(std::min(vae.max_epochs, kTypicalVaeEpochs));
  const double decode = 2 * drawn * h * (k + items);
  const double reverse = 2 * drawn * network * static_cast<double>(score.timesteps);
  double fit_seconds = 0.05 + 2e-6 * entries + 5e-5 * (items + rows);
  // A good ten epochs' updates, each of which passes over the first layer and its moments.
  if (job.values.mlp) fit_seconds = 15 * rows / 16 * items * 4096 * 2e-9;
  if (const std::optional<NeuMfConfig>& neumf = job.values.neumf) {
    const double epochs_run = neumf->selection == NeuMfSelection::kFirstEpoch ? 1 : static_cast<double>(neumf->max_epochs);
    fit_seconds = epochs_run * entries / 256 * (4e-4 + (items + rows) * 4e-8);
  }
  return {{"vae_fit", epochs * rows * 6 * h * (items + 3 * k) / kRate},
          {"sdrm_fit", static_cast<double>(score.epochs) * rows * 18 * network / kRate},
          {"sample_vae", decode / kRate},
          {"sample_f", (decode + reverse) / kRate},
          {"sample_m", (decode + reverse / 2) / kRate},
          {kRecommenderFit, fit_seconds},
          {kEvaluate, static_cast<double>(job.protocol->evaluation.input.rows()) * items * 100 / kRate}};
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
  const std::vector<std::string> generators = missing_generators(job);
  if (generators.empty()) return;
  const std::filesystem::path models = store.run_paths(job.dataset, job.recommender, job.run).models;
  const bool with_score = generators != std::vector<std::string>{"multivae++"};
  if (!std::filesystem::exists(SdrmFamily::model_file(models, "vae"))) plan("vae_fit");
  if (with_score && !std::filesystem::exists(SdrmFamily::model_file(models, "score"))) plan("sdrm_fit");
  for (const std::string& name : generators) {
    plan(name == "multivae++" ? "sample_vae" : name == "f-sdrm" ? "sample_f" : "sample_m");
    plan_recommender(units_of(job, name).size());
  }
}

void execute_job(const RunJob& job, const JobSurroundings& surroundings) {
  JobListener listener(job, surroundings);
  const ProtocolData& protocol = *job.protocol;
  if (const std::vector<UnitKey> units = units_of(job, kOriginal); !units.empty()) {
    // Without synthetic users the settings are the same: one fit is enough.
    const FitData data = make_fit_data(protocol, job.recommender, kOriginal, units.front().setting, {});
    const Measured measured = try_recommender(job, data, listener);
    for (const UnitKey& key : units) finish_unit(job, surroundings, key, measured);
  }
  if (missing_generators(job).empty()) return;
  for (const std::unique_ptr<Generator>& generator : job_generators(job, surroundings.store)) {
    generator->fit(protocol, listener);
    const Interactions synthetic =
        generator->sample({protocol.synthetic_rows, protocol.density, learns_from_dislikes(job.recommender)}, listener);
    for (const UnitKey& key : units_of(job, generator->name())) {
      const FitData data = make_fit_data(protocol, job.recommender, generator->name(), key.setting, synthetic);
      finish_unit(job, surroundings, key, try_recommender(job, data, listener));
    }
  }
}

}  // namespace tapestry::recsys
