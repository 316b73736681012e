// apps/reproduce killed and started again: the same bytes as if nothing had happened.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/apps/child_process.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::apps {
namespace {

namespace fs = std::filesystem;
using recsys::tests::read_file;
using recsys::tests::TempFolder;
using tests::Outcome;
using tests::Reproduce;

constexpr const char* kResults[] = {"results.csv", "results.json", "table.md"};

std::vector<std::string> job(const fs::path& out, int jobs = 1) {
  return {"--dataset",          "simulated", "--quick",    "--runs",       "2", "--threads", "1", "--jobs",
          std::to_string(jobs), "--out",     out.string(), "--checkpoint", "0"};
}

std::string all_results(const fs::path& out) {
  std::string text;
  for (const char* file : kResults) text += read_file(out / file);
  return text;
}

/// The bytes of an undisturbed run, computed once in a process: ctest, which starts one for each test, has it computed again.
const std::string& undisturbed() {
  static const std::string text = [] {
    const TempFolder folder;
    const Outcome outcome = tests::reproduce(folder.path(), job(folder.path() / "out"));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return all_results(folder.path() / "out");
  }();
  return text;
}

/// Every result file there is must be whole: killed runs leave none, or that of a finished one.
void expect_nothing_half_written(const fs::path& out) {
  for (const char* file : kResults) EXPECT_FALSE(fs::exists(out / file)) << file;
}

std::string stage_event(const std::string& event, int run, const std::string& stage) {
  return R"({"event":")" + event + R"(","dataset":"simulated","recommender":"svd","run":)" + std::to_string(run) +
         R"(,"stage":")" + stage + "\"";
}

void finish_and_compare(const fs::path& scratch, const fs::path& out, const std::string& what, int jobs = 1) {
  const Outcome outcome = tests::reproduce(scratch, job(out, jobs));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(all_results(out) == undisturbed()) << what;
}

TEST(ReproduceResume, JobsDoNotShow) {
  const TempFolder folder;
  EXPECT_GT(undisturbed().size(), 5000U);
  finish_and_compare(folder.path(), folder.path() / "out", "two jobs", 2);
}

TEST(ReproduceResume, KilledInEveryStage) {
#ifdef __SANITIZE_ADDRESS__  // eight times as slow, and where it is killed makes no difference to what is looked for
  const std::vector<std::pair<int, std::string>> places = {{1, "evaluate"}, {2, "sdrm_fit"}};
#else
  const std::vector<std::pair<int, std::string>> places = {{1, "recommender_fit"}, {1, "evaluate"},   {1, "vae_fit"},
                                                           {1, "sdrm_fit"},        {1, "sample_vae"}, {1, "sample_f"},
                                                           {1, "sample_m"},        {2, "vae_fit"},    {2, "sdrm_fit"}};
#endif
  const TempFolder folder;
  for (const auto& [run, stage] : places) {
    const fs::path out = folder.path() / (stage + std::to_string(run));
    Reproduce child(folder.path(), job(out));
    ASSERT_TRUE(child.wait_for(stage_event("stage_begin", run, stage))) << stage;
    child.signal(SIGKILL);
    EXPECT_EQ(child.wait().status, 128 + SIGKILL);
    expect_nothing_half_written(out);
    finish_and_compare(folder.path(), out, "killed in " + stage + " of run " + std::to_string(run));
  }
}

/// From the start of the process through reading the data and taking the folder to the first unit: where exactly a kill falls
/// depends on the machine, so they come closer and closer.
TEST(ReproduceResume, KilledWhileStartingAndLoading) {
  const TempFolder folder;
  const fs::path out = folder.path() / "out";
  for (const int milliseconds : {40, 20, 12, 8, 6, 4, 3, 2, 1, 0}) {
    Reproduce child(folder.path(), job(out));
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    child.signal(SIGKILL);
    EXPECT_EQ(child.wait().status, 128 + SIGKILL) << milliseconds << " ms";
    expect_nothing_half_written(out);
  }
  finish_and_compare(folder.path(), out, "killed while loading");
}

