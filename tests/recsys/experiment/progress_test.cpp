// recsys/experiment/progress.h and eta.h: what is shown while a job runs.
#include "recsys/experiment/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

namespace tapestry::recsys {
namespace {

TEST(EtaEstimator, SharesWorkOutAndKnowsTheLongestJob) {
  EtaEstimator eta;
  for (const int job : {1, 2, 3}) eta.plan(job, "fit", 10);
  eta.plan(1, "evaluate", 2);
  EXPECT_DOUBLE_EQ(eta.remaining(0, 1), 32);
  EXPECT_DOUBLE_EQ(eta.remaining(0, 2), 16);
  EXPECT_DOUBLE_EQ(eta.remaining(0, 8), 12);
}

TEST(EtaEstimator, LearnsFromWhatStagesTook) {
  EtaEstimator eta;
  for (const int job : {1, 2}) eta.plan(job, "fit", 10);
  const auto task = eta.begin(1, "fit", 0);
  eta.advance(task, 0.25);
  EXPECT_DOUBLE_EQ(eta.remaining(5, 1), 15 + 20);  // a quarter took 5 s: 20 s each
  eta.end(task, 16);
  EXPECT_DOUBLE_EQ(eta.remaining(16, 1), 16);
  // A stage that never ran is corrected by the pace of the others, of which 16 s for 10 s are known: (16 + 5) / (10 + 5).
  eta.plan(2, "sample", 5);
  EXPECT_DOUBLE_EQ(eta.remaining(16, 1), 16 + 7);
}

TEST(EtaEstimator, LearnsLittleFromShortStages) {
  EtaEstimator eta;
  for (const double guess : {0.01, 300.0}) eta.plan(1, "fit", guess);
  eta.end(eta.begin(1, "fit", 0), 0.04);  // four times its guess, and a five hundredth of the five seconds that are trusted
  const double others = (0.04 + 5) / (0.01 + 5);
  EXPECT_NEAR(eta.remaining(0.04, 1), 300 * (0.002 * 4 + 0.998 * others), 1e-9);
}

TEST(EtaEstimator, SilentStagesAndSkippedOnes) {
  EtaEstimator eta;
  eta.plan(1, "fit", 10);
  eta.plan(1, "evaluate", 5);
  const auto task = eta.begin(1, "fit", 0);
  EXPECT_DOUBLE_EQ(eta.remaining(4, 1), 6 + 5);
  EXPECT_DOUBLE_EQ(eta.remaining(100, 1), 0.5 + 5);
  eta.end(task, 10);
  eta.finish_job(1);  // never evaluated
  EXPECT_DOUBLE_EQ(eta.remaining(100, 1), 0);
}

TEST(EtaEstimator, UnforeseenWorkTeachesNothing) {
  EtaEstimator eta;
  eta.end(eta.begin(0, "load", 0), 50);
  eta.plan(1, "fit", 10);
  EXPECT_DOUBLE_EQ(eta.remaining(50, 1), 10);
}

TEST(EtaEstimator, AFitThatGoesOnHasTakenTheTimeOfItsEarlierStarts) {
  EtaEstimator eta;
  for (const int job : {1, 2}) eta.plan(job, "fit", 10);
  const auto task = eta.begin(1, "fit", 100);
  eta.advance(task, 0.75);
  eta.count_earlier(task, 30);
  EXPECT_DOUBLE_EQ(eta.remaining(100, 1), 10 + 40);  // three quarters took 30 s
  eta.end(task, 110);
  EXPECT_DOUBLE_EQ(eta.remaining(110, 1), 40);
}

TEST(BarDisplay, Line) {
  EXPECT_EQ(BarDisplay::line(30, 90, "ml-100k run 1/5 vae_fit", 200),
            "[######..................]  25 %  ETA 1:30  ml-100k run 1/5 vae_fit");
  EXPECT_EQ(BarDisplay::line(0, 0, "x", 200), "[........................]   0 %  ETA 0:00  x");
  EXPECT_EQ(BarDisplay::line(0, 3725, "x", 200).find("ETA 1:02:05"), 34U);
  EXPECT_EQ(BarDisplay::line(1, 1, "a long text", 40).size(), 39U);
  EXPECT_EQ(cut_to_line("measuring", 10), "measuring");
  EXPECT_EQ(cut_to_line("measuring", 9), "measurin");
  EXPECT_EQ(cut_to_line("measuring", 0), "");
}

/// A file in the place of a terminal; it is as wide as one whose width is not known.
class Screen {
 public:
  Screen() : file_(std::tmpfile()) {
    if (file_ == nullptr) throw std::runtime_error("cannot make a file");
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() { std::fclose(file_); }
  std::FILE* terminal() const { return file_; }
  /// What was written since the last call.
  std::string written() {
    std::fflush(file_);
    std::fseek(file_, read_, SEEK_SET);
    std::string text;
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) text += static_cast<char>(c);
    std::fseek(file_, 0, SEEK_END);
    read_ = std::ftell(file_);
    return text;
  }

