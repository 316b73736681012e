// recsys/experiment/runner.h: what an experiment reports under each protocol, and how it is marked.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "recsys/experiment/fit_data.h"
#include "recsys/metrics/ranking.h"
#include "recsys/metrics/users_and_fits.h"
#include "recsys/recommenders/svd.h"
#include "tensor/error.h"
#include "tensor/random.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

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
  ASSERT_EQ(cells.size(), 2U * 2 * measure_names(false).size());
  for (const Cell& cell : cells) {
    const bool of_all_users = cell.metric == "Coverage@10" || cell.metric == "Gini@10";
    ASSERT_EQ(cell.interval.has_value(), !of_all_users) << cell.metric;
    if (of_all_users) continue;
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
  constexpr std::size_t kPerUser = 16;  // all measures but coverage and Gini
  ASSERT_EQ(comparisons.size(), 2U * 5 * kPerUser) << "three generators against none, two against multivae++";
  const Comparison& one = comparisons[3 * kPerUser + 3];  // augment: multivae++, f-sdrm twice, m-sdrm against original
  EXPECT_EQ(one.setting + " " + one.generator + " " + one.baseline + " " + one.metric, "augment m-sdrm original Recall@10");
  const std::vector<double> first = users_of(folder.path(), "simulated_svd_augment_m-sdrm_run-1", 3);
  const std::vector<double> second = users_of(folder.path(), "simulated_svd_augment_m-sdrm_run-2", 3);
  const std::vector<double> original = users_of(folder.path(), "simulated_svd_augment_original_run-1", 3);
  double difference = 0;
  for (std::size_t user = 0; user < first.size(); ++user) difference += (first[user] + second[user]) / 2 - original[user];
  EXPECT_NEAR(one.test.mean, difference / static_cast<double>(first.size()), 1e-12);
  EXPECT_EQ(one.test.users, static_cast<std::int64_t>(first.size()));
  std::vector<std::vector<double>> by_run = {first, second};
  for (std::vector<double>& run : by_run) {
    for (std::size_t user = 0; user < run.size(); ++user) run[user] -= original[user];
  }
  const UserValues values = {by_run, 0};
  const Interval over_users_and_runs = bootstrap_interval(values, {.seed = derive_seed(options.seed, 1'000'001)});
  EXPECT_EQ(one.interval.low, over_users_and_runs.low) << "the original's one run stands for both";
  EXPECT_EQ(one.interval.high, over_users_and_runs.high);
  EXPECT_EQ(one.test.p_two_sided, mean_test(values).p_two_sided);
  EXPECT_EQ(one.test.fits, 2);
  EXPECT_LE(one.interval.low, one.test.mean);
  EXPECT_GE(one.interval.high, one.test.mean);
  EXPECT_NE(read_file(folder.path() / "table.md").find("## Compared user by user"), std::string::npos);
  for (const char* file : {"table.md", "report.md", "report.html"}) {
    EXPECT_NE(read_file(folder.path() / file).find("Does SDRM beat MultiVAE++?"), std::string::npos) << file;
  }
  for (const Comparison& each : comparisons) {
    EXPECT_EQ(std::isnan(each.p_holm), !is_primary_metric(each.metric)) << each.metric;
    EXPECT_FALSE(each.p_holm < each.test.p_two_sided) << "a correction makes no p smaller";
  }
  EXPECT_EQ(family_size(comparisons), 2 * 5 * 2);
  const std::string lines = read_file(folder.path() / "comparisons.csv");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), static_cast<std::ptrdiff_t>(comparisons.size()) + 1);
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
  ASSERT_EQ(comparisons.size(), 2U * 5 * 16);
  for (const Comparison& one : comparisons) {
    if (is_ranking_metric(one.metric)) {
      EXPECT_EQ(one.test.users, 80) << one.metric;
    }
    EXPECT_EQ(one.test.degrees, 1) << "users of a fold share a fit: two folds, not 80 users";
    // Of the other half seven in nine train.
    EXPECT_DOUBLE_EQ(one.overlap.value().standard_error, one.test.standard_error * std::sqrt(1 + 2 * 9.0 / 7)) << one.metric;
  }
  const Comparison& one = comparisons[3 * 16 + 3];
  EXPECT_EQ(one.setting + " " + one.generator + " " + one.baseline + " " + one.metric, "augment m-sdrm original Recall@10");
  UserValues values = {{}, 2};
  for (const std::string run : {"1", "2"}) {
    const std::vector<double> ours = users_of(folder.path(), "simulated_svd_augment_m-sdrm_run-" + run, 3);
    const std::vector<double> theirs = users_of(folder.path(), "simulated_svd_augment_original_run-" + run, 3);
    std::vector<double>& fit = values.fits.emplace_back();
    for (std::size_t user = 0; user < ours.size(); ++user) fit.push_back(ours[user] - theirs[user]);
  }
  const Interval over_folds = bootstrap_interval(values, {.seed = derive_seed(options.seed, 1'000'001)});
  EXPECT_EQ(one.interval.low, over_folds.low);
  EXPECT_EQ(one.interval.high, over_folds.high);
  EXPECT_EQ(one.test.standard_error, mean_test(values).standard_error);
  EXPECT_EQ(Saboteur::begun()["vae_fit"], 2);
  const std::string csv = read_file(folder.path() / "results.csv");
  EXPECT_NE(csv.find("simulated,svd,augment,original,Recall@10,2,"), std::string::npos) << "one run of the original per fold";
  EXPECT_NE(read_file(folder.path() / "table.md").find("strict, 2 folds"), std::string::npos);

  options.folds = 0;  // another experiment: not in this folder
  EXPECT_THROW(run(options), Error);
  options.folds = 2;
  options.runs = 3;  // cannot visit two folds equally often
  EXPECT_THROW(run(options), Error);
}

