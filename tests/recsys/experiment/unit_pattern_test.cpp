// recsys/experiment/unit_pattern.h and what --only does to an experiment.
#include "recsys/experiment/unit_pattern.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "recsys/experiment/unfinished.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

TEST(UnitPattern, StarsAndQuestionMarks) {
  const std::string unit = "ml-100k_mlp_augment_ctgan_run-2";
  for (const char* pattern : {"*", "ml-100k*", "*run-2", "*_mlp_*", "ml-1??k_mlp_augment_ctgan_run-?", "**a*g*a*", "*_ctgan_*",
                              "ml-100k_mlp_augment_ctgan_run-2", "*2*"}) {
    EXPECT_TRUE(matches(pattern, unit)) << pattern;
  }
  for (const char* pattern : {"", "?", "mlp", "*run-1", "ml-100k", "*_mlp", "ml-1?k*", "*run-2?", "*A*", "*_mlp_*_mlp_*"}) {
    EXPECT_FALSE(matches(pattern, unit)) << pattern;
  }
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_FALSE(matches("?", ""));
  EXPECT_TRUE(matches("*ab", "aab"));  // the star has to take more than it first does
  EXPECT_TRUE(matches("a*b?c*", "a_b_b_c"));
}

TEST(UnitPattern, OneOfSeveralIsEnoughAndNoneIsAll) {
  const std::vector<std::string> patterns = {"*svd*", "*run-3"};
  EXPECT_TRUE(matches_any(patterns, "a_svd_run-1"));
  EXPECT_TRUE(matches_any(patterns, "a_mlp_run-3"));
  EXPECT_FALSE(matches_any(patterns, "a_mlp_run-1"));
  EXPECT_TRUE(matches_any({}, "anything"));
}

TEST(UnitPattern, OneThatMatchesNothingIsRefusedWithSomeNames) {
  const std::vector<std::string> texts = {"a_svd", "a_mlp", "b_svd", "b_mlp", "c_svd", "c_mlp"};
  EXPECT_NO_THROW(check_patterns(std::vector<std::string>{"a*", "*mlp"}, texts));
  const std::string text = tests::error_of(ErrorKind::kUsage, [&] {
    check_patterns(std::vector<std::string>{"a*", "*neumf"}, texts);
  });
  for (const char* part : {"*neumf", "6 units", "a_svd", "c_svd"}) EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(UnfinishedLines, ThoseAlikeAreOne) {
  const std::vector<Unfinished> unfinished = {{"a", "svd", "augment", "x", 0, 5}, {"a", "svd", "augment", "y", 3, 5},
                                              {"a", "svd", "augment", "z", 0, 5}, {"a", "svd", "replace", "x", 0, 5},
                                              {"a", "svd", "replace", "z", 0, 5}, {"a", "mlp", "augment", "x", 0, 1}};
  EXPECT_EQ(unfinished_lines(unfinished),
            (std::vector<std::string>{"a svd augment, replace x, z: 0 of 5 units finished each",
                                      "a svd augment y: 3 of 5 units finished", "a mlp augment x: 0 of 1 unit finished"}));
  EXPECT_TRUE(unfinished_lines({}).empty());
}

/// The same work in two parts, the second asked for first.
TEST(Runner, PartsInAnyOrderGiveTheWholeAndEachAReport) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.only = {"*_m-sdrm_run-2", "*_replace_*run-1"};
  const std::vector<Cell> some = run(options);
  ASSERT_EQ(some.size(), 2 * measure_names(false).size()) << "in replace the original, which has one run, and m-sdrm are whole";
  EXPECT_EQ(some.front().generator + some.front().setting, "originalreplace");
  EXPECT_EQ(some.back().generator + some.back().setting, "m-sdrmreplace");
  EXPECT_EQ(Saboteur::begun()["vae_fit"], 2);
  const auto json = nlohmann::json::parse(read_file(folder.path() / "results.json"));
  ASSERT_EQ(json["unfinished"].size(), 6U);
  EXPECT_EQ(json["unfinished"][3]["generator"], "m-sdrm");
  EXPECT_EQ(json["unfinished"][3]["setting"], "augment");
  EXPECT_EQ(json["unfinished"][3]["finished"], 1);
  EXPECT_EQ(json["unfinished"][3]["asked"], 2);
  const std::string table = read_file(folder.path() / "table.md");
  EXPECT_NE(table.find("* simulated svd augment m-sdrm: 1 of 2 units finished\n"), std::string::npos) << table;
  EXPECT_NE(table.find("* simulated svd augment multivae++, f-sdrm: 0 of 2 units finished each\n"), std::string::npos) << table;
  EXPECT_NE(read_file(folder.path() / "report.html").find("augment multivae++, f-sdrm: 0 of 2 units"), std::string::npos);

  EXPECT_NE(read_file(folder.path() / "report.md").find("sample_m"), std::string::npos);
  options.generators = {kOriginal};
  run(options);
  for (const char* stage : {"vae_fit", "sample_m"}) {
    EXPECT_EQ(read_file(folder.path() / "report.md").find(stage), std::string::npos) << "it is no part of what is asked for now";
    EXPECT_EQ(nlohmann::json::parse(read_file(folder.path() / "manifest.json"))["stage_seconds"].value(stage, 0.0), 0) << stage;
  }
  options.generators = tiny_options("").generators;
  options.only = {"*_augment_*"};
  const std::vector<Cell> more = run(options);
  EXPECT_EQ(more.size(), 6 * measure_names(false).size()) << "now all of augment";
  EXPECT_EQ(Saboteur::begun().count("vae_fit"), 0U);
  options.only.clear();
  run(options);
  EXPECT_TRUE(all_results(folder.path()) == undisturbed());
}

TEST(Runner, AReportOfNothingFinishedSaysSo) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.protocol = ProtocolName::kStrict;
  options.only = {"*_m-sdrm_run-2"};
  options.settings = {"augment"};
  EXPECT_TRUE(run(options).empty());
  const auto json = nlohmann::json::parse(read_file(folder.path() / "results.json"));
  EXPECT_TRUE(json["results"].empty());
  EXPECT_EQ(read_file(folder.path() / "similarity.csv").find("m-sdrm"), std::string::npos) << "one run of two is no figure";
  EXPECT_EQ(json["unfinished"].size(), 4U);
}

TEST(Runner, FewerRunsForSome) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.fewer_runs = {{"simulated/svd", 1}, {"elsewhere/svd", 7}};
  for (const Cell& cell : run(options)) EXPECT_EQ(cell.runs.size(), 1U);
  EXPECT_EQ(runs_of(options, "simulated", "mlp"), 2);
  EXPECT_EQ(runs_of(options, "elsewhere", "svd"), 2) << "fewer, never more";
  options.fewer_runs.clear();
  run(options);
  EXPECT_TRUE(all_results(folder.path()) == undisturbed());
}

TEST(Runner, JobsOfOneRunFitASharedModelOnce) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.recommenders = {"svd", "mlp", "neumf"};
  options.generators = {"multivae", "tvae"};
  options.settings = {"augment"};
  options.runs = 1;
  options.quick = true;
  options.jobs = options.threads = 3;
  EXPECT_EQ(run(options).size(), 2 * (2 * measure_names(false).size() + measure_names(true).size()));
  EXPECT_EQ(Saboteur::begun()["multivae_fit"], 1);
  EXPECT_EQ(Saboteur::begun()["tvae_fit"], 1);
}

}  // namespace
}  // namespace tapestry::recsys
