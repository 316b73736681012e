// recsys/experiment/runner.h: what a start expects to take before anything is computed, and the threads that its jobs get.
#include <gtest/gtest.h>

#include <algorithm>

#include "recsys/experiment/stage_names.h"
#include "tensor/parallel.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

struct Enough {};

/// Ends the work at the first event, whose estimate it keeps.
class FirstEstimate : public ProgressDisplay {
 public:
  explicit FirstEstimate(double& seconds) : seconds_(seconds) {}
  void show(const ProgressEvent& event) override {
    seconds_ = event.remaining;
    throw Enough();
  }

 private:
  double& seconds_;
};

double first_estimate(const ExperimentOptions& options) {
  double seconds = 0;
  Progress progress(std::make_unique<FirstEstimate>(seconds), /*ticking=*/false, [] { return 0.0; });
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0.5});
  EXPECT_THROW(Experiment(std::move(datasets), options, progress).run(), Enough);
  return seconds;
}

/// Lines of stages.jsonl of this name.
std::string lines(const std::string& recommender, const std::string& stage, int count) {
  std::string text;
  for (int run = 1; run <= count; ++run) {
    text += R"({"dataset":"simulated","recommender":")" + recommender + R"(","run":)" + std::to_string(run) + R"(,"stage":")" +
            stage + "\",\"seconds\":10000}\n";
  }
  return text;
}

constexpr double kBefore = 10000;  // seconds, as those lines say

TEST(FirstEstimate, IsWhatStagesTookBeforeInTheFolder) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "out");
  options.runs = 1;
  EXPECT_LT(first_estimate(options), 1000);
  folder.write("out/stages.jsonl", lines("svd", "vae_fit", 1));
  EXPECT_NEAR(first_estimate(options), kBefore, 1000);
  // Settings and generators differ, so that a few fits of a recommender are not enough: 1 + 3 * 2 are to come.
  folder.write("out/stages.jsonl", lines("svd", kRecommenderFit, 5));
  EXPECT_LT(first_estimate(options), 1000);
  folder.write("out/stages.jsonl", lines("svd", kRecommenderFit, 6));
  EXPECT_NEAR(first_estimate(options), 7 * kBefore, 1000);
}

TEST(FirstEstimate, IsNoMeanOverFitsThatKeepDifferentEpochs) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "out");
  options.recommenders = {"neumf"};
  options.generators = {kOriginal, "multivae++"};
  options.runs = 1;
  options.hyperparameters = [](const std::string& dataset, const std::string& recommender) {
    Hyperparameters values = tiny_values(dataset, recommender);
    values.neumf = NeuMfConfig{.max_epochs = 2};
    return values;
  };
  first_estimate(options);
  folder.write("out/stages.jsonl", lines("neumf", kRecommenderFit, 6));
  EXPECT_LT(first_estimate(options), 1000) << "some keep the first epoch, others the best";
  options.out = folder.path() / "of one rule";
  options.neumf_selection = NeuMfSelection::kBestLoss;
  first_estimate(options);
  folder.write("of one rule/stages.jsonl", lines("neumf", kRecommenderFit, 6));
  EXPECT_NEAR(first_estimate(options), 3 * kBefore, 1000);
}

TEST(FirstEstimate, OfAReportGrowsWithWhatItCompares) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "published");
  options.only = {"none of these units"};
  EXPECT_DOUBLE_EQ(first_estimate(options), 0.1);
  options.out = folder.path() / "strict";
  options.protocol = ProtocolName::kStrict;
  const double seconds = first_estimate(options);
  const auto users = make_protocol(tiny_dataset(), ProtocolName::kStrict, 1).evaluation.input.rows();
  const double combinations = 2 * 4;  // settings and generators
  EXPECT_NEAR(seconds / (static_cast<double>(users) * combinations), 8e-5, 1e-9) << "in proportion, " << users << " users";
  options.threads = 2;
  EXPECT_DOUBLE_EQ(first_estimate(options), seconds / 2);
}

/// What each stage's beginning has for threads, by job.
class ThreadsOfJobs : public ProgressDisplay {
 public:
  using Seen = std::map<int, std::vector<int>>;
  explicit ThreadsOfJobs(Seen& seen) : seen_(seen) {}
  void show(const ProgressEvent& event) override {
    if (event.kind == ProgressEvent::Kind::kStageBegin) seen_[event.label.job].push_back(num_threads());
  }

 private:
  Seen& seen_;
};

TEST(JobThreads, AreItsShareOfThoseAskedFor) {
  for (const int jobs : {1, 2}) {
    const TempFolder folder;
    ExperimentOptions options = tiny_options(folder.path());
    options.generators = {"multivae++"};
    options.settings = {"augment"};
    options.jobs = jobs;
    options.threads = 6;
    ThreadsOfJobs::Seen seen;
    run(options, std::make_unique<ThreadsOfJobs>(seen));
    ASSERT_EQ(seen.size(), 3U) << "the report and two runs";
    const int each = 6 / jobs;
    bool shared = false;
    for (const int job : {1, 2}) {
      for (const int threads : seen[job]) {
        EXPECT_TRUE(threads == each || threads == 6) << threads << " of a job of " << jobs;
        shared = shared || threads == each;
      }
    }
    EXPECT_TRUE(shared) << jobs;  // a job that is the last one has all
  }
}

}  // namespace
}  // namespace tapestry::recsys
