#include "recsys/experiment/runner.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "recsys/data/load_dataset.h"
#include "recsys/experiment/combinations.h"
#include "recsys/experiment/manifest.h"
#include "recsys/experiment/report_content.h"
#include "recsys/experiment/report_files.h"
#include "recsys/experiment/stage_names.h"
#include "recsys/experiment/stage_times.h"
#include "recsys/experiment/worker_pool.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/precision.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kManifest = "manifest.json";

std::string version_of(const ExperimentOptions& options, const char* name) {
  const auto found = options.versions.find(name);
  return found == options.versions.end() ? "" : found->second;
}

/// What decides the last bits: compiler and matrix products, and on a GPU which one it is, with its driver and CUDA's runtime.
std::string build_of(const ExperimentOptions& options) {
  std::string build = version_of(options, "compiler");
  for (const auto& [name, title] :
       {std::pair("blas", "matrix products: "), {"gpu", "GPU: "}, {"driver", "driver: "}, {"CUDA runtime", "CUDA runtime: "}}) {
    if (const std::string version = version_of(options, name); !version.empty()) build += concat(", ", title, version);
  }
  return build;
}

}  // namespace

Experiment::Experiment(std::vector<LoadedDataset> datasets, ExperimentOptions options, Progress& progress)
    : datasets_(std::move(datasets)),
      options_(std::move(options)),
      progress_(progress),
      protocols_(protocols_of(datasets_, options_)),
      store_(options_.out, configuration_of(datasets_, options_), [&](const std::string& message) { progress_.warn(message); }),
      journal_(store_.folder()),
      reused_(take_over(store_, journal_, all_unit_keys(options_, dataset_names(datasets_)), options_.reuse)),
      work_(experiment_jobs(datasets_, protocols_, options_, [&](const UnitKey& key) {
        const bool finished = store_.has(key);
        if (finished) store_.remove_unfinished(key);  // of a start that was killed between the two, or of one that reuses it
        return finished;
      })) {}

double Experiment::report_seconds() const {
  if (options_.protocol != ProtocolName::kStrict) return 0.1;
  constexpr double kPerUser = 4e-5;  // of a bootstrap and the tests of all metrics, on one core
  double users = 0;
  for (const std::vector<ProtocolData>& folds : protocols_) {
    for (const ProtocolData& protocol : folds) users += static_cast<double>(protocol.evaluation.input.rows());
  }
  const std::size_t combinations = options_.recommenders.size() * options_.settings.size() * options_.generators.size();
  return kPerUser * users * static_cast<double>(2 * combinations) / std::max(1, options_.threads);
}

void Experiment::plan_progress(const FolderOf& folder) {
  // What a stage took before in this folder is the best guess there is.
  StageTimes before;
  for (const StageRecord& record : store_.stages()) before.add(record);
  std::map<int, const RunJob*> jobs;
  for (const RunJob& job : work_.jobs) jobs[job.index] = &job;
  progress_.plan(0, kReport, report_seconds());
  for (const StageCall& call : planned_calls(work_.jobs, folder)) {
    const std::optional<KnownMean> known = before.expected(*jobs.at(call.job), call);
    progress_.plan(call.job, call.stage, known ? known->mean : call.guess);
  }
}