TEST(Runner, RunROfAFoldedExperimentReportsTheUsersOfFoldR) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.protocol = ProtocolName::kStrict;
  options.folds = 2;
  options.generators = {kOriginal};
  run(options);
  for (const int fold : {0, 1}) {
    const ProtocolData protocol = make_protocol(tiny_dataset(), options.protocol, options.seed, {fold, 2});
    SvdRecommender svd;
    svd.fit(make_fit_data(protocol, "svd", kOriginal, "augment", {}), [](const StageProgress&) {});
    const UserMetrics expected = ranking_metrics([&](const CsrMatrix& inputs) { return svd.score(inputs); }, protocol.evaluation);
    const std::vector<double> found = users_of(folder.path(), concat("simulated_svd_augment_original_run-", fold + 1), 3);
    EXPECT_TRUE(std::ranges::equal(found, expected.values("Recall@10"))) << "fold " << fold;
  }
}

TEST(Runner, RunsOfARecommenderHaveASeedEach) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.recommenders = {"mlp"};
  options.generators = {kOriginal};
  options.hyperparameters = [](const std::string& dataset, const std::string& recommender) {
    Hyperparameters values = tiny_values(dataset, recommender);
    values.mlp = MlpConfig{.width = 2, .first = 8, .hidden = 8, .max_epochs = 2};
    return values;
  };
  run(options);
  const fs::path history = folder.path() / "history" / "simulated" / "mlp";
  EXPECT_NE(read_file(history / "run-1-original-recommender_fit.csv"), read_file(history / "run-2-original-recommender_fit.csv"));
}

TEST(Runner, FewerRunsThanFoldsReportTheUsersOfTheFirst) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.protocol = ProtocolName::kStrict;
  options.folds = 4;
  options.runs = 4;
  options.fewer_runs = {{"simulated/svd", 2}};
  const std::vector<Comparison> comparisons = compare(options);
  ASSERT_EQ(comparisons.size(), 2U * 5 * 16);
  for (const Comparison& one : comparisons) {
    if (is_ranking_metric(one.metric)) {
      EXPECT_EQ(one.test.users, 40) << one.metric;
    }
    EXPECT_EQ(one.test.degrees, 1) << "two folds of four";
    EXPECT_DOUBLE_EQ(one.overlap.value().standard_error, one.test.standard_error * std::sqrt(1 + 2 * 9.0 / 21)) << one.metric;
  }
  EXPECT_EQ(Saboteur::begun()["vae_fit"], 2);
  const std::string csv = read_file(folder.path() / "results.csv");
  EXPECT_NE(csv.find("simulated,svd,augment,original,Recall@10,2,"), std::string::npos) << csv;
  const std::string report = read_file(folder.path() / "report.md");
  EXPECT_NE(report.find("the first 2 with simulated/svd; fewer runs than the 4 folds report the users of the first"),
            std::string::npos);
  EXPECT_NE(report.find(" | 40 |\n"), std::string::npos) << "reported users, in the table of the data sets";
}