 private:
  std::FILE* file_;
  long read_ = 0;
};

constexpr const char* kErased = "\r\x1b[K";
constexpr std::size_t kColumns = 80;

TEST(BarDisplay, IsRedrawnInPlaceAndTakenAway) {
  Screen screen;
  {
    BarDisplay bar(screen.terminal());
    ProgressEvent event = {
        .kind = ProgressEvent::Kind::kStageBegin, .label = {1, "ml-100k", "svd", 1, 5, "vae_fit"}, .progress = {}, .text = {}};
    event.remaining = 10;
    bar.show(event);
    const std::string doing = "ml-100k run 1/5 vae_fit";
    EXPECT_EQ(screen.written(), kErased + BarDisplay::line(0, 10, doing, kColumns));
    bar.tick(0.05, 9.9);
    EXPECT_EQ(screen.written(), "") << "at most ten times a second";
    bar.tick(0.2, 9.5);
    EXPECT_EQ(screen.written(), kErased + BarDisplay::line(0.2, 9.5, doing, kColumns));
    event = {.kind = ProgressEvent::Kind::kWarning, .label = {}, .progress = {}, .text = "odd", .elapsed = 0.21, .remaining = 9};
    bar.show(event);
    EXPECT_EQ(screen.written(), kErased + std::string("warning: odd\n") + kErased + BarDisplay::line(0.21, 9, doing, kColumns));
    bar.clear();
    EXPECT_EQ(screen.written(), kErased);
    bar.clear();
    EXPECT_EQ(screen.written(), "") << "it is gone";
    bar.tick(0.22, 9);
    EXPECT_EQ(screen.written(), kErased + BarDisplay::line(0.22, 9, doing, kColumns)) << "it comes back";
  }
  EXPECT_EQ(screen.written(), kErased) << "what comes next begins at the left";
}

/// Counts how often it is told this time.
class Ticks : public ProgressDisplay {
 public:
  explicit Ticks(std::atomic<int>& count) : count_(count) {}
  void show(const ProgressEvent& /*event*/) override {}
  void tick(double elapsed, double remaining) override { count_ += elapsed == 7 && remaining == 30 ? 1 : 0; }