void Experiment::compute() {
  const PrecisionScope precision(parse_precision(options_.precision));
  const std::vector<RunJob>& jobs = work_.jobs;
  const FolderOf folder = [&](const RunJob& job, const std::string& owner) { return kept_models(store_, job, owner); };
  SoundModels sound;
  const auto must_wait = [&](std::size_t waiting, std::size_t running) {
    return share_an_unfitted_model(jobs[waiting], jobs[running], folder, sound);
  };
  WorkerPool pool(jobs.size(), {.workers = options_.jobs,
                                .warm_up = [&] { warm_up(device_of(options_)); },
                                .must_wait = must_wait,
                                .poll = [&] { check_interrupted(options_); }});
  const std::string build = concat(version_of(options_, "revision"), ", ", build_of(options_));
  progress_.set_workers(pool.workers());
  plan_progress(folder);
  pool.run([&](std::size_t index) {
    const std::thread::id own = std::this_thread::get_id();
    // Workers without a job leave their threads to the others, who look at every poll. Kernels give the same bits for any
    // number of threads, so that this does not show in the results.
    const auto poll = [&] {
      pool.poll();
      if (std::this_thread::get_id() == own) set_num_threads(std::max(1, options_.threads / std::max(1, pool.active())));
    };
    execute_job(jobs[index], {store_, journal_, progress_, poll, {.every = options_.checkpoint_every, .build = build}});
    progress_.finish_job(jobs[index].index);
  });
  std::error_code ignored;
  std::filesystem::remove(unfinished_folder(store_.folder()), ignored);  // which it refuses unless it is empty
}

ReportOptions Experiment::report_options() const {
  ReportOptions report;
  report.protocol = std::string(to_string(options_.protocol)) +
                    (options_.without.empty() ? "" : " without " + joined(options_.without)) +
                    (options_.folds > 0 ? concat(", ", options_.folds, " folds") : "") + (options_.quick ? ", quick" : "");
  report.compare = options_.protocol == ProtocolName::kPublished && options_.without.empty();
  for (const LoadedDataset& loaded : datasets_) {
    const std::string expected = paper_digest(loaded.data.name);
    if (!expected.empty() && loaded.data.sha256 != expected) report.other_data.push_back(loaded.data.name);
  }
  report.quick = options_.quick;
  report.neumf_by_recall = options_.neumf_selection && by_recall(*options_.neumf_selection);
  return report;
}

std::vector<Start> Experiment::starts() const {
  std::vector<Start> starts = journal_.starts();
  if (!starts.empty()) starts.back().wall_seconds = progress_.elapsed();
  return starts;
}

std::vector<Cell> Experiment::run() {
  journal_.begin(options_.command, version_of(options_, "revision"), build_of(options_), options_.threads, options_.jobs);
  const auto broken_off = [&](const char* how) {
    try {
      journal_.end(how, progress_.elapsed());
    } catch (const std::exception&) {  // what broke it off is the news
    }
  };
  try {
    for (const LoadedDataset& loaded : datasets_) store_.log_stage({loaded.data.name, "", kLoad, 0, loaded.load_seconds, 0});
    compute();
    write_reports();
  } catch (const Interrupted&) {
    broken_off("interrupted");
    throw;
  } catch (...) {
    broken_off("error");
    throw;
  }
  journal_.end("finished", progress_.elapsed());
  return outputs_.cells;
}

void Experiment::write_reports() {
  set_num_threads(options_.threads);
  const StageLabel label = {.job = 0, .dataset = "", .recommender = "", .stage = kReport};
  const auto task = progress_.begin(label);
  const std::vector<AlikeRows> alike = alike_rows(datasets_, protocols_, options_);
  outputs_ = collect_outputs(store_, options_, dataset_names(datasets_), alike, [&](double fraction) {
    check_interrupted(options_);
    progress_.advance(task, label, {.fraction = fraction});
  });
  const ReportContent content =
      report_content(store_, options_, datasets_, protocols_, alike, starts(), report_options(), outputs_);
  std::vector<ReportFile> files = report_files(content, options_);
  files.push_back({kManifest, manifest_text(store_, options_, datasets_, starts(), progress_.elapsed())});
  // Gone while the others are written, and the last to come: files of two reports never stand beside a manifest.
  std::error_code error;
  std::filesystem::remove(store_.folder() / kManifest, error);
  if (error) fail(ErrorKind::kData, (store_.folder() / kManifest).string(), ": cannot be replaced: ", error.message());
  for (const ReportFile& file : files) store_.write_file(file.name, file.text);
  progress_.end(task, label);
}

}  // namespace tapestry::recsys
