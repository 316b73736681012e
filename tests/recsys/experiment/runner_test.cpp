// recsys/experiment/runner.h: the same bytes however the work is cut up, selected, interrupted and resumed.
#include "tests/recsys/experiment/runner_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "recsys/metrics/ranking.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

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

const std::map<std::string, int> kReportAlone = {{"report", 1}};

TEST(Runner, EachStageIsDoneOncePerRun) {
  const TempFolder folder;
  run(tiny_options(folder.path()));
  const std::map<std::string, int> expected = {{"vae_fit", 2},   {"sdrm_fit", 2},         {"sample_vae", 2},
                                               {"sample_f", 2},  {"sample_m", 2},         {"similarity", 6},
                                               {"evaluate", 13}, {"recommender_fit", 13}, {"report", 1}};
  EXPECT_EQ(Saboteur::begun(), expected);
  run(tiny_options(folder.path()));  // all is there
  EXPECT_EQ(Saboteur::begun(), kReportAlone);
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
  EXPECT_EQ(some.size(), 1 + measure_names(false).size());  // behind the header
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
    ASSERT_EQ(cells.size(), 2U * 2 * (measure_names(false).size() + measure_names(published).size()))
        << "NeuMF's NDCG in both forms where one was printed";
    std::map<std::string, double> means;
    for (const Cell& cell : cells) {
      const double largest = cell.metric == "Novelty@10" ? 64 : 1;  // bits
      for (const double value : cell.runs) ASSERT_TRUE(value >= 0 && value <= largest) << cell.metric;
      means[cell.recommender + " " + cell.generator + " " + cell.metric] = cell.runs.front();
      EXPECT_FALSE(published && cell.interval) << "a fit of these is random, whoever is fitted: " << cell.metric;
    }
    if (published) {
      EXPECT_LE(means.at("neumf original NDCG-k@50"), means.at("neumf original NDCG@50"));
    }
    const std::string config = read_file(folder.path() / "config.json");
    const std::string selection = published ? "first-epoch" : "best-recall";
    EXPECT_NE(config.find("\"selection\": \"" + selection + "\""), std::string::npos) << config;
    options.neumf_selection = NeuMfSelection::kBestLoss;  // another experiment
    EXPECT_THROW(run(options), Error);
  }
}

TEST(Runner, ADamagedModelThatJobsShareIsFittedOnce) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.recommenders = {"svd", "neumf"};
  options.generators = {"codigem"};
  options.runs = 1;
  options.quick = true;
  options.hyperparameters = tiny_recommenders;
  options.jobs = options.threads = 2;
  run(options);
  const auto results = all_results(folder.path());
  tapestry::tests::flip_a_bit(folder.path() / "models/simulated/all/run-1-codigem.safetensors");
  fs::remove_all(folder.path() / "units");
  run(options);
  EXPECT_EQ(Saboteur::begun()["codigem_fit"], 1) << "the other job waits until it is whole again";
  EXPECT_EQ(Saboteur::warnings(), 1);
  EXPECT_TRUE(all_results(folder.path()) == results);
}

TEST(Runner, KeepsHowRecommendersWereTrained) {
  const TempFolder folder, again;
  ExperimentOptions options = tiny_options(folder.path());
  options.recommenders = {"svd", "mlp", "neumf"};
  options.generators = {"original", "multivae++"};
  options.hyperparameters = tiny_recommenders;
  run(options);
  options.out = again.path();
  options.jobs = options.threads = 2;
  run(options);
  const fs::path mlp = folder.path() / "history" / "simulated" / "mlp", neumf = mlp.parent_path() / "neumf";
  for (const std::string users : {"original", "multivae++-augment", "multivae++-replace"}) {
    for (const std::string run : {"1", "2"}) {
      const fs::path of_mlp = mlp / ("run-" + run + "-" + users + "-recommender_fit.csv");
      const fs::path of_neumf = neumf / of_mlp.filename();
      EXPECT_TRUE(read_file(of_mlp).starts_with("epoch,loss,RMSE\n1,")) << of_mlp;
      const std::string judged_by = users == "original" ? "validation loss" : "Recall@10";  // the rules of the printed columns
      EXPECT_TRUE(read_file(of_neumf).starts_with("epoch,loss," + judged_by + "\n1,")) << of_neumf;
      for (const fs::path& file : {of_mlp, of_neumf}) {
        EXPECT_EQ(read_file(file), read_file(again.path() / fs::relative(file, folder.path()))) << file;
      }
    }
  }
  for (const auto& entry : fs::directory_iterator(folder.path() / "history" / "simulated" / "svd")) {
    EXPECT_EQ(entry.path().string().find("recommender_fit"), std::string::npos) << "SVD has no epochs: " << entry.path();
  }
  const std::string report = read_file(folder.path() / "report.md");
  const std::size_t section = report.find("## Training of the recommenders");
  ASSERT_NE(section, std::string::npos);
  EXPECT_NE(report.find("| MultiVAE++ | replace | 2 |", section), std::string::npos) << report.substr(section, 2000);
  EXPECT_EQ(report.find("recommender_fit |", report.find("## Training\n")), report.find("recommender_fit |", section))
      << "not among the generators' trainings";

  // Only what is asked for is shown, though the folder has more.
  options.out = folder.path();
  options.settings = {"augment"};
  run(options);
  const std::string less = read_file(folder.path() / "report.md");
  EXPECT_EQ(less.find("| MultiVAE++ | replace |", less.find("## Training of the recommenders")), std::string::npos);
}