 private:
  std::atomic<int>& count_;
};

TEST(Progress, KeepsTheDisplayMovingWhileNothingHappens) {
  std::atomic<int> count = 0;
  Progress progress(std::make_unique<Ticks>(count), /*ticking=*/true, [] { return 7.0; });
  progress.plan(1, "fit", 30);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (count < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_GE(count, 2);
}

/// A Progress whose lines and time the test holds in its hands.
struct Recorded {
  double now = 0;
  std::vector<nlohmann::json> lines;
  Progress progress{
      std::make_unique<JsonLinesDisplay>([this](const std::string& line) { lines.push_back(nlohmann::json::parse(line)); }),
      false, [this] { return now; }};
  StageLabel label = {1, "ml-100k", "svd", 2, 5, "vae_fit"};
};

TEST(JsonLines, WaitUntilReleased) {
  Recorded record;
  record.progress.begin(record.label);
  record.progress.warn("a \"quoted\"\nwarning");
  EXPECT_TRUE(record.lines.empty());
  record.progress.release();
  ASSERT_EQ(record.lines.size(), 2U);
  EXPECT_EQ(record.lines[0]["event"], "stage_begin");
  EXPECT_EQ(record.lines[0]["run"], 2);
  EXPECT_EQ(record.lines[1]["message"], "a \"quoted\"\nwarning");
}

TEST(JsonLines, AtMostFourEpochsASecondButEveryBeginAndEnd) {
  Recorded record;
  record.progress.release();
  record.progress.plan(1, "vae_fit", 100);
  const auto task = record.progress.begin(record.label);
  for (int epoch = 0; epoch < 100; ++epoch) {
    record.now += 0.02;
    record.progress.advance(task, record.label, {.fraction = (epoch + 1) / 100.0, .epoch = epoch, .loss = 3.5, .metric = 0.25});
  }
  EXPECT_NEAR(record.progress.end(task, record.label), 2.0, 1e-9);
  record.progress.unit(record.label, "a unit");
  const auto epochs =
      std::count_if(record.lines.begin(), record.lines.end(), [](const auto& line) { return line["event"] == "epoch"; });
  EXPECT_GE(epochs, 4);
  EXPECT_LE(epochs, 8);
  EXPECT_EQ(record.lines[1]["epoch"], 1);
  EXPECT_EQ(record.lines[1]["loss"], 3.5);
  EXPECT_EQ(record.lines[1]["metric"], 0.25);
  EXPECT_NEAR(record.lines[1]["eta_seconds"].get<double>(), 2.0, 0.1);
  EXPECT_FALSE(record.lines[1].contains("metric_name"));
  EXPECT_EQ(record.lines[record.lines.size() - 2]["event"], "stage_end");
  EXPECT_EQ(record.lines.back()["unit"], "a unit");
}

TEST(JsonLines, TellOfAFitThatGoesOnAndCountItsEarlierTime) {
  Recorded record;
  record.progress.release();
  record.progress.plan(1, "vae_fit", 100);
  record.now = 50;
  const auto task = record.progress.begin(record.label);
  record.progress.advance(task, record.label,
                          {.fraction = 0.5, .epoch = 39, .loss = 3.5, .earlier = StageProgress::Earlier{60.04, true}});
  EXPECT_EQ(record.lines.back()["event"], "resumed");
  EXPECT_EQ(record.lines.back()["epoch"], 40);
  EXPECT_EQ(record.lines.back()["earlier_seconds"], 60.0);
  EXPECT_NEAR(record.lines.back()["eta_seconds"].get<double>(), 60, 0.1);
  record.now += 10;
  record.progress.advance(task, record.label, {.fraction = 0.6, .epoch = 40, .loss = 3.25});
  EXPECT_EQ(record.lines.back()["event"], "epoch");
  EXPECT_FALSE(record.lines.back().contains("earlier_seconds"));
  EXPECT_NEAR(record.progress.end(task, record.label), 70.04, 1e-9);
}

TEST(JsonLines, NameTheMetricWhereTheStageDoesNot) {
  Recorded record;
  record.progress.release();
  record.label.stage = "recommender_fit";
  const auto task = record.progress.begin(record.label);
  record.progress.advance(task, record.label, {.epoch = 0, .loss = 3.5, .metric = 0.25, .metric_name = "RMSE"});
  EXPECT_EQ(record.lines.back()["metric"], 0.25);
  EXPECT_EQ(record.lines.back()["metric_name"], "RMSE");
}

}  // namespace
}  // namespace tapestry::recsys
