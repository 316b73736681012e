// What cannot be read or is damaged in a folder of results ends neither a job that takes units over from it nor a plan.
#include <gtest/gtest.h>

#include "recsys/experiment/finished_work.h"
#include "recsys/experiment/plan.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

/// Whoever runs this may read any file, but no folder as one.
void make_unreadable(const fs::path& file) {
  fs::remove(file);
  fs::create_directories(file);
}

TEST(UnreadableResults, ALogOfAnotherFolderIsNamedAndLeftOut) {
  for (const char* log : {"starts.jsonl", "stages.jsonl"}) {
    const TempFolder folder;
    ExperimentOptions options = tiny_options(folder.path() / "earlier");
    options.generators = {kOriginal};
    run(options);
    make_unreadable(options.out / log);
    options.reuse = {options.out};
    options.out = folder.path() / "later";
    EXPECT_EQ(take(options).at(0).units, 2) << log;
    EXPECT_EQ(Saboteur::warnings(), 1) << log;
  }
}

TEST(UnreadableResults, APlanDoesWithoutLogsAndHistories) {
  const TempFolder folder;
  make_unreadable(folder.path() / "stages.jsonl");
  make_unreadable(folder.path() / "history/simulated/svd/run-1-vae_fit.csv");
  folder.write("history/simulated/svd/run-2-vae_fit.csv", "epoch,loss,metric\n1,2,3\n2,2,3\n");
  const FinishedWork finished(folder.path(), configuration_of(tiny_data(), tiny_options(folder.path())));
  const std::optional<KnownMean> epochs = finished.epochs("simulated", "svd", "vae_fit");
  ASSERT_TRUE(epochs.has_value());
  EXPECT_EQ(epochs->count, 1);
  EXPECT_EQ(epochs->mean, 2);
}

TEST(UnreadableResults, ADamagedUnitIsMissingInAPlan) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "out");
  options.generators = {kOriginal};
  run(options);
  const UnitKey first = {"simulated", "svd", "augment", kOriginal, 1}, second = {"simulated", "svd", "replace", kOriginal, 1};
  const std::string text = read_file(unit_file(options.out, first));
  const Configuration configuration = configuration_of(tiny_data(), options);
  EXPECT_TRUE(FinishedWork(options.out, configuration).has(first));
  EXPECT_TRUE(FinishedWork(options.out, configuration).has(second));
  std::string damaged = text;
  const std::size_t digit = text.find("0.", text.find("\"means\"")) + 2;
  damaged[digit] = text[digit] == '1' ? '2' : '1';
  const std::string name = "out/units/" + first.text() + ".json";
  folder.write(name, damaged);
  EXPECT_FALSE(FinishedWork(options.out, configuration).has(first)) << "its numbers are not those of its checksum";
  EXPECT_EQ(make_plan(tiny_data(), options).missing, 1);
  folder.write(name, read_file(unit_file(options.out, second)));
  EXPECT_FALSE(FinishedWork(options.out, configuration).has(first)) << "another unit under its name";
}

}  // namespace
}  // namespace tapestry::recsys
