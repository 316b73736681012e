// Experiments that are broken off in the midst of a fit and go on from there.
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "recsys/experiment/plan.h"
#include "recsys/experiment/stage_names.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

/// Ends the run when a stage has told of its nth new epoch, and remembers the fits that went on.
class Breaking : public ProgressDisplay {
 public:
  /// `pause`: seconds that each of these epochs lets pass.
  Breaking(std::string stage, int after, double pause = 0) : stage_(std::move(stage)), left_(after), pause_(pause) {}
  void show(const ProgressEvent& event) override {
    if (event.kind != ProgressEvent::Kind::kAdvance) return;
    if (event.progress.earlier) resumed()[event.label.stage] = *event.progress.epoch + 1;
    if (event.label.stage != stage_ || !event.progress.loss) return;
    if (--left_ == 0) throw std::runtime_error("broken off");
    std::this_thread::sleep_for(std::chrono::duration<double>(pause_));
  }
  /// Epochs that were taken up, by stage.
  static std::map<std::string, std::int64_t>& resumed() {
    static std::map<std::string, std::int64_t> epochs;
    return epochs;
  }

 private:
  std::string stage_;
  int left_;
  double pause_;
};

Hyperparameters values_with_mlp(const std::string& dataset, const std::string& recommender) {
  Hyperparameters values = tiny_values(dataset, recommender);
  values.mlp = MlpConfig{.width = 2, .first = 8, .hidden = 6, .max_epochs = 4};
  values.neumf = NeuMfConfig{.max_epochs = 4};
  return values;
}

ExperimentOptions options_with(const std::string& recommender, const fs::path& out) {
  ExperimentOptions options = tiny_options(out);
  options.recommenders = {recommender};
  options.generators = {kOriginal, "multivae++", "m-sdrm"};
  options.runs = 1;
  options.hyperparameters = values_with_mlp;
  options.neumf_selection = NeuMfSelection::kBestLoss;
  options.checkpoint_every = 0;
  return options;
}

/// All files of a folder whose bytes are the same every time.
std::map<std::string, std::string> lasting_files(const fs::path& out) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(out)) {
    const std::string name = entry.path().lexically_relative(out).string();
    const bool with_times =
        name == "stages.jsonl" || name == "starts.jsonl" || name == "manifest.json" || name.starts_with("report.");
    if (entry.is_regular_file() && !with_times) files[name] = read_file(entry.path());
  }
  return files;
}

TEST(ExperimentCheckpoint, GoesOnInTheMidstOfEveryFit) {
  const TempFolder folder;
  for (const std::string recommender : {"mlp", "neumf"}) {
    const fs::path whole = folder.path() / (recommender + "-whole");
    run(options_with(recommender, whole));
    for (const char* stage : {kRecommenderFit, "vae_fit", "sdrm_fit"}) {
      const fs::path out = folder.path() / (recommender + "-" + stage);
      const ExperimentOptions options = options_with(recommender, out);
      EXPECT_THROW(run(options, std::make_unique<Breaking>(stage, 2)), std::runtime_error);
      EXPECT_FALSE(fs::is_empty(out / "unfinished"));
      const WorkPlan plan = make_plan(tiny_data(), options);
      EXPECT_EQ(plan.begun, 1);
      EXPECT_NE(plan_text(plan, options).find("1 fit was broken off and goes on"), std::string::npos);
      ExperimentOptions others = options;
      others.only = {"*_run-9"};
      EXPECT_EQ(make_plan(tiny_data(), others).begun, 0) << "of what is not asked for";
      Breaking::resumed().clear();
      run(options, std::make_unique<Breaking>("", 0));
      EXPECT_EQ(Breaking::resumed(), (std::map<std::string, std::int64_t>{{stage, 2}}));
      EXPECT_FALSE(fs::exists(out / "unfinished"));
      EXPECT_EQ(make_plan(tiny_data(), options).begun, 0);
      EXPECT_TRUE(lasting_files(out) == lasting_files(whole)) << recommender << " broken off in " << stage;
    }
  }
}

TEST(ExperimentCheckpoint, NeverMeansNever) {
  const TempFolder folder;
  ExperimentOptions options = options_with("mlp", folder.path());
  options.checkpoint_every = std::numeric_limits<double>::infinity();
  EXPECT_THROW(run(options, std::make_unique<Breaking>(kRecommenderFit, 3)), std::runtime_error);
  EXPECT_FALSE(fs::exists(folder.path() / "unfinished"));
}