TEST(Runner, ReportShowsTheUsersThemselves) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.generators = {"original", "m-sdrm"};
  run(options);
  const auto unit = nlohmann::json::parse(read_file(folder.path() / "units" / "simulated_svd_augment_m-sdrm_run-1.json"));
  const auto other = nlohmann::json::parse(read_file(folder.path() / "units" / "simulated_svd_augment_m-sdrm_run-2.json"));
  const double pairs =
      (unit.at("synthetic").at("pairs").at(0).get<double>() + other.at("synthetic").at("pairs").at(0).get<double>()) / 2;
  const std::string similarity = read_file(folder.path() / "similarity.csv");
  const std::string expected = "simulated,svd,m-sdrm,2,0.0,0.1," + std::to_string(static_cast<std::int64_t>(pairs));
  EXPECT_NE(similarity.find(expected), std::string::npos) << similarity;
  EXPECT_EQ(similarity.find("original"), std::string::npos) << "no synthetic users";
  const std::string shapes = read_file(folder.path() / "shapes.csv");
  EXPECT_NE(shapes.find("simulated,,original,items_per_user,"), std::string::npos) << shapes;
  EXPECT_NE(shapes.find("simulated,svd,m-sdrm,users_per_item,"), std::string::npos);
  for (const char* file : {"report.html", "report.md"}) {
    const std::string text = read_file(folder.path() / file);
    for (const char* part : {"table 1", "table 5", "Figure 3", "catalogue", "SHA-256", "2 runs from seed 1"}) {
      EXPECT_NE(text.find(part), std::string::npos) << file << " " << part;
    }
  }
}

TEST(Runner, QuickIsMarkedEverywhere) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.generators = {"original"};
  options.quick = true;
  run(options);
  for (const char* file : {"results.json", "table.md", "report.html", "report.md", "manifest.json", "config.json"}) {
    EXPECT_NE(read_file(folder.path() / file).find("quick"), std::string::npos) << file;
  }
  const std::string table = read_file(folder.path() / "table.md"), page = read_file(folder.path() / "report.html");
  EXPECT_LT(table.find("**This is a quick run"), table.find("printed none"));
  EXPECT_LT(page.find("This is a quick run"), page.find("printed none")) << "what nothing means is said before what follows";
}

TEST(Runner, AReportThatIsBrokenOffHasNoManifest) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.generators = {"original"};
  run(options);
  const fs::path table = folder.path() / "table.md", manifest = folder.path() / "manifest.json";
  ASSERT_TRUE(fs::exists(manifest));
  fs::remove(table);
  fs::create_directories(table / "in the way");
  options.settings = {"augment"};
  EXPECT_THROW(run(options), Error);
  EXPECT_FALSE(fs::exists(manifest)) << "of the report before, beside files of the next";
  fs::remove_all(table);
  run(options);
  EXPECT_TRUE(fs::exists(manifest));
}

TEST(Runner, ReportsKnowWhetherNeuMfWasChosenOnTheReportedUsers) {
  const auto by_recall_of = [](std::optional<NeuMfSelection> selection) {
    const TempFolder folder;
    ExperimentOptions options = tiny_options(folder.path());
    options.neumf_selection = selection;
    Progress progress(std::make_unique<Saboteur>());
    std::vector<LoadedDataset> datasets;
    datasets.push_back({tiny_dataset(), 0.5});
    return Experiment(std::move(datasets), options, progress).report_options().neumf_by_recall;
  };
  EXPECT_FALSE(by_recall_of(std::nullopt));
  EXPECT_FALSE(by_recall_of(NeuMfSelection::kBestLoss));
  EXPECT_TRUE(by_recall_of(NeuMfSelection::kBestRecall));
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
