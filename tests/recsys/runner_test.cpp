// recsys/experiment/runner.h: the same bytes however the work is cut up, selected, interrupted and resumed.
#include "recsys/experiment/runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "recsys/data/simulated.h"
#include "recsys/experiment/selection.h"
#include "tensor/error.h"
#include "tests/recsys/data_support.h"

namespace tapestry::recsys {
namespace {

namespace fs = std::filesystem;
using tests::read_file;
using tests::TempFolder;

constexpr const char* kResults[] = {"results.csv", "results.json", "table.md"};

Dataset tiny_dataset() {
  SimulationConfig config;
  config.users = 80;
  config.items = 60;
  return simulate_dataset(config);
}

Hyperparameters tiny_values(const std::string&, const std::string&) {
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

ExperimentOptions tiny_options(const fs::path& out) {
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

std::vector<Cell> run(const ExperimentOptions& options, std::unique_ptr<ProgressDisplay> display = std::make_unique<Saboteur>()) {
  Saboteur::begun().clear();
  Saboteur::warnings() = 0;
  Progress progress(std::move(display));
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0.5});
  return Experiment(std::move(datasets), options, progress).run();
}

std::vector<Comparison> compare(const ExperimentOptions& options) {
  Saboteur::begun().clear();
  Progress progress(std::make_unique<Saboteur>());
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0.5});
  Experiment experiment(std::move(datasets), options, progress);
  experiment.run();
  return experiment.comparisons();
}

std::string all_results(const fs::path& out) {
  std::string text;
  for (const char* file : kResults) text += read_file(out / file);
  return text;
}

/// The bytes of an undisturbed run, computed once.
const std::string& undisturbed() {
  static const std::string text = [] {
    const TempFolder folder;
    run(tiny_options(folder.path() / "out"));
    return all_results(folder.path() / "out");
  }();
  return text;
}

TEST(Runner, SameSeedSameBytes) {
  const TempFolder folder;
  run(tiny_options(folder.path()));
  EXPECT_TRUE(all_results(folder.path()) == undisturbed());
  EXPECT_GT(undisturbed().size(), 5000U);
}

TEST(Runner, AnotherSeedOtherBytes) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.seed = 2;
  run(options);
  EXPECT_FALSE(all_results(folder.path()) == undisturbed());
}

TEST(Runner, JobsAndThreadsDoNotShow) {
  for (const auto& [jobs, threads] : {std::pair(2, 2), std::pair(1, 2), std::pair(3, 1)}) {
    const TempFolder folder;
    ExperimentOptions options = tiny_options(folder.path());
    options.jobs = jobs;
    options.threads = threads;
    run(options);
    EXPECT_TRUE(all_results(folder.path()) == undisturbed()) << jobs << " jobs, " << threads << " threads";
  }
}

TEST(Runner, EachStageIsDoneOncePerRun) {
  const TempFolder folder;
  run(tiny_options(folder.path()));
  const std::map<std::string, int> expected = {{"vae_fit", 2},  {"sdrm_fit", 2},  {"sample_vae", 2},      {"sample_f", 2},
                                               {"sample_m", 2}, {"evaluate", 13}, {"recommender_fit", 13}};
  EXPECT_EQ(Saboteur::begun(), expected);
  run(tiny_options(folder.path()));  // all is there
  EXPECT_TRUE(Saboteur::begun().empty());
  EXPECT_TRUE(all_results(folder.path()) == undisturbed());
}

TEST(Runner, MultiVaeAloneNeedsNoScoreModel) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.generators = {"multivae++"};
  run(options);
  EXPECT_EQ(Saboteur::begun().count("sdrm_fit"), 0U);
  EXPECT_EQ(Saboteur::begun()["vae_fit"], 2);
}