// The printed columns come from several rules: each unit follows the one of its own column.
TEST(Runner, NeuMfFollowsTheRuleOfEachColumn) {
  const auto recalls = [](std::optional<NeuMfSelection> selection) {
    const TempFolder folder;
    ExperimentOptions options = tiny_options(folder.path());
    options.recommenders = {"neumf"};
    options.generators = {kOriginal, "multivae++"};
    options.hyperparameters = [](const std::string& dataset, const std::string& recommender) {
      Hyperparameters values = tiny_values(dataset, recommender);
      values.neumf = NeuMfConfig{.batch = 32, .max_epochs = 12};
      return values;
    };
    options.runs = 1;
    options.neumf_selection = selection;
    Progress progress(std::make_unique<Saboteur>());
    std::vector<LoadedDataset> datasets;
    datasets.push_back({tiny_dataset(), 0.5});
    datasets.front().data.name = "amazon-luxury-beauty";
    std::map<std::string, std::vector<double>> values;
    for (const Cell& cell : Experiment(std::move(datasets), options, progress).run()) {
      if (is_ranking_metric(cell.metric)) values[cell.setting + " " + cell.generator].push_back(cell.runs.front());
    }
    return values;
  };
  auto usual = recalls({}), first = recalls(NeuMfSelection::kFirstEpoch), best = recalls(NeuMfSelection::kBestRecallNoDislikes);
  for (const std::string setting : {"augment", "replace"}) {
    ASSERT_NE(first[setting + " multivae++"], best[setting + " multivae++"]);
    EXPECT_EQ(usual[setting + " multivae++"], best[setting + " multivae++"]);
    EXPECT_EQ(usual[setting + " original"], first[setting + " original"]);
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
  EXPECT_NE(json["failures"][0]["reason"].get<std::string>().find("diverged in epoch 1"), std::string::npos);
  EXPECT_NE(read_file(folder.path() / "table.md").find("## What failed"), std::string::npos);
  EXPECT_NE(read_file(folder.path() / "report.html").find("diverged in epoch 1"), std::string::npos);
  check_cells(run(options));
  EXPECT_EQ(Saboteur::begun(), kReportAlone) << "a unit that failed is finished: the same would come out again";
  EXPECT_TRUE(all_results(folder.path()) == results);

  const TempFolder strict;
  options.out = strict.path();
  options.protocol = ProtocolName::kStrict;
  options.folds = 2;
  for (const Cell& cell : run(options)) {
    if (cell.generator == "multivae++") {
      EXPECT_FALSE(cell.interval || cell.mean) << "of what failed there is none: " << cell.metric;
    }
    EXPECT_EQ(cell.failed, cell.generator == "multivae++") << cell.metric;
  }
  const std::vector<Comparison> compared = compare(options);
  EXPECT_EQ(compared.size(), 2U * 16) << "multivae with none, in both settings and all metrics of users";
  for (const Comparison& one : compared) EXPECT_EQ(one.generator, "multivae") << "with what failed nothing is compared";
}

TEST(Runner, EveryGeneratorGivesFigures) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.generators = known_generators();
  options.runs = 1;
  options.quick = true;
  const std::vector<Cell> cells = run(options);
  EXPECT_EQ(cells.size(), known_generators().size() * 2 * measure_names(false).size());
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

TEST(Runner, GeneratorsOfOneModelFitItOnceAndHaveFiguresOfTheirOwn) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.recommenders = {"svd", "neumf"};
  options.generators = {"tvae", "tvae-sample", "tvae-threshold"};
  options.runs = 1;
  options.quick = true;
  options.jobs = 2;
  const std::vector<Cell> cells = run(options);
  for (const Cell& cell : cells) EXPECT_FALSE(std::isnan(cell.runs.front())) << cell.generator << " " << cell.metric;
  EXPECT_EQ(Saboteur::begun().at("tvae_fit"), 1) << "for two recommenders and three generators";
  EXPECT_EQ(Saboteur::begun().at("sample_tvae-threshold"), 2);
  const std::string table = read_file(folder.path() / "table.md");
  EXPECT_NE(table.find("| tvae-threshold |"), std::string::npos) << "beside nothing printed";
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
  // Nothing is left but the report, which under strict takes its time.
  options.interrupted = [] { return true; };
  EXPECT_THROW(run(options), Interrupted);
}

}  // namespace
}  // namespace tapestry::recsys
