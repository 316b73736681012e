#include "apps/experiments.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>

#include "apps/ablate.h"
#include "apps/failures.h"
#include "apps/interrupt.h"
#include "recsys/data/load_dataset.h"
#include "recsys/experiment/combinations.h"
#include "recsys/experiment/folder_lock.h"
#include "recsys/experiment/paper.h"
#include "recsys/experiment/runner.h"
#include "recsys/experiment/stage_names.h"
#include "recsys/experiment/unfinished.h"
#include "recsys/experiment/unit_pattern.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/report/table.h"

namespace tapestry::apps {
namespace {

using recsys::Experiment;
using recsys::ExperimentOptions;
using recsys::LoadedDataset;
using recsys::Progress;

std::unique_ptr<Progress> make_progress() {
  if (::isatty(STDERR_FILENO) != 0)
    return std::make_unique<Progress>(std::make_unique<recsys::BarDisplay>(stderr), /*ticking=*/true);
  const auto write = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  return std::make_unique<Progress>(std::make_unique<recsys::JsonLinesDisplay>(write));
}

/// Once for all that is done with them. A terminal sees a bar meanwhile; lines are about the experiments alone.
std::vector<LoadedDataset> load(const ReproduceOptions& options) {
  const std::unique_ptr<Progress> progress = make_progress();
  std::vector<LoadedDataset> loaded;
  for (std::size_t i = 0; i < options.datasets.size(); ++i) progress->plan(0, recsys::kLoad, 0.5);
  for (const std::string& name : options.datasets) {
    const recsys::StageLabel label = {.job = 0, .dataset = name, .recommender = "", .stage = recsys::kLoad};
    const auto task = progress->begin(label);
    recsys::Dataset data = recsys::load_dataset(options.data, name);
    loaded.push_back({std::move(data), progress->end(task, label)});
  }
  return loaded;
}

/// What is going to be done, before it is done.
void announce(const Experiment& experiment, const ExperimentOptions& asked) {
  const recsys::ReportOptions report = experiment.report_options();
  for (const LoadedDataset& loaded : experiment.datasets()) {
    const recsys::Dataset& data = loaded.data;
    std::cout << data.name << ": " << data.stored.rows() << " users x " << data.stored.cols() << " items, " << data.stored.nnz()
              << " stored (" << data.source << ")\n";
    if (report.compare && !report.compares(data.name)) {
      std::cout << "  its content is not the paper's (docs/formats.md has the digest): no printed figures beside its own\n";
    }
  }
  const std::string without = asked.without.empty() ? "" : ", without " + recsys::joined(asked.without);
  const std::string folds = asked.folds > 0 ? ", " + std::to_string(asked.folds) + " folds" : "";
  std::cout << "protocol " << recsys::to_string(asked.protocol) << folds << ", variant " << recsys::to_string(asked.variant)
            << ", " << asked.runs << (asked.runs == 1 ? " run" : " runs") << ", seed " << asked.seed << without
            << (asked.quick ? ", quick" : "") << "; " << asked.jobs << (asked.jobs == 1 ? " job" : " jobs") << " on "
            << asked.threads << (asked.threads == 1 ? " thread" : " threads") << ", device " << asked.device
            << (asked.device == "cuda" ? ", matrix products in " + asked.precision : "") << "\n";
  for (const std::string& line : experiment.finished_lines()) std::cout << line << "\n";
  if (!asked.only.empty()) std::cout << experiment.missing_units() << " of the others are selected by --only\n";
  std::cout << std::flush;
}

/// Computes one experiment and prints its table. Returns the exit status.
int compute(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& asked) {
  const std::unique_ptr<Progress> progress = make_progress();
  Experiment experiment(datasets, asked, *progress);
  progress->clear();
  announce(experiment, asked);
  progress->release();
  const std::vector<recsys::Cell> cells = experiment.run();
  progress->finish();
  if (!cells.empty()) std::cout << "\n" << recsys::terminal_table(cells, experiment.report_options());
  if (!experiment.comparisons().empty()) std::cout << "\n" << recsys::comparison_lines(experiment.comparisons());
  if (!experiment.unfinished().empty()) {
    std::cout << "\nNot finished, and left out of the report:\n";
    for (const std::string& line : recsys::unfinished_lines(experiment.unfinished())) std::cout << "  " << line << "\n";
  }
  const int status = print_failures(experiment.failures());
  std::cout << "\nreport.html, report.md, results.csv, results.json, table.md, manifest.json and others are in "
            << asked.out.string() << "\n";
  return status;
}

/// Says on standard error what is being measured for a plan, and stops for Ctrl-C.
recsys::PlanOptions planning() {
  recsys::PlanOptions plan;
  plan.poll = [] {
    if (interrupt_signal() != 0) throw recsys::Interrupted();
  };
  plan.progress = [](const std::string& what) {
    if (::isatty(STDERR_FILENO) != 0) {
      const std::string line = recsys::cut_to_line("measuring " + what, recsys::terminal_columns(stderr));
      std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
    } else {
      std::fprintf(stderr, "{\"event\":\"measuring\",\"what\":\"%s\"}\n", what.c_str());
    }
    std::fflush(stderr);
  };
  return plan;
}

/// Takes planning()'s line away, also when what was measured was interrupted.
struct MeasuringLine {
  MeasuringLine() = default;
  MeasuringLine(const MeasuringLine&) = delete;
  MeasuringLine& operator=(const MeasuringLine&) = delete;
  ~MeasuringLine() {
    if (::isatty(STDERR_FILENO) != 0) std::fputs("\r\x1b[K", stderr);
  }
};

recsys::WorkPlan plan_of(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& part) {
  const MeasuringLine line;
  return recsys::make_plan(datasets, part, planning());
}

/// Every pattern of --only must match a unit of one of the experiments.
void check_selection(const ReproduceOptions& options, const std::vector<ExperimentOptions>& parts) {
  if (options.experiment.only.empty()) return;
  std::vector<std::string> texts;
  for (const ExperimentOptions& part : parts) {
    const std::vector<std::string> more = recsys::unit_texts(part, options.datasets);
    texts.insert(texts.end(), more.begin(), more.end());
  }
  recsys::check_patterns(options.experiment.only, texts);
}

/// Each folder must be for its part, before hours go into the first. A plan needs none that is free.
void check_folders(const ReproduceOptions& options, const std::vector<LoadedDataset>& datasets,
                   const std::vector<ExperimentOptions>& parts) {
  for (const ExperimentOptions& part : parts) {
    recsys::check_folder(part.out, recsys::configuration_of(datasets, part));
    if (!options.plan) recsys::check_free(part.out);
  }
}

/// How many runs the strict part of the paper has is decided by what they cost, unless it was said.
bool chooses_runs(const ReproduceOptions& options, const ExperimentOptions& part) {
  const bool strict = part.protocol == recsys::ProtocolName::kStrict;
  return options.paper && strict && recsys::chooses_strict_runs(options.experiment, options.given);
}

void choose_runs(const ReproduceOptions& options, const std::vector<LoadedDataset>& datasets, ExperimentOptions& part) {
  const std::filesystem::path file = options.experiment.out / "strict-runs.json";
  const std::vector<recsys::RunChoice> choices = [&] {
    const MeasuringLine line;
    return recsys::decided_runs(datasets, part, file, /*keep=*/!options.plan, planning());
  }();
  for (const std::string& line : recsys::choice_lines(choices)) std::cout << line << "\n";
  recsys::set_runs(choices, part);
}

}  // namespace

int reproduce(const ReproduceOptions& options) {
  if (!options.ablations.empty()) return ablate(options.experiment, load(options), options.ablations, make_progress);
  std::vector<ExperimentOptions> parts = {options.experiment};
  if (options.paper) parts = recsys::paper_parts(options.experiment, options.given);
  check_selection(options, parts);
  const std::vector<LoadedDataset> datasets = load(options);
  if (options.paper) check_folders(options, datasets, parts);
  std::optional<recsys::FolderLock> deciding;  // until the end: who would be refused by a part's folder has decided nothing
  for (ExperimentOptions& part : parts) {
    if (!chooses_runs(options, part)) continue;
    if (!options.plan) deciding.emplace(options.experiment.out);
    choose_runs(options, datasets, part);
  }
  int status = 0;
  for (const ExperimentOptions& part : parts) {
    if (!options.plan) {
      status = std::max(status, compute(datasets, part));
      continue;
    }
    const recsys::WorkPlan plan = plan_of(datasets, part);
    std::cout << recsys::plan_text(plan, part) << (parts.size() > 1 ? "\n" : "") << std::flush;
  }
  if (options.paper && !options.plan) {
    std::cout << "reports:";
    for (const ExperimentOptions& part : parts) std::cout << " " << (part.out / "report.html").string();
    std::cout << "\n";
  }
  return status;
}

}  // namespace tapestry::apps
