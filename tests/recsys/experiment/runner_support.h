#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "recsys/data/simulated.h"
#include "recsys/experiment/runner.h"
#include "recsys/experiment/selection.h"
#include "tests/recsys/data/data_support.h"

/// A small experiment that the runner's tests start, disturb and start again.
namespace tapestry::recsys {

namespace fs = std::filesystem;
using tests::read_file;
using tests::TempFolder;

inline constexpr const char* kResults[] = {"results.csv",    "results.json", "table.md",
                                           "similarity.csv", "shapes.csv",   "improvements.csv"};

inline Dataset tiny_dataset() {
  SimulationConfig config;
  config.users = 80;
  config.items = 60;
  return simulate_dataset(config);
}

inline std::vector<LoadedDataset> tiny_data() {
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0.5});
  return datasets;
}

inline Hyperparameters tiny_values(const std::string&, const std::string&) {
  Hyperparameters values;
  values.vae.hidden = 12;
  values.vae.latent = 6;
  values.vae.batch = 20;
  values.vae.max_epochs = 3;
  values.score.timesteps = 4;
  values.score.batch = 30;
  values.score.epochs = 3;
  return values;
}

inline ExperimentOptions tiny_options(const fs::path& out) {
  ExperimentOptions options;
  options.recommenders = {"svd"};
  options.generators = {kOriginal, "multivae++", "f-sdrm", "m-sdrm"};
  options.settings = known_settings();
  options.runs = 2;
  options.out = out;
  options.versions = {{"tapestry", "test"}};
  options.hyperparameters = tiny_values;
  return options;
}

/// Throws at the `nth` event of one kind and stage.
class Saboteur : public ProgressDisplay {
 public:
  Saboteur() = default;
  Saboteur(ProgressEvent::Kind kind, std::string stage) : kind_(kind), stage_(std::move(stage)) {}
  void show(const ProgressEvent& event) override {
    if (!stage_.empty() && event.kind == kind_ && event.label.stage == stage_) throw std::runtime_error("sabotage");
    if (event.kind == ProgressEvent::Kind::kStageBegin) begun()[event.label.stage]++;
    if (event.kind == ProgressEvent::Kind::kWarning) warnings()++;
  }
  static std::map<std::string, int>& begun() {
    static std::map<std::string, int> counts;
    return counts;
  }
  static int& warnings() {
    static int count;
    return count;
  }

 private:
  ProgressEvent::Kind kind_ = ProgressEvent::Kind::kAdvance;
  std::string stage_;
};

inline std::vector<Cell> run(const ExperimentOptions& options,
                             std::unique_ptr<ProgressDisplay> display = std::make_unique<Saboteur>()) {
  Saboteur::begun().clear();
  Saboteur::warnings() = 0;
  Progress progress(std::move(display));
  return Experiment(tiny_data(), options, progress).run();
}

/// What an experiment's constructor takes over from other folders, and nothing more.
inline std::vector<Reused> take(const ExperimentOptions& options,
                                std::unique_ptr<ProgressDisplay> display = std::make_unique<Saboteur>()) {
  Saboteur::warnings() = 0;
  Progress progress(std::move(display));
  return Experiment(tiny_data(), options, progress).reused();
}

inline std::vector<Comparison> compare(const ExperimentOptions& options) {
  Saboteur::begun().clear();
  Progress progress(std::make_unique<Saboteur>());
  Experiment experiment(tiny_data(), options, progress);
  experiment.run();
  return experiment.comparisons();
}

inline std::string all_results(const fs::path& out) {
  std::string text;
  for (const char* file : kResults) text += read_file(out / file);
  return text;
}

/// The bytes of an undisturbed run, computed once in a process: ctest, which starts one for each test, has it computed again.
inline const std::string& undisturbed() {
  static const std::string text = [] {
    const TempFolder folder;
    run(tiny_options(folder.path() / "out"));
    return all_results(folder.path() / "out");
  }();
  return text;
}

}  // namespace tapestry::recsys
