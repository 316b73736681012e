#include "recsys/experiment/runner.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "recsys/experiment/outputs.h"
#include "recsys/experiment/report_content.h"
#include "recsys/experiment/selection.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

Hyperparameters values_for(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender) {
  Hyperparameters values = options.hyperparameters ? options.hyperparameters(dataset, recommender)
                                                   : hyperparameters(dataset, recommender, options.variant);
  if (values.neumf) {
    values.neumf->selection =
        options.neumf_selection.value_or(default_neumf_selection(dataset, options.protocol == ProtocolName::kStrict));
  }
  return options.quick ? quick(values) : values;
}

BaselineSettings baselines_for(const ExperimentOptions& options, const std::string& dataset) {
  const BaselineSettings settings = baseline_settings(dataset);
  return options.quick ? quick(settings) : settings;
}

Configuration configuration_of(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& options) {
  Configuration configuration;
  const auto version = options.versions.find("tapestry");
  if (version != options.versions.end()) configuration.version = version->second;
  configuration.protocol = to_string(options.protocol);
  configuration.folds = options.folds;
  configuration.variant = to_string(options.variant);
  configuration.seed = options.seed;
  configuration.quick = options.quick;
  configuration.device = options.device;
  for (const LoadedDataset& loaded : datasets) {
    Configuration::OneDataset one = {loaded.data.name, loaded.data.sha256, {}};
    for (const std::string& recommender : options.recommenders) {
      one.hyperparameters[recommender] = to_json(values_for(options, loaded.data.name, recommender));
    }
    one.hyperparameters[kBaselineOwner] = to_json(baselines_for(options, loaded.data.name));
    configuration.datasets.push_back(std::move(one));
  }
  return configuration;
}

/// [data set][fold]; one fold when there is no cross-validation.
std::vector<std::vector<ProtocolData>> protocols_of(const std::vector<LoadedDataset>& datasets,
                                                    const ExperimentOptions& options) {
  check(options.folds == 0 || options.runs % options.folds == 0, "Experiment: ", options.runs, " runs do not visit ",
        options.folds, " folds equally often");
  std::vector<std::vector<ProtocolData>> protocols(datasets.size());
  for (std::size_t d = 0; d < datasets.size(); ++d) {
    for (int fold = 0; fold < std::max(1, options.folds); ++fold) {
      protocols[d].push_back(make_protocol(datasets[d].data, options.protocol, options.seed, {fold, options.folds}));
    }
  }
  return protocols;
}

/// What the workers share. The first worker that fails stops the others at their next checkpoint.
struct Workers {
  std::atomic<std::size_t> next = 0;
  std::atomic<int> active = 0;
  std::atomic<bool> stopped = false;
  std::mutex mutex;
  std::exception_ptr error;
};

/// Thrown to unwind the workers that have not failed themselves.
struct Stopped {};

}  // namespace

int default_jobs(int threads, int runs) { return std::clamp(runs, 1, std::max(1, threads)); }

Experiment::Experiment(std::vector<LoadedDataset> datasets, ExperimentOptions options, Progress& progress)
    : datasets_(std::move(datasets)),
      options_(std::move(options)),
      progress_(progress),
      protocols_(protocols_of(datasets_, options_)),
      store_(options_.out, configuration_of(datasets_, options_), [&](const std::string& message) { progress_.warn(message); }) {
  for (std::size_t d = 0; d < datasets_.size(); ++d) {
    const std::string& dataset = datasets_[d].data.name;
    for (const std::string& recommender : options_.recommenders) {
      for (int run = 1; run <= options_.runs; ++run) {
        RunJob job = {static_cast<int>(jobs_.size()) + 1,
                      dataset,
                      recommender,
                      run,
                      options_.runs,
                      &protocols_[d][static_cast<std::size_t>(run - 1) % protocols_[d].size()],
                      values_for(options_, dataset, recommender),
                      baselines_for(options_, dataset),
                      derive_seed(options_.seed, static_cast<std::uint64_t>(run)),
                      {}};
        for (const std::string& generator : options_.generators) {
          for (const std::string& setting : options_.settings) {
            for (const UnitKey& key : unit_keys(options_, dataset, recommender, setting, generator)) {
              if (key.run != run) continue;
              ++units_;
              if (!store_.has(key)) job.missing.push_back(key);
            }
          }
        }
        missing_ += static_cast<std::int64_t>(job.missing.size());
        if (!job.missing.empty()) jobs_.push_back(std::move(job));
      }
    }
  }
}

void Experiment::compute() {
  Workers workers;
  const int count = std::min<int>(std::max(1, options_.jobs), static_cast<int>(jobs_.size()));
  progress_.set_workers(count);
  for (const RunJob& job : jobs_) plan_job(job, store_, progress_);
  workers.active = count;
  // Workers without a job leave their threads to the others, who look at every checkpoint. Kernels give the same bits for any
  // number of threads, so that this does not show in the results.
  const auto checkpoint = [&] {
    if (options_.interrupted && options_.interrupted()) throw Interrupted();
    if (workers.stopped) throw Stopped();
  };
  const auto share_threads = [&] { set_num_threads(std::max(1, options_.threads / std::max(1, workers.active.load()))); };
  const auto work = [&] {
    const std::thread::id own = std::this_thread::get_id();
    try {
      while (true) {
        const std::size_t index = workers.next++;
        if (index >= jobs_.size()) break;
        execute_job(jobs_[index], {store_, progress_, [&] {
                                     checkpoint();
                                     if (std::this_thread::get_id() == own) share_threads();
                                   }});
        progress_.finish_job(jobs_[index].index);
      }
    } catch (const Stopped&) {  // another worker's error is on its way
    } catch (...) {
      const std::lock_guard lock(workers.mutex);
      if (!workers.stopped.exchange(true)) workers.error = std::current_exception();
    }
    --workers.active;
  };
  std::vector<std::jthread> threads;
  for (int worker = 0; worker < count; ++worker) threads.emplace_back(work);
  threads.clear();  // joins
  if (workers.error) std::rethrow_exception(workers.error);
}

ReportOptions Experiment::report_options() const {
  ReportOptions report;
  report.protocol = std::string(to_string(options_.protocol)) +
                    (options_.folds > 0 ? concat(", ", options_.folds, " folds") : "") + (options_.quick ? ", quick" : "");
  report.compare = options_.protocol == ProtocolName::kPublished;
  report.quick = options_.quick;
  return report;
}

std::vector<Cell> Experiment::run() {
  for (const LoadedDataset& loaded : datasets_) store_.log_stage({loaded.data.name, "", "load", 0, loaded.load_seconds, 0});
  compute();
  std::vector<std::string> names;
  for (const LoadedDataset& loaded : datasets_) names.push_back(loaded.data.name);
  set_num_threads(options_.threads);
  const std::vector<Cell> cells = collect_cells(store_, options_, names);
  comparisons_ = collect_comparisons(store_, options_, names);
  const ReportOptions report = report_options();
  store_.write_file("results.csv", results_csv(cells, report));
  const std::vector<Failure> failures = collect_failures(store_, options_, names);
  store_.write_file("results.json", results_json(cells, report, comparisons_, failures));
  store_.write_file("table.md", table_text(cells, comparisons_, failures, options_, report));
  write_report(store_, report_content(store_, options_, datasets_, report, cells, comparisons_, failures));
  store_.write_file("manifest.json", manifest_text(store_, options_, datasets_, progress_.elapsed()));
  return cells;
}

}  // namespace tapestry::recsys