/// Lines of results.csv by combination.
std::set<std::string> lines_of(const std::string& csv) {
  std::set<std::string> lines;
  std::istringstream in(csv);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

TEST(Runner, SelectingLessGivesTheSameFigures) {
  const TempFolder whole, part;
  run(tiny_options(whole.path()));
  ExperimentOptions options = tiny_options(part.path());
  options.generators = {"m-sdrm"};
  options.settings = {"replace"};
  run(options);
  const std::set<std::string> all = lines_of(read_file(whole.path() / "results.csv"));
  const std::set<std::string> some = lines_of(read_file(part.path() / "results.csv"));
  EXPECT_EQ(some.size(), 13U);  // header and twelve metrics
  for (const std::string& line : some) EXPECT_EQ(all.count(line), 1U) << line;
  // Asking for more later goes on from there.
  run(tiny_options(part.path()));
  EXPECT_EQ(Saboteur::begun().count("vae_fit"), 0U);
  EXPECT_EQ(Saboteur::begun()["sample_m"], 2);
  EXPECT_TRUE(all_results(part.path()) == undisturbed());
}

TEST(Runner, MoreRunsKeepTheFirstOnes) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.runs = 1;
  run(options);
  options.runs = 2;
  const std::vector<Cell> cells = run(options);
  EXPECT_EQ(Saboteur::begun()["vae_fit"], 1);
  EXPECT_TRUE(all_results(folder.path()) == undisturbed());
  for (const Cell& cell : cells) EXPECT_EQ(cell.runs.size(), cell.generator == kOriginal ? 1U : 2U);
}

TEST(Runner, ResumesAfterAFailureInAnyStage) {
  using Kind = ProgressEvent::Kind;
  const std::vector<std::pair<Kind, std::string>> places = {
      {Kind::kStageBegin, "recommender_fit"}, {Kind::kStageEnd, "evaluate"},   {Kind::kAdvance, "vae_fit"},
      {Kind::kStageEnd, "vae_fit"},           {Kind::kStageBegin, "sdrm_fit"}, {Kind::kAdvance, "sdrm_fit"},
      {Kind::kStageEnd, "sdrm_fit"},          {Kind::kAdvance, "sample_vae"},  {Kind::kAdvance, "sample_f"},
      {Kind::kStageEnd, "sample_f"},          {Kind::kAdvance, "sample_m"}};
  for (const auto& [kind, stage] : places) {
    const TempFolder folder;
    for (const int jobs : {1, 2}) {
      ExperimentOptions options = tiny_options(folder.path() / std::to_string(jobs));
      options.jobs = jobs;
      options.threads = 2;
      EXPECT_THROW(run(options, std::make_unique<Saboteur>(kind, stage)), std::runtime_error) << stage;
      for (const char* file : kResults) EXPECT_FALSE(fs::exists(options.out / file)) << stage;
      run(options);
      EXPECT_TRUE(all_results(options.out) == undisturbed()) << "interrupted in " << stage << ", " << jobs << " jobs";
    }
  }
}

TEST(Runner, AKilledSamplingDoesNotLoseTheFits) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.runs = 1;
  EXPECT_THROW(run(options, std::make_unique<Saboteur>(ProgressEvent::Kind::kStageBegin, "sample_f")), std::runtime_error);
  run(options);
  EXPECT_EQ(Saboteur::begun().count("vae_fit"), 0U);
  EXPECT_EQ(Saboteur::begun().count("sdrm_fit"), 0U);
}

TEST(Runner, DamagedModelsAreTrainedAgain) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  EXPECT_THROW(run(options, std::make_unique<Saboteur>(ProgressEvent::Kind::kStageBegin, "sample_f")), std::runtime_error);
  const fs::path model = folder.path() / "models" / "simulated" / "svd" / "run-1-vae.safetensors";
  fs::resize_file(model, fs::file_size(model) - 5);
  run(options);
  EXPECT_EQ(Saboteur::warnings(), 1);
  EXPECT_TRUE(all_results(folder.path()) == undisturbed());
}

Hyperparameters tiny_recommenders(const std::string& dataset, const std::string& recommender) {
  Hyperparameters values = tiny_values(dataset, recommender);
  if (recommender == "mlp") values.mlp = MlpConfig{.width = 2, .first = 8, .hidden = 8, .max_epochs = 2};
  if (recommender == "neumf") values.neumf = NeuMfConfig{.max_epochs = 2};
  return values;
}

