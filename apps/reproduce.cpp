// The paper's main experiment in one command: arguments in, exit status out (0 ok, 2 usage, 3 data, 4 device, 130 Ctrl-C).
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>

#include "apps/ablate.h"
#include "apps/doctor.h"
#include "apps/interrupt.h"
#include "apps/reproduce_options.h"
#include "recsys/data/load_dataset.h"
#include "recsys/experiment/runner.h"
#include "recsys/report/table.h"
#include "tensor/error.h"

namespace tapestry::apps {
namespace {

using recsys::Experiment;
using recsys::LoadedDataset;
using recsys::Progress;

std::unique_ptr<Progress> make_progress() {
  if (::isatty(STDERR_FILENO) != 0)
    return std::make_unique<Progress>(std::make_unique<recsys::BarDisplay>(stderr), /*ticking=*/true);
  const auto write = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  return std::make_unique<Progress>(std::make_unique<recsys::JsonLinesDisplay>(write));
}

std::vector<LoadedDataset> load(const ReproduceOptions& options, Progress& progress) {
  std::vector<LoadedDataset> loaded;
  for (std::size_t i = 0; i < options.datasets.size(); ++i) progress.plan(0, "load", 0.5);
  for (const std::string& name : options.datasets) {
    const recsys::StageLabel label = {.job = 0, .dataset = name, .recommender = "", .stage = "load"};
    const auto task = progress.begin(label);
    recsys::Dataset data = recsys::load_dataset(options.data, name);
    loaded.push_back({std::move(data), progress.end(task, label)});
  }
  return loaded;
}

/// What is going to be done, before it is done.
void announce(const Experiment& experiment, const ReproduceOptions& options) {
  const recsys::ExperimentOptions& asked = options.experiment;
  for (const LoadedDataset& loaded : experiment.datasets()) {
    const recsys::Dataset& data = loaded.data;
    std::cout << data.name << ": " << data.stored.rows() << " users x " << data.stored.cols() << " items, " << data.stored.nnz()
              << " stored (" << data.source << ")\n";
  }
  const std::string folds = asked.folds > 0 ? ", " + std::to_string(asked.folds) + " folds" : "";
  std::cout << "protocol " << recsys::to_string(asked.protocol) << folds << ", variant " << recsys::to_string(asked.variant)
            << ", " << asked.runs << (asked.runs == 1 ? " run" : " runs") << ", seed " << asked.seed
            << (asked.quick ? ", quick" : "") << "; " << asked.jobs << (asked.jobs == 1 ? " job" : " jobs") << " on "
            << asked.threads << (asked.threads == 1 ? " thread" : " threads") << ", device " << asked.device << "\n";
  if (const std::int64_t finished = experiment.units() - experiment.missing_units(); finished > 0) {
    std::cout << finished << " of " << experiment.units() << " units are finished in " << asked.out.string() << "\n";
  }
  std::cout << std::flush;
}

int interrupted(const ReproduceOptions& options) {
  std::cerr << "reproduce: interrupted; what is finished is kept in " << options.experiment.out.string()
            << ", and the same command goes on from there" << std::endl;
  return 128 + interrupt_signal();
}

int reproduce(ReproduceOptions options, Progress& progress) {
  for (const std::string& remark : options.remarks) std::cout << remark << "\n";
  options.experiment.interrupted = [] { return interrupt_signal() != 0; };
  std::vector<LoadedDataset> datasets = load(options, progress);
  if (!options.ablations.empty()) {
    progress.finish();
    return ablate(options.experiment, datasets, options.ablations, make_progress);
  }
  Experiment experiment(std::move(datasets), options.experiment, progress);
  progress.clear();
  announce(experiment, options);
  progress.release();
  const std::vector<recsys::Cell> cells = experiment.run();
  progress.finish();
  std::cout << "\n" << recsys::terminal_table(cells, experiment.report_options());
  if (!experiment.comparisons().empty()) std::cout << "\n" << recsys::comparison_lines(experiment.comparisons());
  std::cout << "\nreport.html, results.csv, results.json, table.md and manifest.json are in " << options.experiment.out.string()
            << "\n";
  return 0;
}

}  // namespace

int run_reproduce(int argc, char** argv) {
  std::optional<ReproduceOptions> options = parse_reproduce_options(argc, argv);
  if (!options) return 0;
  if (options->doctor) return doctor(std::cout);
  if (options->list) {
    std::cout << list_text(*options);
    return 0;
  }
  for (int i = 0; i < argc; ++i) options->experiment.command += (i > 0 ? " " : "") + std::string(argv[i]);
  options->experiment.versions = {{"tapestry", TAPESTRY_VERSION},
                                  {"revision", TAPESTRY_REVISION},
                                  {"compiler", "GCC-compatible " __VERSION__},
                                  {"blas", TAPESTRY_BLAS}};
  catch_interrupts();
  const std::unique_ptr<Progress> progress = make_progress();
  try {
    return reproduce(*options, *progress);
  } catch (const recsys::Interrupted&) {
    progress->finish();
    return interrupted(*options);
  } catch (...) {
    progress->finish();
    throw;
  }
}

}  // namespace tapestry::apps

int main(int argc, char** argv) {
  try {
    return tapestry::apps::run_reproduce(argc, argv);
  } catch (const tapestry::Error& error) {
    std::cerr << "reproduce: " << error.what() << std::endl;
    return error.exit_status();
  } catch (const std::exception& error) {
    std::cerr << "reproduce: " << error.what() << std::endl;
    return 1;
  }
}
