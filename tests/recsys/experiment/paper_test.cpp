// recsys/experiment/paper.h: the experiments that make up --paper.
#include "recsys/experiment/paper.h"

#include <gtest/gtest.h>

#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

ExperimentOptions everything() {
  ExperimentOptions options;
  options.recommenders = known_recommenders();
  options.generators = known_generators();
  options.settings = known_settings();
  options.out = "results";
  return options;
}

TEST(Paper, PublishedThenStrict) {
  const std::vector<ExperimentOptions> parts = paper_parts(everything(), {});
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].protocol, ProtocolName::kPublished);
  EXPECT_EQ(parts[0].out, fs::path("results/published"));
  EXPECT_EQ(parts[0].runs, 5);
  EXPECT_EQ(parts[0].generators, known_generators());
  EXPECT_EQ(parts[1].protocol, ProtocolName::kStrict);
  EXPECT_EQ(parts[1].out, fs::path("results/strict"));
  EXPECT_EQ(parts[1].runs, 10);
  EXPECT_EQ(parts[0].folds, 0);
  EXPECT_EQ(parts[1].folds, 10) << "each run reports other users";
  EXPECT_EQ(parts[1].generators, (std::vector<std::string>{"original", "multivae++", "f-sdrm", "m-sdrm"}));
  EXPECT_EQ(parts[1].recommenders, known_recommenders());
}

TEST(Paper, WhatIsGivenWins) {
  ExperimentOptions asked = everything();
  asked.runs = 3;
  asked.generators = {"original", "ctgan"};
  std::vector<ExperimentOptions> parts = paper_parts(asked, {.runs = true, .generators = true});
  EXPECT_EQ(parts[0].runs, 3);
  EXPECT_EQ(parts[1].runs, 3);
  EXPECT_EQ(parts[1].folds, 0) << "three runs do not visit ten folds";
  EXPECT_EQ(parts[1].generators, asked.generators);
  asked.protocol = ProtocolName::kStrict;
  parts = paper_parts(asked, {.protocol = true});
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].out, fs::path("results/strict"));
}

TEST(Paper, QuickIsOneRunOfEach) {
  ExperimentOptions asked = everything();
  asked.quick = true;
  for (const ExperimentOptions& part : paper_parts(asked, {})) {
    EXPECT_EQ(part.runs, 1);
    EXPECT_EQ(part.folds, 0);
  }
}

TEST(Paper, FoldsAreStrictsAndEachIsReportedEquallyOften) {
  ExperimentOptions asked = everything();
  asked.folds = 4;
  const std::vector<ExperimentOptions> parts = paper_parts(asked, {});
  EXPECT_EQ(parts[0].folds, 0);
  EXPECT_EQ(parts[1].folds, 4);
  EXPECT_EQ(parts[1].runs, 12);
}

TEST(Paper, TenRunsWhereTheyAreCheap) {
  std::vector<RunChoice> choices = choose_runs({{"a", "svd", 0, 10}, {"a", "mlp", 0, 11}}, 10, 5, 100);
  EXPECT_EQ(choices[0].runs, 10);
  EXPECT_EQ(choices[1].runs, 5);
  EXPECT_EQ(choose_runs({{"a", "mlp", 0, 1e9}}, 3, 5, 100)[0].runs, 3) << "not more than asked for";
  EXPECT_EQ(choice_lines(choices)[1], "strict: a mlp: 5 runs, about 11 s each");
  ExperimentOptions options = everything();
  set_runs(choices, options);
  EXPECT_EQ(options.runs, 10);
  EXPECT_EQ(runs_of(options, "a", "svd"), 10);
  EXPECT_EQ(runs_of(options, "a", "mlp"), 5);
}

TEST(Paper, WhatIsFinishedCostsNothing) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "computed");
  options.protocol = ProtocolName::kStrict;
  options.generators = {kOriginal, "multivae++"};
  options.runs = 10;
  run(options);
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0});
  double now = 0;
  const PlanOptions slow = {.clock = [&] { return now += 1000; }};
  const auto decide = [&](const fs::path& out, std::vector<fs::path> reuse) {
    options.out = out;
    options.reuse = std::move(reuse);
    return decided_runs(datasets, options, folder.path() / "none.json", /*keep=*/false, slow).front().runs;
  };
  EXPECT_EQ(decide(folder.path() / "empty", {}), 5) << "far more than an hour";
  EXPECT_EQ(decide(folder.path() / "computed", {}), 10);
  EXPECT_EQ(decide(folder.path() / "empty", {folder.path() / "computed"}), 10);
  fs::remove(folder.path() / "computed" / "units" / "simulated_svd_replace_multivae++_run-10.json");
  EXPECT_EQ(decide(folder.path() / "computed", {}), 5);
}

TEST(Paper, ADecisionIsKept) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "strict");
  options.protocol = ProtocolName::kStrict;
  options.runs = 10;
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0});
  const fs::path file = folder.path() / "strict-runs.json";
  const auto decide = [&](bool keep) { return decided_runs(datasets, options, file, keep).front(); };
  EXPECT_EQ(decide(false).runs, 10) << "seconds for a tiny experiment";
  EXPECT_FALSE(fs::exists(file));
  EXPECT_EQ(decide(true).runs, 10);
  std::string text = read_file(file);
  text.replace(text.find("10"), 2, "7");
  folder.write("strict-runs.json", text);
  EXPECT_EQ(decide(true).runs, 7) << "what was decided before";
  folder.write("strict-runs.json", R"([{"dataset": "a", "recommender": "svd", "runs": 15}])");
  EXPECT_NE(tests::error_of(ErrorKind::kUsage, [&] { decide(true); }).find("15 runs of a/svd"), std::string::npos);
  for (const char* damaged : {"{", "[1]", R"([{"dataset": "a", "runs": "many"}])", R"([{"dataset": "a", "runs": 2000000000}])"}) {
    folder.write("strict-runs.json", damaged);
    EXPECT_NE(tests::error_of(ErrorKind::kUsage, [&] { decide(true); }).find("remove it"), std::string::npos) << damaged;
  }
  fs::remove(file);
  fs::create_directory(file);
  EXPECT_NE(tests::error_of(ErrorKind::kUsage, [&] { decide(true); }).find("cannot be read: Is a directory"), std::string::npos);
  EXPECT_FALSE(fs::exists(options.out));
}

}  // namespace
}  // namespace tapestry::recsys
