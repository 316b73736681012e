#include "apps/reproduce_options.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <limits>

#include "apps/raw_options.h"
#include "recsys/data/joined.h"
#include "recsys/data/load_dataset.h"
#include "recsys/experiment/selection.h"
#include "tensor/cuda/cuda_device.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/precision.h"
#include "tensor/step_graph.h"

namespace tapestry::apps {
namespace {

namespace fs = std::filesystem;
using Names = RawOptions::Names;
using recsys::joined;

/// The data folder of the environment; empty when it names none.
std::string data_of_environment() {
  const char* folder = std::getenv("TAPESTRY_DATA");
  return folder == nullptr ? "" : folder;
}

/// What --paper asks for where nothing else is said.
void extend_to_paper(RawOptions& raw, const CLI::App& app) {
  if (app.count("--dataset") == 0) raw.datasets = {"all"};
  if (app.count("--recommender") == 0) raw.recommenders = {"all"};
  if (app.count("--generators") == 0) raw.generators = {"all"};
}

/// Seconds between two checkpoints of a fit, at the least.
double choose_checkpoint(std::string text) {
  if (text == "never") return std::numeric_limits<double>::infinity();
  const std::string whole = text;
  if (!read_decimal(text).empty()) {
    fail(ErrorKind::kUsage, "--checkpoint ", whole, ": expected a whole number of seconds, or never");
  }
  return std::stod(text);
}

Names choose_datasets(const RawOptions& raw, Names& remarks) {
  const Names known = recsys::known_datasets();
  const fs::path data = raw.data;
  const bool searched = raw.datasets.empty() || std::find(raw.datasets.begin(), raw.datasets.end(), "all") != raw.datasets.end();
  std::error_code ignored;
  const bool a_file = raw.datasets != Names{"simulated"} && fs::exists(data, ignored) && !fs::is_directory(data, ignored);
  if (!raw.list && (a_file || (searched && raw.data_given && !fs::is_directory(data, ignored)))) {
    fail(ErrorKind::kData, "the data folder ", raw.data, " (--data or $TAPESTRY_DATA) ",
         fs::exists(data, ignored) ? "is not a folder" : "does not exist", "; --dataset simulated needs none");
  }
  if (raw.datasets.empty()) {
    if (recsys::dataset_available(data, "ml-100k")) return {"ml-100k"};
    remarks.push_back("ml-100k was not found in " + raw.data + ": using the built-in simulated data (--list says more)");
    return {"simulated"};
  }
  Names selected = recsys::select_names("data set", raw.datasets, known);
  if (std::find(raw.datasets.begin(), raw.datasets.end(), "all") == raw.datasets.end()) return selected;
  Names absent;
  std::erase_if(selected, [&](const std::string& name) {
    const bool left_out =
        std::find(raw.datasets.begin(), raw.datasets.end(), name) == raw.datasets.end() && !recsys::dataset_available(data, name);
    if (left_out) absent.push_back(name);
    return left_out;
  });
  // The paper knows nothing of simulated data, and its means are not over them: they stand in where there are no others.
  const bool asked = std::find(raw.datasets.begin(), raw.datasets.end(), "simulated") != raw.datasets.end();
  if ((raw.paper || !asked) && selected.size() > 1) std::erase(selected, "simulated");
  if (!absent.empty()) remarks.push_back("not found in " + raw.data + " and left out: " + joined(absent));
  return selected;
}

/// "cpu" or "cuda". Asked for a GPU that cannot be used, it says why instead of falling back; `auto` says what it chose.
/// `side_by_side`: several runs may share it.
std::string choose_device(const std::string& name, bool side_by_side, Names& remarks) {
  if (name == "cpu") return name;
  if (name != "cuda" && name != "auto") {
    fail(ErrorKind::kUsage, "no device is called '", name, "', there are: cpu, cuda, auto");
  }
  if (side_by_side) load_kernels_at_start();
  const CudaReport report = cuda_report();
  if (report.usable) {
    remarks.emplace_back("device: cuda for generators, recommenders and rankings, the CPU for metrics");
    return "cuda";
  }
  if (name == "cuda") fail(ErrorKind::kDevice, "--device cuda: ", report.reason, "; use --device cpu (--doctor says more)");
  remarks.push_back("device: cpu (" + report.reason + ")");
  return "cpu";
}

/// The precision's name, if the device chosen can have it.
std::string choose_precision(const std::string& name, const std::string& device) {
  const MatmulPrecision precision = parse_precision(name);
  if (precision == MatmulPrecision::kFloat32) return name;
  if (device != "cuda") {
    fail(ErrorKind::kUsage, "--precision ", name,
         " is for matrix products on a GPU: the CPU computes in float32 (--device cuda)");
  }
  check_precision(precision, cuda_report());
  return name;
}

void check_ablations(const RawOptions& raw) {
  if (raw.ablations.empty()) return;
  if (raw.paper || raw.plan || !raw.only.empty()) {
    fail(ErrorKind::kUsage, "--ablations goes with neither --paper nor --plan nor --only");
  }
  if (raw.protocol != "published" || raw.variant != "published" || !raw.without.empty() || !raw.neumf_selection.empty()) {
    fail(ErrorKind::kUsage,
         "--ablations starts from what is published and chooses --without, --variant and --neumf-selection itself");
  }
}

/// What is computed, and with which quirks of the authors' program.
void choose_figures(const RawOptions& raw, const recsys::GivenOptions& given, recsys::ExperimentOptions& experiment) {
  experiment.recommenders = recsys::select_names("recommender", raw.recommenders, recsys::known_recommenders());
  experiment.generators =
      recsys::select_names("generator", raw.generators, recsys::known_generators(), recsys::generators_beyond_all());
  experiment.settings = recsys::select_names("setting", raw.settings, recsys::known_settings());
  experiment.protocol = recsys::parse_protocol(raw.protocol);
  experiment.variant = recsys::parse_variant(raw.variant);
  if (!raw.without.empty()) experiment.without = recsys::parse_deviations(raw.without);
  if (raw.paper && !given.protocol && !raw.without.empty()) {
    fail(ErrorKind::kUsage,
         "--paper ends with protocol strict, which has no deviation to leave out: --without goes with "
         "--paper --protocol published, or without --paper");
  }
  recsys::check_deviations(experiment.without, experiment.protocol, experiment.variant);
  if (raw.neumf_selection.empty()) return;
  if (std::find(experiment.recommenders.begin(), experiment.recommenders.end(), "neumf") == experiment.recommenders.end()) {
    fail(ErrorKind::kUsage, "--neumf-selection is about --recommender neumf, which is not asked for");
  }
  experiment.neumf_selection = recsys::parse_neumf_selection(raw.neumf_selection);
}

/// How often it is computed. Needs the protocol.
void choose_runs(const RawOptions& raw, const recsys::GivenOptions& given, recsys::ExperimentOptions& experiment) {
  experiment.seed = raw.seed;
  experiment.quick = raw.quick;
  experiment.runs = raw.quick && !given.runs ? 2 : raw.runs;
  experiment.folds = raw.folds;
  if (raw.folds == 0) return;
  const bool strict = experiment.protocol == recsys::ProtocolName::kStrict || (raw.paper && !given.protocol);
  if (!strict) fail(ErrorKind::kUsage, "--folds goes with --protocol strict only");
  if (!given.runs) experiment.runs = raw.folds;
  if (experiment.runs % raw.folds != 0) {
    fail(ErrorKind::kUsage, "--runs ", experiment.runs, " with --folds ", raw.folds,
         ": runs must be a multiple of folds, so that every user is reported equally often");
  }
}

void choose_folders(const RawOptions& raw, recsys::ExperimentOptions& experiment) {
  if (raw.out.empty()) fail(ErrorKind::kUsage, "--out names no folder");
  experiment.out = raw.out;
  experiment.only = raw.only;
  experiment.checkpoint_every = choose_checkpoint(raw.checkpoint);
  experiment.reuse = recsys::result_folders(std::vector<fs::path>(raw.reuse.begin(), raw.reuse.end()));
}

ReproduceOptions resolve(const RawOptions& raw, const recsys::GivenOptions& given) {
  ReproduceOptions options;
  options.data = raw.data;
  options.list = raw.list;
  options.plan = raw.plan;
  options.paper = raw.paper;
  options.given = given;
  options.ablations = raw.ablations;
  check_ablations(raw);
  recsys::ExperimentOptions& experiment = options.experiment;
  choose_figures(raw, given, experiment);
  choose_runs(raw, given, experiment);
  experiment.device = choose_device(raw.device, raw.jobs != 1, options.remarks);
  experiment.precision = choose_precision(raw.precision, experiment.device);
  static_cast<void>(StepGraph(Device::kCpu));  // refuses a TAPESTRY_GRAPHS that is wrong before a folder is made
  static_cast<void>(pool_is_exact());          // and a TAPESTRY_POOL
  choose_folders(raw, experiment);
  options.datasets = choose_datasets(raw, options.remarks);
  experiment.threads = raw.threads > 0 ? raw.threads : num_threads();
  const int all_runs = experiment.runs * static_cast<int>(options.datasets.size() * experiment.recommenders.size());
  experiment.jobs = raw.jobs > 0 ? raw.jobs : recsys::default_jobs(experiment.threads, all_runs);
  return options;
}

}  // namespace

std::optional<ReproduceOptions> parse_reproduce_options(int argc, char** argv) {
  RawOptions raw;
  const std::string from_environment = data_of_environment();
  raw.data = from_environment.empty() ? "data" : from_environment;
  CLI::App app(
      "Reproduces the SDRM paper's tables: trains MultiVAE++ and SDRM on real ratings, draws synthetic\n"
      "users, trains recommenders on them, and sets the results beside the printed figures.",
      "reproduce");
  declare_options(app, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& answer) {
    app.exit(answer);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    std::string text = error.what();
    std::replace(text.begin(), text.end(), '\n', ' ');
    fail(ErrorKind::kUsage, text, " (--help lists the options; several names are separated by commas)");
  }
  if (raw.doctor) {
    ReproduceOptions options;
    options.doctor = true;
    return options;
  }
  raw.data_given = !from_environment.empty() || app.count("--data") > 0;
  if (raw.paper) extend_to_paper(raw, app);
  return resolve(raw, {app.count("--runs") > 0, app.count("--protocol") > 0, app.count("--generators") > 0});
}

std::string list_text(const ReproduceOptions& options) {
  std::string text = "data sets (in " + options.data.string() + "):\n";
  for (const std::string& name : recsys::known_datasets()) {
    const char* state = name == "simulated" ? "built in" : recsys::dataset_available(options.data, name) ? "found" : "not found";
    text += "  " + name + std::string(24 - std::min<std::size_t>(22, name.size()), ' ') + state + "\n";
  }
  text += "recommenders: " + joined(recsys::known_recommenders()) + "\n";
  text += "generators:   " + joined(recsys::known_generators()) +
          "; not of the paper: " + joined(recsys::generators_beyond_all()) + "\n";
  text += "settings:     " + joined(recsys::known_settings()) + "\n";
  text += "deviations:   " + joined(recsys::known_deviations()) + "\n";
  text += "NeuMF keeps:  " + joined(recsys::neumf_selections()) + "\n";
  return text + "protocols:    published, strict\nvariants:     published, paper\n";
}

}  // namespace tapestry::apps