TEST(Runner, MlpAndNeuMfAreTheSameForAnyNumberOfJobs) {
  for (const ProtocolName protocol : {ProtocolName::kPublished, ProtocolName::kStrict}) {
    const TempFolder folder, again;
    ExperimentOptions options = tiny_options(folder.path());
    options.recommenders = {"mlp", "neumf"};
    options.generators = {"original", "multivae++"};
    options.hyperparameters = tiny_recommenders;
    options.protocol = protocol;
    const std::vector<Cell> cells = run(options);
    options.out = again.path();
    options.jobs = options.threads = 2;
    run(options);
    EXPECT_TRUE(all_results(folder.path()) == all_results(again.path()));
    const bool published = protocol == ProtocolName::kPublished;
    ASSERT_EQ(cells.size(), 2U * 2 * (12 + (published ? 18 : 12))) << "NeuMF's NDCG in both forms where one was printed";
    std::map<std::string, double> means;
    for (const Cell& cell : cells) {
      for (const double value : cell.runs) ASSERT_TRUE(value >= 0 && value <= 1) << cell.metric;
      means[cell.recommender + " " + cell.generator + " " + cell.metric] = cell.runs.front();
    }
    if (published) {
      EXPECT_LE(means.at("neumf original NDCG-k@50"), means.at("neumf original NDCG@50"));
    }
    const std::string config = read_file(folder.path() / "config.json");
    EXPECT_NE(config.find("\"selection\": \"best-recall\""), std::string::npos) << config;
    options.neumf_selection = NeuMfSelection::kBestLoss;  // another experiment
    EXPECT_THROW(run(options), Error);
  }
}

TEST(Runner, AModelThatDivergesEndsItsUnitsAndTheRestGoesOn) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.hyperparameters = [](const std::string& dataset, const std::string& recommender) {
    Hyperparameters values = tiny_values(dataset, recommender);
    values.vae.learning_rate = 1e35;
    return values;
  };
  options.generators = {kOriginal, "multivae", "multivae++"};
  options.quick = true;
  const auto check_cells = [](const std::vector<Cell>& cells) {
    for (const Cell& cell : cells) {
      for (const double value : cell.runs) EXPECT_EQ(std::isnan(value), cell.generator == "multivae++") << cell.generator;
    }
  };
  check_cells(run(options));
  EXPECT_EQ(Saboteur::warnings(), 4) << "two runs in two settings";
  const std::string results = all_results(folder.path());
  const auto json = nlohmann::json::parse(read_file(folder.path() / "results.json"));
  ASSERT_EQ(json["failures"].size(), 4U);
  EXPECT_EQ(json["failures"][0]["unit"], "simulated_svd_augment_multivae++_run-1");
  EXPECT_NE(json["failures"][0]["reason"].get<std::string>().find("diverged in epoch 0"), std::string::npos);
  EXPECT_NE(read_file(folder.path() / "table.md").find("## What failed"), std::string::npos);
  EXPECT_NE(read_file(folder.path() / "report.html").find("diverged in epoch 0"), std::string::npos);
  check_cells(run(options));
  EXPECT_TRUE(Saboteur::begun().empty()) << "a unit that failed is finished: the same would come out again";
  EXPECT_TRUE(all_results(folder.path()) == results);
}

TEST(Runner, EveryGeneratorGivesFigures) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.generators = known_generators();
  options.runs = 1;
  options.quick = true;
  const std::vector<Cell> cells = run(options);
  EXPECT_EQ(cells.size(), known_generators().size() * 2 * 12);
  for (const Cell& cell : cells) EXPECT_FALSE(std::isnan(cell.runs.front())) << cell.generator << " " << cell.metric;
  // The generators of the comparison are the same for every recommender: fitted once.
  options.recommenders = {"svd", "mlp"};
  options.settings = {"augment"};
  run(options);
  for (const char* stage : {"multivae_fit", "codigem_fit", "diffrec_fit", "ctgan_fit", "tvae_fit"}) {
    EXPECT_EQ(Saboteur::begun().count(stage), 0U) << stage;
  }
  EXPECT_EQ(Saboteur::begun().count("vae_fit"), 1U) << "MultiVAE++ has hyperparameters of its own for each";
}

TEST(Runner, InterruptedIsReported) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  std::atomic<int> asked = 0;
  options.interrupted = [&] { return ++asked > 12; };
  EXPECT_THROW(run(options), Interrupted);
  options.interrupted = {};
  run(options);
  EXPECT_TRUE(all_results(folder.path()) == undisturbed());
}

TEST(Runner, StrictHasIntervalsOverUsers) {
  const TempFolder folder, again;
  ExperimentOptions options = tiny_options(folder.path());
  options.protocol = ProtocolName::kStrict;
  options.generators = {"original", "m-sdrm"};
  const std::vector<Cell> cells = run(options);
  options.out = again.path();
  options.jobs = 2;
  run(options);
  EXPECT_TRUE(all_results(folder.path()) == all_results(again.path()));
  ASSERT_EQ(cells.size(), 2U * 2 * 12);
  for (const Cell& cell : cells) {
    ASSERT_TRUE(cell.interval.has_value());
    EXPECT_LE(cell.interval->low, cell.interval->high);
  }
}

