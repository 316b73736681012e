// recsys/experiment/journal.h: which start computed what, however the starts end, and what manifest and report say of it.
#include "recsys/experiment/journal.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "tensor/error.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

using Strings = std::vector<std::string>;

TEST(Journal, TellsHowStartsEnded) {
  const TempFolder folder;
  EXPECT_TRUE(Journal(folder.path()).starts().empty()) << "a folder from before there was such a file";
  Journal first(folder.path());
  first.begin("reproduce --only a", "abc", "GCC", 2, 1);
  first.unit("one");
  first.unit("two");
  first.end("finished", 2.5);
  Journal killed(folder.path());
  killed.begin("reproduce --only b", "def", "GCC", 4, 3);
  killed.unit("three");
  Journal third(folder.path());
  third.begin("reproduce", "def", "GCC", 1, 1);
  third.end("interrupted", 0.5);
  const std::vector<Start> starts = third.starts();
  ASSERT_EQ(starts.size(), 3U);
  EXPECT_EQ(starts[0].command, "reproduce --only a");
  EXPECT_EQ(starts[0].revision, "abc");
  EXPECT_EQ(starts[0].build, "GCC");
  EXPECT_EQ(starts[0].end, "finished");
  EXPECT_EQ(starts[0].wall_seconds, 2.5);
  EXPECT_EQ(starts[0].units, (std::set<std::string>{"one", "two"}));
  EXPECT_EQ(starts[1].threads, 4);
  EXPECT_EQ(starts[1].jobs, 3);
  EXPECT_EQ(starts[1].end, "");
  EXPECT_FALSE(starts[1].wall_seconds.has_value());
  EXPECT_EQ(starts[1].units, std::set<std::string>{"three"});
  EXPECT_EQ(starts[2].end, "interrupted");
  EXPECT_EQ(starts[2].number, 3);
  EXPECT_TRUE(starts[2].units.empty());
  EXPECT_NE(read_file(folder.path() / "starts.jsonl").find(R"("wall_seconds":2.5,"units":2})"), std::string::npos);
}

TEST(Journal, LeavesOutLinesThatWereCutOff) {
  const TempFolder folder;
  for (const char* cut : {"\n{\"start\":2,\"unit\":\"tw", "\n{\"start\":2,\"comm", "\n{\"start\":", "\n[1]",
                          "\n{\"start\":\"x\"}", "\n{\"start\":9,\"unit\":\"of no start\"}"}) {
    Journal journal(folder.path());
    journal.begin("reproduce", "abc", "GCC", 1, 1);
    std::ofstream(folder.path() / "starts.jsonl", std::ios::app | std::ios::binary) << cut;
    journal.unit("one");
    const std::vector<Start> starts = journal.starts();
    EXPECT_EQ(starts.back().number, static_cast<int>(starts.size())) << cut;
    EXPECT_EQ(starts.back().units, std::set<std::string>{"one"}) << cut;
  }
  EXPECT_EQ(Journal(folder.path()).starts().size(), 6U);
}

TEST(Journal, TakesACommandThatIsNoText) {
  const TempFolder folder;
  Journal journal(folder.path());
  journal.begin("reproduce --out \xff\n\"", "", "GCC", 1, 1);
  journal.end("finished", 1);
  ASSERT_EQ(journal.starts().size(), 1U);
  EXPECT_EQ(journal.starts()[0].command, "reproduce --out \xef\xbf\xbd\n\"");
}

TEST(Journal, AFileThatCannotBeWrittenIsNamed) {
  const TempFolder folder;
  Journal journal(folder.path() / "none");
  const std::string text = tests::error_of(ErrorKind::kData, [&] { journal.begin("reproduce", "", "GCC", 1, 1); });
  EXPECT_NE(text.find("starts.jsonl"), std::string::npos) << text;
}

TEST(ComputedBy, AddsUpStartsOfOneCommandAndRevision) {
  const std::vector<Start> starts = {{1, "a", "r1", "", 1, 1, "finished", 10.4, {"1", "2"}},
                                     {2, "b", "r1", "", 1, 1, "", std::nullopt, {"3"}},
                                     {3, "a", "r1", "", 1, 1, "", std::nullopt, {"4"}},
                                     {4, "a", "r2", "", 1, 1, "error", 1.0, {"5"}},
                                     {5, "c", "r2", "", 1, 1, "finished", 7.0, {}}};
  const auto rows = computed_by(starts, 0);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].first, "computed by");
  EXPECT_EQ(rows[0].second, "3 units in 2 starts, 10 seconds without those of 1 killed, revision r1: a");
  EXPECT_EQ(rows[1].second, "1 unit, killed, time not known, revision r1: b");
  EXPECT_EQ(rows[2].second, "1 unit, 1 second, revision r2: a");
  std::vector<Start> builds = {starts[0], starts[0]};
  builds[0].build = "GCC 12, matrix products: OpenBLAS";
  const auto by_build = computed_by(builds, 0);
  ASSERT_EQ(by_build.size(), 2U) << "other builds may give other last bits";
  EXPECT_EQ(by_build[0].second, "2 units, 10 seconds, revision r1 (GCC 12, matrix products: OpenBLAS): a");
  EXPECT_EQ(computed_by({}, 2).at(0).second, "2 units by starts that left no record");
  const std::vector<Start> notable = notable_starts(starts);
  ASSERT_EQ(notable.size(), 5U) << "the last one too";
  EXPECT_EQ(notable_starts(std::span(starts).first(4)).size(), 4U);
  EXPECT_TRUE(notable_starts({}).empty());
}