/// Half of it would have other last bits.
TEST(ExperimentCheckpoint, OneOfAnotherGpuIsNotTakenUp) {
  const TempFolder folder;
  for (const char* what : {"gpu", "driver", "CUDA runtime"}) {
    ExperimentOptions options = options_with("mlp", folder.path() / what);
    EXPECT_THROW(run(options, std::make_unique<Breaking>(kRecommenderFit, 2)), std::runtime_error);
    options.versions[what] = "another one";
    Breaking::resumed().clear();
    EXPECT_THROW(run(options, std::make_unique<Breaking>(kRecommenderFit, 3)), std::runtime_error);
    EXPECT_TRUE(Breaking::resumed().empty()) << what;
    EXPECT_THROW(run(options, std::make_unique<Breaking>(kRecommenderFit, 1)), std::runtime_error);
    EXPECT_FALSE(Breaking::resumed().empty()) << what << ": on the same one it goes on";
  }
}

TEST(ExperimentCheckpoint, OneOfAnotherConfigurationIsNotTakenUp) {
  const TempFolder folder;
  const ExperimentOptions options = options_with("mlp", folder.path() / "out");
  EXPECT_THROW(run(options, std::make_unique<Breaking>(kRecommenderFit, 2)), std::runtime_error);
  ExperimentOptions other = options_with("mlp", folder.path() / "other");
  other.seed = 2;
  EXPECT_THROW(run(other, std::make_unique<Breaking>(kRecommenderFit, 2)), std::runtime_error);
  fs::copy(folder.path() / "other" / "unfinished", folder.path() / "out" / "unfinished",
           fs::copy_options::overwrite_existing | fs::copy_options::recursive);
  run(options);
  EXPECT_EQ(Saboteur::warnings(), 1);
  const fs::path whole = folder.path() / "whole";
  run(options_with("mlp", whole));
  EXPECT_TRUE(lasting_files(options.out) == lasting_files(whole));
}

TEST(ExperimentCheckpoint, WhatAStartLeftBehindIsCleared) {
  const TempFolder folder;
  ExperimentOptions options = options_with("mlp", folder.path());
  run(options);
  const fs::path unfinished = folder.path() / "unfinished";
  const std::string finished = "simulated_mlp_augment_original_run-1", other = "simulated_mlp_augment_original_run-2";
  fs::create_directories(unfinished);
  for (const std::string& name : {finished + ".safetensors", other + ".safetensors", other + ".safetensors.tmp"}) {
    std::ofstream(unfinished / name) << "x";
  }
  run(options);
  EXPECT_TRUE(fs::exists(unfinished / (other + ".safetensors"))) << "of a unit that is not finished";
  fs::remove(unfinished / (other + ".safetensors"));
  EXPECT_TRUE(fs::is_empty(unfinished));
  run(options);
  EXPECT_FALSE(fs::exists(unfinished));
}

TEST(ExperimentCheckpoint, AUnitThatIsDamagedIsGoneOnWithToo) {
  const TempFolder folder;
  const ExperimentOptions options = options_with("mlp", folder.path());
  EXPECT_THROW(run(options, std::make_unique<Breaking>(kRecommenderFit, 2)), std::runtime_error);
  std::ofstream(folder.path() / "units" / "simulated_mlp_augment_original_run-1.json") << "{}";
  Breaking::resumed().clear();
  run(options, std::make_unique<Breaking>("", 0));
  EXPECT_EQ(Breaking::resumed(), (std::map<std::string, std::int64_t>{{kRecommenderFit, 2}}));
}

TEST(ExperimentCheckpoint, StagesLastAsLongAsAllTheirStarts) {
  const TempFolder folder;
  const ExperimentOptions options = options_with("mlp", folder.path());
  EXPECT_THROW(run(options, std::make_unique<Breaking>(kRecommenderFit, 2, 1.5)), std::runtime_error);
  run(options);
  std::istringstream lines(read_file(folder.path() / "stages.jsonl"));
  double first = 0;
  for (std::string line; first == 0 && std::getline(lines, line);) {
    if (line.empty()) continue;
    const auto stage = nlohmann::json::parse(line);
    if (stage["stage"] == kRecommenderFit) first = stage["seconds"].get<double>();
  }
  EXPECT_GT(first, 1.5) << "which the first of its starts spent between two epochs";
}

}  // namespace
}  // namespace tapestry::recsys
