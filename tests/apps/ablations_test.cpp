// apps/reproduce --without and --ablations: what they refuse, what they leave behind, and that they go on.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "recsys/experiment/folder_lock.h"
#include "tests/apps/child_process.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::apps {
namespace {

namespace fs = std::filesystem;
using recsys::tests::read_file;
using recsys::tests::TempFolder;
using tests::Outcome;
using Arguments = std::vector<std::string>;

class AblationsProgram : public testing::Test {
 protected:
  /// 30 users who like ten of twenty items each and dislike two.
  AblationsProgram() {
    std::string ratings;
    for (int user = 1; user <= 30; ++user) {
      for (int n = 0; n < 12; ++n) {
        const int item = 1 + (user + n * (user % 3 == 0 ? 3 : 1)) % 20;
        ratings += std::to_string(user) + "\t" + std::to_string(item) + "\t" + (n < 10 ? "5" : "2") + "\t88\n";
      }
    }
    folder_.write("data/ml-100k/u.data", ratings);
  }
  Arguments with_the_usual(const Arguments& arguments) const {
    Arguments all = {
        "--data",  (folder_.path() / "data").string(), "--out", out().string(), "--quick", "--dataset", "ml-100k", "--generators",
        "original"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  Outcome run(const Arguments& arguments) { return tests::reproduce(folder_.path(), with_the_usual(arguments)); }
  void expect_refused(const std::string& says, const Arguments& arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(says), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(out()));
  }
  fs::path out() const { return folder_.path() / "results"; }

  TempFolder folder_;
};

TEST_F(AblationsProgram, RefusesWhatDoesNotGoTogether) {
  expect_refused("there are: dislikes-relevant", {"--without", "dislikes"});
  expect_refused("--protocol published only", {"--without", "selection-leak", "--protocol", "strict"});
  expect_refused("--variant published only", {"--without", "tied-layers", "--variant", "paper"});
  expect_refused("without-tied-layers", {"--ablations", "tied-layers"});
  expect_refused("--ablations", {"--ablations", "all", "--protocol", "strict"});
  expect_refused("--ablations", {"--ablations", "all", "--without", "tied-layers"});
  expect_refused("--paper", {"--paper", "--without", "tied-layers"});
}

TEST_F(AblationsProgram, ResultsWithAndWithoutDoNotShareAFolder) {
  ASSERT_EQ(run({}).status, 0);
  const std::string before = read_file(out() / "results.csv");
  const Outcome outcome = run({"--without", "dislikes-relevant"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.err.find("without dislikes-relevant"), std::string::npos) << outcome.err;
  EXPECT_EQ(read_file(out() / "results.csv"), before);
}

TEST_F(AblationsProgram, WriteAPageAndGoOn) {
  const Arguments two = {"--ablations", "without-dislikes-relevant,without-tied-layers"};
  const Outcome outcome = run(two);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("\"event\":\"unit\""), std::string::npos) << "progress is told: " << outcome.err;
  for (const char* folder : {"published", "without-dislikes-relevant", "without-tied-layers"}) {
    EXPECT_TRUE(fs::exists(out() / folder / "results.csv")) << folder;
  }
  EXPECT_FALSE(fs::exists(out() / "variant-paper"));
  const std::string page = read_file(out() / "deviations.md"), csv = read_file(out() / "deviations.csv");
  EXPECT_NE(page.find("## without-dislikes-relevant"), std::string::npos) << page;
  EXPECT_NE(csv.find("\nwithout-tied-layers,ml-100k,svd,augment,"), std::string::npos) << csv;
  // Killed after the first: what is there is not computed again, and the page is the same.
  fs::remove_all(out() / "without-tied-layers");
  fs::remove(out() / "deviations.csv");
  const auto written = fs::last_write_time(out() / "published" / "units" / "ml-100k_svd_augment_original_run-1.json");
  ASSERT_EQ(run(two).status, 0);
  EXPECT_EQ(read_file(out() / "deviations.csv"), csv);
  EXPECT_EQ(fs::last_write_time(out() / "published" / "units" / "ml-100k_svd_augment_original_run-1.json"), written);
}

TEST_F(AblationsProgram, AFolderThatDoesNotFitIsRefusedBeforeAnyIsComputed) {
  const Arguments two = {"--ablations", "without-dislikes-relevant,without-tied-layers"};
  const fs::path last = out() / "without-tied-layers";
  {
    const recsys::FolderLock other(last);
    const Outcome outcome = run(two);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find("another process is writing to " + last.string()), std::string::npos) << outcome.err;
  }
  folder_.write("results/without-tied-layers/results.csv", "precious");
  const Outcome outcome = run(two);
  EXPECT_EQ(outcome.status, 2) << outcome.err;
  EXPECT_NE(outcome.err.find(last.string() + " holds a results.csv but no config.json"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(out() / "published"));
}

TEST_F(AblationsProgram, AFolderThatAnotherStartHasIsRefusedBeforeAnyIsComputed) {
  const Arguments one = {"--ablations", "without-tied-layers"};
  {
    const recsys::FolderLock other(out());
    const Outcome outcome = run(one);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find("another process is writing to " + out().string() + ";"), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(out() / "published"));
  }
  // Also while a part that this one does not share is being computed, to the end.
  tests::Reproduce first(folder_.path(),
                         with_the_usual({"--ablations", "without-dislikes-relevant", "--recommender", "mlp", "--runs", "50"}));
  ASSERT_TRUE(first.wait_for("\"stage_begin\""));
  first.signal(SIGSTOP);  // it would be through before the other's patience is
  EXPECT_THROW(recsys::FolderLock taken(out()), Error);
  first.signal(SIGCONT);
  EXPECT_EQ(first.wait().status, 0);
  const recsys::FolderLock again(out());
}

TEST_F(AblationsProgram, SayWhatIsFinishedAndWhereItIsTakenFrom) {
  const Arguments one = {"--ablations", "without-tied-layers", "--reuse", (folder_.path() / "earlier").string()};
  ASSERT_EQ(run({one[0], one[1]}).status, 0);
  fs::rename(out(), folder_.path() / "earlier");
  const Outcome outcome = run(one);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* part : {"published", "without-tied-layers"}) {
    const std::string finished = "\n  2 of 2 units are finished in " + (out() / part).string() + "\n    ";
    const std::string taken = "\n    2 of them now taken from " + (folder_.path() / "earlier" / part).string() + "\n";
    const std::size_t at = outcome.out.find(finished);
    ASSERT_NE(at, std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find(taken, at), std::string::npos) << outcome.out;
  }
}

TEST_F(AblationsProgram, RecommendersWithTheSameAblationShareItsReport) {
  const Outcome outcome = run({"--ablations", "without-tied-layers", "--recommender", "mlp,svd", "--runs", "1"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* folder : {"published", "without-tied-layers"}) {
    const std::string results = read_file(out() / folder / "results.csv");
    EXPECT_NE(results.find("ml-100k,svd,"), std::string::npos) << folder;
    EXPECT_NE(results.find("ml-100k,mlp,"), std::string::npos) << folder;
  }
  const std::string csv = read_file(out() / "deviations.csv");
  EXPECT_NE(csv.find("\nwithout-tied-layers,ml-100k,svd,"), std::string::npos) << csv;
  EXPECT_NE(csv.find("\nwithout-tied-layers,ml-100k,mlp,"), std::string::npos) << csv;
}

}  // namespace
}  // namespace tapestry::apps