/// 240 users who like ten of 120 items each and dislike two: MLP's training on them takes some tenths of a second.
std::string few_ratings() {
  std::string text;
  for (int user = 1; user <= 240; ++user) {
    for (int n = 0; n < 12; ++n) {
      text += std::to_string(user) + "\t" + std::to_string(1 + (user + n) % 120) + "\t" + (n < 10 ? "5" : "2") + "\t88\n";
    }
  }
  return text;
}

TEST(ReproduceResume, KilledInTheMidstOfAFit) {
  const TempFolder folder;
  folder.write("data/ml-100k/u.data", few_ratings());
  const auto arguments = [&](const fs::path& out) {
    return std::vector<std::string>{"--data",        (folder.path() / "data").string(),
                                    "--dataset",     "ml-100k",
                                    "--runs",        "1",
                                    "--recommender", "mlp",
                                    "--generators",  "original",
                                    "--setting",     "augment",
                                    "--threads",     "1",
                                    "--checkpoint",  "0",
                                    "--out",         out.string()};
  };
  const fs::path whole = folder.path() / "whole", out = folder.path() / "out";
  ASSERT_EQ(tests::reproduce(folder.path(), arguments(whole)).status, 0);
  const auto has_checkpoint = [&] {
    std::error_code none_yet;
    fs::directory_iterator files(out / "unfinished", none_yet);
    return std::any_of(fs::begin(files), fs::end(files),
                       [](const auto& file) { return file.path().extension() == ".safetensors"; });
  };
  Reproduce child(folder.path(), arguments(out));
  ASSERT_TRUE(child.wait_until(has_checkpoint));
  child.signal(SIGKILL);
  ASSERT_EQ(child.wait().status, 128 + SIGKILL) << "patience alone is ten more epochs";
  const Outcome outcome = tests::reproduce(folder.path(), arguments(out));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find(R"({"event":"resumed","dataset":"ml-100k","recommender":"mlp","run":1,"stage":"recommender_fit")"),
            std::string::npos)
      << outcome.err;
  EXPECT_TRUE(all_results(out) == all_results(whole));
  EXPECT_FALSE(fs::exists(out / "unfinished"));
}

TEST(ReproduceResume, KilledAgainAndAgain) {
  const TempFolder folder;
  const fs::path out = folder.path() / "out";
  int killed = 0;
  for (const char* stage : {"sample_vae", "sample_f", "sample_m", "evaluate"}) {
    Reproduce child(folder.path(), job(out));
    if (!child.wait_for(stage_event("stage_end", 1, stage)) && !child.wait_for("stage_begin")) break;
    child.signal(SIGKILL);
    killed += child.wait().status == 128 + SIGKILL ? 1 : 0;
    expect_nothing_half_written(out);
  }
  EXPECT_GE(killed, 2) << "before it was through";
  finish_and_compare(folder.path(), out, "killed four times");
}

TEST(ReproduceResume, CtrlCEndsCleanlyAndResumes) {
  for (const int number : {SIGINT, SIGTERM}) {
    const TempFolder folder;
    const fs::path out = folder.path() / "out";
    Reproduce child(folder.path(), job(out));
    ASSERT_TRUE(child.wait_for(stage_event("stage_begin", 1, "vae_fit")));
    child.signal(number);
    const Outcome outcome = child.wait();
    EXPECT_EQ(outcome.status, 128 + number);
    const std::string last = outcome.err.substr(outcome.err.rfind('\n', outcome.err.size() - 2) + 1);
    EXPECT_EQ(last.rfind("reproduce: interrupted", 0), 0U) << last;
    EXPECT_NE(last.find("the same command goes on"), std::string::npos) << last;
    expect_nothing_half_written(out);
    for (const auto& entry : fs::recursive_directory_iterator(out)) EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
    finish_and_compare(folder.path(), out, "interrupted");
  }
}