/// The value per user that a finished unit keeps.
std::vector<double> users_of(const fs::path& folder, const std::string& unit, std::size_t metric) {
  const auto json = nlohmann::json::parse(read_file(folder / "units" / (unit + ".json")));
  return json.at("users").at(metric).get<std::vector<double>>();
}

TEST(Runner, StrictComparesUserByUser) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.protocol = ProtocolName::kStrict;
  const std::vector<Comparison> comparisons = compare(options);
  ASSERT_EQ(comparisons.size(), 2U * 5 * 12) << "three generators against none, two against multivae++";
  const Comparison& one = comparisons[3 * 12 + 3];  // augment: multivae++, f-sdrm twice, m-sdrm against original
  EXPECT_EQ(one.setting + " " + one.generator + " " + one.baseline + " " + one.metric, "augment m-sdrm original Recall@10");
  const std::vector<double> first = users_of(folder.path(), "simulated_svd_augment_m-sdrm_run-1", 3);
  const std::vector<double> second = users_of(folder.path(), "simulated_svd_augment_m-sdrm_run-2", 3);
  const std::vector<double> original = users_of(folder.path(), "simulated_svd_augment_original_run-1", 3);
  double difference = 0;
  for (std::size_t user = 0; user < first.size(); ++user) difference += (first[user] + second[user]) / 2 - original[user];
  EXPECT_NEAR(one.test.difference, difference / static_cast<double>(first.size()), 1e-12);
  EXPECT_EQ(one.test.users, static_cast<std::int64_t>(first.size()));
  EXPECT_LE(one.interval.low, one.test.difference);
  EXPECT_GE(one.interval.high, one.test.difference);
  EXPECT_NE(read_file(folder.path() / "table.md").find("## Compared user by user"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(read_file(folder.path() / "results.json")).at("comparisons").size(), comparisons.size());

  const TempFolder published;
  EXPECT_TRUE(compare(tiny_options(published.path())).empty()) << "its users were chosen on";
  EXPECT_EQ(read_file(published.path() / "table.md").find("Compared"), std::string::npos);
}

TEST(Runner, FoldsReportEveryUserOnceAndGiveOneIntervalOverAll) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.protocol = ProtocolName::kStrict;
  options.folds = 2;
  const std::vector<Comparison> comparisons = compare(options);
  for (const Comparison& one : comparisons) EXPECT_EQ(one.test.users, 80);
  EXPECT_EQ(Saboteur::begun()["vae_fit"], 2);
  const std::string csv = read_file(folder.path() / "results.csv");
  EXPECT_NE(csv.find("simulated,svd,augment,original,Recall@10,2,"), std::string::npos) << "one run of the original per fold";
  EXPECT_NE(read_file(folder.path() / "table.md").find("strict, 2 folds"), std::string::npos);

  options.folds = 0;  // another experiment: not in this folder
  EXPECT_THROW(run(options), Error);
  options.folds = 3;  // two runs cannot visit three folds
  EXPECT_THROW(run(options), Error);
}

TEST(Runner, QuickIsMarkedEverywhere) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.generators = {"original"};
  options.quick = true;
  run(options);
  for (const char* file : {"results.json", "table.md", "manifest.json", "config.json"}) {
    EXPECT_NE(read_file(folder.path() / file).find("quick"), std::string::npos) << file;
  }
}

TEST(Runner, ManifestSumsStagesOverSessions) {
  const TempFolder folder;
  EXPECT_THROW(run(tiny_options(folder.path()), std::make_unique<Saboteur>(ProgressEvent::Kind::kStageBegin, "sample_f")),
               std::runtime_error);
  run(tiny_options(folder.path()));
  const std::string manifest = read_file(folder.path() / "manifest.json");
  EXPECT_NE(manifest.find("\"load\": 1.0"), std::string::npos) << manifest;  // two starts of 0.5 s
  for (const char* stage : {"vae_fit", "sdrm_fit", "sample_f", "sample_m", "sample_vae", "recommender_fit", "evaluate"}) {
    const std::size_t at = manifest.find("\"" + std::string(stage) + "\": ");
    ASSERT_NE(at, std::string::npos) << stage;
    EXPECT_GT(std::stod(manifest.substr(at + std::string(stage).size() + 4)), 0) << stage;
  }
}

}  // namespace
}  // namespace tapestry::recsys
