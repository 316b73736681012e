// apps/reproduce when figures failed: the rest is computed, all reports are written, and the exit status is 5.
#include <gtest/gtest.h>

#include <iostream>
#include <sstream>

#include "apps/failures.h"
#include "tensor/error.h"
#include "tests/apps/child_process.h"
#include "tests/apps/failed_unit.h"

namespace tapestry::apps {
namespace {

namespace fs = std::filesystem;
using recsys::tests::read_file;
using recsys::tests::TempFolder;
using tests::Outcome;

constexpr int kFiguresFailed = 5;
constexpr const char* kUnit = "simulated_svd_augment_multivae++_run-1";
constexpr const char* kReason = "MultiVAE diverged in epoch 1";

class FailedFigures : public testing::Test {
 protected:
  Outcome run(std::vector<std::string> arguments) {
    for (const char* word :
         {"--dataset", "simulated", "--quick", "--runs", "1", "--generators", "original,multivae++", "--out"}) {
      arguments.emplace_back(word);
    }
    arguments.push_back(out().string());
    return tests::reproduce(folder_.path(), arguments);
  }
  void let_fail(const fs::path& part) { tests::let_fail(part / "units" / (std::string(kUnit) + ".json"), kReason); }
  static void expect_named(const Outcome& outcome, int times = 1) {
    EXPECT_EQ(outcome.status, kFiguresFailed) << outcome.err;
    const std::string line = std::string("Failed, and not tried again:\n  ") + kUnit + ": " + kReason + "\n";
    std::size_t at = 0;
    int found = 0;
    while ((at = outcome.out.find(line, at)) != std::string::npos) {
      ++found;
      at += line.size();
    }
    EXPECT_EQ(found, times) << outcome.out;
  }
  fs::path out() const { return folder_.path() / "results"; }

  TempFolder folder_;
};

TEST_F(FailedFigures, AreAStatusOfTheirOwn) {
  ASSERT_EQ(run({}).status, 0);
  let_fail(out());
  fs::remove(out() / "report.html");
  for (int start = 0; start < 2; ++start) expect_named(run({}));  // it is not tried again
  EXPECT_TRUE(fs::exists(out() / "report.html"));
  EXPECT_NE(read_file(out() / "table.md").find(kReason), std::string::npos);
}

TEST_F(FailedFigures, OfOnePartDoNotKeepThePaperFromTheOther) {
  ASSERT_EQ(run({"--paper", "--recommender", "svd"}).status, 0);
  let_fail(out() / "published");
  fs::remove(out() / "strict" / "report.html");
  const Outcome outcome = run({"--paper", "--recommender", "svd"});
  expect_named(outcome);
  EXPECT_NE(outcome.out.find("\nreports: "), std::string::npos) << outcome.out;
  EXPECT_TRUE(fs::exists(out() / "strict" / "report.html"));
}

TEST_F(FailedFigures, OfAnAblationAreNamedWithIt) {
  ASSERT_EQ(run({"--ablations", "without-tied-layers"}).status, 0);
  let_fail(out() / "without-tied-layers");
  fs::remove(out() / "deviations.md");
  const Outcome outcome = run({"--ablations", "without-tied-layers"});
  expect_named(outcome);
  EXPECT_LT(outcome.out.find("svd, without-tied-layers: "), outcome.out.find(kUnit)) << outcome.out;
  EXPECT_NE(read_file(out() / "deviations.md").find(concat("\n* `without-tied-layers/", kUnit, "`: ", kReason, "\n")),
            std::string::npos);
  EXPECT_EQ(read_file(out() / "deviations.csv").find("without-tied-layers,simulated,svd,augment,multivae++,"), std::string::npos);
}

TEST(PrintFailures, NamesTenAndCountsTheRest) {
  const auto printed = [](int count) {
    std::vector<recsys::Failure> failures;
    for (int i = 1; i <= count; ++i) failures.push_back({concat("unit-", i), "diverged"});
    std::ostringstream text;
    std::streambuf* const before = std::cout.rdbuf(text.rdbuf());
    const int status = print_failures(failures);
    std::cout.rdbuf(before);
    EXPECT_EQ(status, count == 0 ? 0 : kFiguresFailed);
    return text.str();
  };
  EXPECT_EQ(printed(0), "");
  const std::string ten = printed(10), thirteen = printed(13);
  EXPECT_TRUE(ten.ends_with("\n  unit-10: diverged\n")) << ten;
  EXPECT_TRUE(thirteen.ends_with("\n  unit-10: diverged\n  and 3 more, which the reports name\n")) << thirteen;
}

}  // namespace
}  // namespace tapestry::apps