TEST(ReproduceResume, TwoProcessesDoNotShareAFolder) {
  const TempFolder folder;
  const fs::path out = folder.path() / "out";
  Reproduce first(folder.path(), job(out));
  ASSERT_TRUE(first.wait_for("stage_begin"));
  first.signal(SIGSTOP);  // it would be through before the other's patience is
  const Outcome second = tests::reproduce(folder.path(), job(out));
  EXPECT_EQ(second.status, 2) << second.err;
  EXPECT_EQ(std::count(second.err.begin(), second.err.end(), '\n'), 1) << second.err;
  EXPECT_NE(second.err.find("another process"), std::string::npos) << second.err;
  first.signal(SIGCONT);
  EXPECT_EQ(first.wait().status, 0);
  EXPECT_TRUE(all_results(out) == undisturbed());
}

TEST(ReproduceResume, ProgressIsJsonLinesAndTheManifestIsComplete) {
  const TempFolder folder;
  const fs::path out = folder.path() / "out";
  const Outcome outcome = tests::reproduce(folder.path(), job(out));
  std::istringstream lines(outcome.err);
  int units = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(event.is_object()) << line;
    units += event["event"] == "unit" ? 1 : 0;
  }
  EXPECT_EQ(units, 2 + 2 * 6);  // original once, three generators in two settings in two runs
  const auto manifest = nlohmann::json::parse(read_file(out / "manifest.json"));
  for (const char* stage :
       {"load", "vae_fit", "sdrm_fit", "sample_f", "sample_m", "sample_vae", "recommender_fit", "evaluate", "similarity"}) {
    EXPECT_GT(manifest["stage_seconds"][stage].get<double>(), 0) << stage;
  }
  EXPECT_GT(manifest["peak_rss_bytes"].get<std::int64_t>(), 1 << 20);
  EXPECT_EQ(manifest["datasets"]["simulated"]["sha256"].get<std::string>().size(), 64U);
  EXPECT_EQ(manifest["seeds"]["runs"].size(), 2U);
  EXPECT_EQ(read_file(out / "results.csv")
                .rfind("dataset,recommender,setting,generator,metric,runs,mean,std,ci_low,ci_high,"
                       "published_mean,published_std\nsimulated,svd,augment,original,Recall@1,1,",
                       0),
            0U);
  EXPECT_NE(outcome.out.find("Recall@10"), std::string::npos);
}

TEST(ReproduceResume, MlpAndNeuMfFromEndToEnd) {
  const TempFolder folder;
  const fs::path out = folder.path() / "out";
  const Outcome outcome = tests::reproduce(
      folder.path(), {"--dataset", "simulated", "--quick", "--runs", "1", "--recommender", "mlp,neumf", "--generators",
                      "original,multivae++", "--setting", "augment", "--neumf-selection", "best-loss", "--out", out.string()});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string csv = read_file(out / "results.csv");
  for (const char* row :
       {"simulated,mlp,augment,original,Recall@10,1,0.", "simulated,mlp,augment,multivae++,NDCG@50,1,0.",
        "simulated,neumf,augment,original,NDCG-k@10,1,0.", "simulated,neumf,augment,multivae++,NDCG-k@50,1,0."}) {
    EXPECT_NE(csv.find(row), std::string::npos) << row << "\n" << csv;
  }
  EXPECT_NE(read_file(out / "config.json").find("best-loss"), std::string::npos);
}

/// kill -9 at instants that nobody chose, until one start gets to the end.
TEST(ReproduceResume, KilledAtAnyInstant) {
  for (int round = 0; round < 6; ++round) {
    const TempFolder folder;
    const fs::path out = folder.path() / "out";
    for (int pause = 40 + 7 * round;; pause = pause * 5 / 4) {
      Reproduce child(folder.path(), job(out, 1 + round % 2));
      std::this_thread::sleep_for(std::chrono::milliseconds(pause));
      child.signal(SIGKILL);
      if (child.wait().status == 0) break;
    }
    EXPECT_TRUE(all_results(out) == undisturbed()) << "round " << round;
  }
}

}  // namespace
}  // namespace tapestry::apps