/// Starts on one folder, the last of which only writes the report.
class Starts : public testing::Test {
 protected:
  Starts() { options_.versions["revision"] = "abc"; }

  void start(const std::string& command, const Strings& only,
             std::unique_ptr<ProgressDisplay> display = std::make_unique<Saboteur>()) {
    options_.command = command;
    options_.only = only;
    run(options_, std::move(display));
  }
  nlohmann::json manifest() const { return nlohmann::json::parse(read_file(folder_.path() / "manifest.json")); }
  /// What manifest.json says of its starts, times left aside.
  Strings starts() const {
    Strings lines;
    const nlohmann::json all = manifest();
    for (const auto& one : all.at("starts")) {
      lines.push_back(one.at("command").get<std::string>() + " " + one.at("revision").get<std::string>() + " " +
                      one.at("units").dump() + (one.at("wall_seconds").is_null() ? " killed" : ""));
    }
    return lines;
  }
  /// The report's rows of the name, times left aside.
  Strings rows(const std::string& name) const {
    Strings values;
    std::istringstream report(read_file(folder_.path() / "report.md"));
    const std::string begin = "| " + name + " | ";
    for (std::string line; std::getline(report, line);) {
      if (!line.starts_with(begin)) continue;
      const std::string value = line.substr(begin.size(), line.size() - begin.size() - 2);
      values.push_back(std::regex_replace(value, std::regex(", [0-9]+ seconds?"), ""));
    }
    return values;
  }

  TempFolder folder_;
  ExperimentOptions options_ = tiny_options(folder_.path());
};

TEST_F(Starts, ThatComputedAreNamedThoughTheLastOneDidNot) {
  start("reproduce --only first", {"*_augment_*"});
  start("reproduce --only second", {"*_replace_*_run-2"});
  EXPECT_EQ(starts(), (Strings{"reproduce --only first abc 7", "reproduce --only second abc 3"}));
  start("reproduce --only second", {"*_replace_*"});
  start("reproduce --only nothing", {"*_replace_*"});
  const Strings expected = {"reproduce --only first abc 7", "reproduce --only second abc 3", "reproduce --only second abc 4",
                            "reproduce --only nothing abc 0"};
  EXPECT_EQ(starts(), expected);
  EXPECT_EQ(manifest().at("command"), "reproduce --only nothing");
  EXPECT_EQ(rows("command"), Strings{"reproduce --only nothing"});
  EXPECT_EQ(rows("computed by"), (Strings{"7 units, revision abc: reproduce --only first",
                                          "7 units in 2 starts, revision abc: reproduce --only second"}));
  EXPECT_NE(read_file(folder_.path() / "report.html").find("reproduce --only first"), std::string::npos);
  EXPECT_TRUE(all_results(folder_.path()) == undisturbed());
}

TEST_F(Starts, ThatWereBrokenOffAreNamed) {
  EXPECT_THROW(start("reproduce --jobs 1", {}, std::make_unique<Saboteur>(ProgressEvent::Kind::kStageBegin, "sample_f")),
               std::runtime_error);
  options_.interrupted = [] { return true; };
  EXPECT_THROW(start("reproduce --interrupted", {}), Interrupted);
  options_.interrupted = {};
  const Strings expected = {"error", "interrupted"};
  Strings ends;
  for (const Start& one : Journal(folder_.path()).starts()) ends.push_back(one.end);
  EXPECT_EQ(ends, expected);
  start("reproduce", {});
  EXPECT_EQ(starts(), (Strings{"reproduce --jobs 1 abc 4", "reproduce abc 10"})) << "the interrupted one computed nothing";
  EXPECT_EQ(rows("computed by"), (Strings{"4 units, revision abc: reproduce --jobs 1", "10 units, revision abc: reproduce"}));
}

TEST_F(Starts, ThatWereKilledHaveUnitsButNoTime) {
  start("reproduce --only first", {"*_augment_*"});
  const fs::path file = folder_.path() / "starts.jsonl";
  const std::string text = read_file(file);
  fs::resize_file(file, text.rfind("\n{") + 9);  // as if the kill had come while it wrote its end
  start("reproduce", {});
  EXPECT_EQ(starts(), (Strings{"reproduce --only first abc 7 killed", "reproduce abc 7"}));
  EXPECT_EQ(rows("computed by"), (Strings{"7 units, killed, time not known, revision abc: reproduce --only first",
                                          "7 units, revision abc: reproduce"}));
}

TEST_F(Starts, FromBeforeThereWasARecordAreCounted) {
  start("reproduce --only first", {"*_augment_*"});
  fs::remove(folder_.path() / "starts.jsonl");
  start("reproduce", {});
  EXPECT_EQ(starts(), Strings{"reproduce abc 7"});
  EXPECT_EQ(rows("computed by"), (Strings{"7 units, revision abc: reproduce", "7 units by starts that left no record"}));
  EXPECT_TRUE(all_results(folder_.path()) == undisturbed());
}

}  // namespace
}  // namespace tapestry::recsys
