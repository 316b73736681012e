// apps/reproduce on what it must refuse: one line on standard error, the right exit status, nothing left behind.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "recsys/experiment/folder_lock.h"
#include "tensor/cuda/cuda_memory.h"
#include "tests/apps/child_process.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::apps {
namespace {

namespace fs = std::filesystem;
using recsys::tests::read_file;
using recsys::tests::TempFolder;
using tests::Outcome;
using Arguments = std::vector<std::string>;

constexpr int kUsage = 2, kData = 3, kDevice = 4;

/// A data folder whose ml-100k is `ratings`, and a place for results.
class ReproduceInput : public testing::Test {
 protected:
  Outcome run(const Arguments& arguments) {
    Arguments all = {"--data", data().string(), "--out", out().string(), "--quick"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return tests::reproduce(folder_.path(), all);
  }

  /// Checks status, the one line and what it says, and that no results folder was made.
  void expect_refused(int status, const std::string& says, const Arguments& arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(says), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(out()));
  }

  fs::path data() const { return folder_.path() / "data"; }
  fs::path out() const { return folder_.path() / "results"; }
  void ratings(const std::string& text) { folder_.write("data/ml-100k/u.data", text); }

  TempFolder folder_;
};

/// 30 users who like 10 of 20 items each and dislike two: every item is liked 15 times.
std::string good_ratings(const std::string& end_of_line = "\n") {
  std::string text;
  for (int user = 1; user <= 30; ++user) {
    for (int n = 0; n < 12; ++n) {
      const int item = 1 + (user + n * (user % 3 == 0 ? 3 : 1)) % 20;
      text += std::to_string(user) + "\t" + std::to_string(item) + "\t" + (n < 10 ? "5" : "2") + "\t88" + end_of_line;
    }
  }
  return text;
}

const Arguments kMovies = {"--dataset", "ml-100k", "--generators", "original"};

TEST_F(ReproduceInput, MissingFolderOrFile) {
  expect_refused(kData, "ml-100k", kMovies);
  fs::create_directories(data() / "ml-100k");
  expect_refused(kData, "u.data", kMovies);
}

TEST_F(ReproduceInput, MissingColumn) {
  ratings("1\t2\t5\n");
  expect_refused(kData, "u.data:1", kMovies);
  fs::remove(data() / "ml-100k" / "u.data");
  folder_.write("data/ml-100k/ratings.csv", "userId,movieId,stars\n1,2,5\n");
  expect_refused(kData, "rating", kMovies);
}

TEST_F(ReproduceInput, NonNumericField) {
  ratings(good_ratings() + "7\t8\tgood\t88\n");
  expect_refused(kData, "u.data:361", kMovies);
  ratings("seven\t8\t5\t88\n");
  expect_refused(kData, "seven", kMovies);
}

TEST_F(ReproduceInput, RatingOutOfRange) {
  ratings("7\t8\t6\t88\n");
  expect_refused(kData, "u.data:1", kMovies);
  ratings("7\t8\tnan\t88\n");
  expect_refused(kData, "u.data:1", kMovies);
}

TEST_F(ReproduceInput, EmptyFile) {
  ratings("");
  expect_refused(kData, "u.data", kMovies);
}

TEST_F(ReproduceInput, NobodyLeft) {
  ratings("7\t8\t5\t88\n");
  expect_refused(kData, "u.data", kMovies);
}

TEST_F(ReproduceInput, UnknownNamesListTheKnownOnes) {
  expect_refused(kUsage, "ml-100k, ml-1m, amazon-luxury-beauty, amazon-digital-music, simulated", {"--dataset", "movies"});
  expect_refused(kUsage, "there are: svd", {"--recommender", "als"});
  expect_refused(kUsage, "original, ctgan, tvae, codigem, diffrec, multivae, multivae++, f-sdrm, m-sdrm",
                 {"--generators", "original,gan"});
  expect_refused(kUsage, "augment, replace", {"--setting", "both"});
  expect_refused(kUsage, "published, strict", {"--protocol", "loose"});
  expect_refused(kUsage, "published, paper", {"--variant", "other"});
  expect_refused(kUsage, "cpu, cuda, auto", {"--device", "tpu"});
  expect_refused(kUsage, "float32, tf32, bf16", {"--precision", "float16"});
}

TEST_F(ReproduceInput, AMistypedDataFolderIsNotSimulated) {
  expect_refused(kData, "does not exist", {});
  expect_refused(kData, "does not exist", {"--dataset", "all"});
  folder_.write("data", "a file");
  expect_refused(kData, "is not a folder", {});
  expect_refused(kData, "is not a folder", {"--dataset", "ml-100k"});
}

TEST_F(ReproduceInput, NumbersAreDecimal) {
  const Outcome outcome =
      run({"--dataset", "simulated", "--generators", "original", "--seed", "0100", "--runs", "010", "--jobs", "01"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("10 runs, seed 100, quick; 1 job on"), std::string::npos) << outcome.out;
  fs::remove_all(out());
  for (const char* option : {"--runs", "--seed", "--folds", "--threads", "--jobs"}) {
    expect_refused(kUsage, "0x7 is not a whole number", {"--dataset", "simulated", option, "0x7"});
  }
}

TEST_F(ReproduceInput, BadOptions) {
  expect_refused(kUsage, "--out names no folder", {"--dataset", "simulated", "--out", ""});
  expect_refused(kUsage, "separated by commas", {"--dataset", "simulated", "ml-100k"});
  expect_refused(kUsage, "--runs", {"--runs", "0"});
  expect_refused(kUsage, "--runs", {"--runs", "many"});
  expect_refused(kUsage, "--seed", {"--seed", "-1"});
  expect_refused(kUsage, "--seed", {"--seed", "18446744073709551616"});
  for (const char* seconds : {"soon", "-1", "1.5", "", "0x7"}) {
    expect_refused(kUsage, "expected a whole number of seconds, or never", {"--dataset", "simulated", "--checkpoint", seconds});
  }
  expect_refused(kUsage, "--frobnicate", {"--frobnicate"});
  expect_refused(kUsage, "--folds goes with --protocol strict", {"--dataset", "simulated", "--folds", "5"});
  expect_refused(kUsage, "multiple of folds", {"--dataset", "simulated", "--protocol", "strict", "--folds", "5", "--runs", "7"});
  expect_refused(kUsage, "--folds", {"--protocol", "strict", "--folds", "1"});
  expect_refused(kUsage, "--recommender neumf", {"--dataset", "simulated", "--neumf-selection", "best-loss"});
  expect_refused(kUsage, "extra", {"extra"});
}

TEST_F(ReproduceInput, AWrongSwitchInTheEnvironment) {
  ::setenv("TAPESTRY_GRAPHS", "maybe", 1);
  expect_refused(kUsage, "TAPESTRY_GRAPHS=maybe: on or off is expected", {"--dataset", "simulated"});
  ::unsetenv("TAPESTRY_GRAPHS");
  ::setenv("TAPESTRY_POOL", "maybe", 1);
  expect_refused(kUsage, "TAPESTRY_POOL=maybe: kept or exact is expected", {"--dataset", "simulated"});
  ::unsetenv("TAPESTRY_POOL");
}

TEST_F(ReproduceInput, TheCpuHasFloat32Only) {
  expect_refused(kUsage, "--precision tf32 is for matrix products on a GPU", {"--dataset", "simulated", "--precision", "tf32"});
  expect_refused(kUsage, "float32", {"--dataset", "simulated", "--device", "cpu", "--precision", "bf16"});
}

TEST_F(ReproduceInput, CudaIsRefusedNotReplaced) {
  if (cuda_available()) GTEST_SKIP() << "this machine has a GPU to compute on";
  expect_refused(kUsage, "--precision tf32", {"--dataset", "simulated", "--device", "auto", "--precision", "tf32"});
  expect_refused(kDevice, "--device cuda", {"--device", "cuda"});
  const Outcome outcome = run({"--dataset", "simulated", "--generators", "original", "--device", "auto"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("device: cpu ("), std::string::npos) << outcome.out;
}

TEST_F(ReproduceInput, TheDoctorSaysWhyNoGpuIsUsed) {
  const Outcome outcome = run({"--doctor"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const bool usable = outcome.out.find("The GPU works.") != std::string::npos;
  const std::size_t reason = outcome.out.find("No GPU is used: ");
  EXPECT_TRUE(usable != (reason != std::string::npos)) << outcome.out;
  // The refusal gives the same reason.
  const std::string text = usable ? "CPU only" : outcome.out.substr(reason + 16, outcome.out.rfind(".\n") - reason - 16);
  EXPECT_NE(run({"--device", "cuda"}).err.find(text), std::string::npos) << text;
}

TEST_F(ReproduceInput, OutputFolderThatCannotBeWritten) {
  const std::string below_a_file = folder_.write("file", "text").string() + "/results";
  expect_refused(kUsage, "cannot be written", {"--dataset", "simulated", "--out", below_a_file});
}

TEST_F(ReproduceInput, ForeignResultsInTheWay) {
  folder_.write("other/results.csv", "precious");
  const std::string other = (folder_.path() / "other").string();
  expect_refused(kUsage, "results.csv", {"--dataset", "simulated", "--out", other});
  EXPECT_EQ(read_file(other + "/results.csv"), "precious");
  EXPECT_FALSE(fs::exists(other + "/config.json"));
}

TEST_F(ReproduceInput, ResultsOfAnotherConfigurationInTheWay) {
  const Arguments job = {"--dataset", "simulated", "--generators", "original"};
  ASSERT_EQ(run(job).status, 0);
  const std::string before = read_file(out() / "results.csv");
  const Arguments other = {"--dataset", "simulated", "--generators", "original", "--seed", "2"};
  const Outcome outcome = run(other);
  EXPECT_EQ(outcome.status, kUsage);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_NE(outcome.err.find("seed is 1 there and 2 here"), std::string::npos) << outcome.err;
  EXPECT_EQ(read_file(out() / "results.csv"), before);
  EXPECT_EQ(run(job).status, 0);
}

TEST_F(ReproduceInput, WindowsLineEndsAndByteOrderMarkAreAccepted) {
  ratings(good_ratings());
  ASSERT_EQ(run(kMovies).status, 0);
  const std::string plain = read_file(out() / "results.csv");
  EXPECT_GT(std::count(plain.begin(), plain.end(), '\n'), 20);
  // The same data set to the last bit: it goes on in the same folder.
  ratings("\xEF\xBB\xBF" + good_ratings("\r\n"));
  const Outcome outcome = run(kMovies);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("2 of 2 units are finished"), std::string::npos) << outcome.out;
  EXPECT_EQ(read_file(out() / "results.csv"), plain);
}

TEST_F(ReproduceInput, ChangedDataAreNotMixedIn) {
  ratings(good_ratings());
  ASSERT_EQ(run(kMovies).status, 0);
  ratings(good_ratings() + "30\t1\t5\t88\n30\t2\t5\t88\n30\t3\t5\t88\n");
  const Outcome outcome = run(kMovies);
  EXPECT_EQ(outcome.status, kUsage) << outcome.err;
  EXPECT_NE(outcome.err.find("ml-100k sha256"), std::string::npos) << outcome.err;
}

TEST_F(ReproduceInput, WithoutDataTheSimulatedAreUsedAndItSaysSo) {
  fs::create_directories(data());
  const Outcome outcome = run({"--generators", "original"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("ml-100k was not found in " + data().string()), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("simulated: 1000 users"), std::string::npos) << outcome.out;
}

TEST_F(ReproduceInput, APatternThatMatchesNothing) {
  expect_refused(kUsage, "'*_svd_augment_f-sdrm_run-3' matches none of the 14 units",
                 {"--dataset", "simulated", "--only", "*run-1,*_svd_augment_f-sdrm_run-3"});
}

TEST_F(ReproduceInput, APlanMakesNothing) {
  const Outcome outcome = run({"--dataset", "simulated", "--generators", "original,multivae++", "--plan"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  for (const char* part : {"0 of 6 units are finished", "recommender_fit", "5 epochs", "core-seconds"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
  }
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(ReproduceInput, ThePaperIsTwoExperiments) {
  ratings(good_ratings());
  // One unit of the first is enough to see where things go.
  const Outcome outcome = run({"--paper", "--only", "*_svd_*_original_*"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find("simulated:"), std::string::npos) << outcome.out;
  const std::string last =
      "reports: " + (out() / "published" / "report.html").string() + " " + (out() / "strict" / "report.html").string() + "\n";
  EXPECT_TRUE(outcome.out.ends_with(last)) << outcome.out;
  EXPECT_NE(outcome.out.find("m-sdrm: 0 of 1 unit finished each"), std::string::npos) << outcome.out;
  const std::string published = read_file(out() / "published" / "manifest.json");
  for (const char* name : {"ctgan", "neumf", "published", "*_svd_*_original_*"}) {
    EXPECT_NE(published.find(name), std::string::npos) << name;
  }
  const std::string strict = read_file(out() / "strict" / "manifest.json");
  EXPECT_EQ(strict.find("ctgan"), std::string::npos);
  const auto load_of = [](const std::string& manifest) {
    const std::size_t at = manifest.find("\"load\": ");
    return manifest.substr(at, manifest.find('\n', at) - at);
  };
  EXPECT_EQ(load_of(published), load_of(strict)) << "the data are read once";
}

TEST_F(ReproduceInput, AFolderThatDoesNotFitIsRefusedBeforeAnyPartIsComputed) {
  ratings(good_ratings());
  Arguments strict = kMovies;
  strict.insert(strict.end(), {"--protocol", "strict", "--seed", "7", "--out", (out() / "strict").string()});
  ASSERT_EQ(run(strict).status, 0);
  const Outcome outcome = run({"--paper", "--only", "*_svd_*_original_*"});
  EXPECT_EQ(outcome.status, kUsage);
  EXPECT_NE(outcome.err.find("strict holds results of another configuration: seed is 7 there"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(out() / "published"));
}

TEST_F(ReproduceInput, AStartThatIsRefusedDecidesNothing) {
  ratings(good_ratings());
  for (const fs::path& taken : {out(), out() / "published", out() / "strict"}) {
    const recsys::FolderLock other(taken);
    // Not quick: then the strict part's runs would not be chosen by what they cost.
    const Outcome outcome = tests::reproduce(
        folder_.path(), {"--paper", "--data", data().string(), "--out", out().string(), "--only", "*_svd_*_original_*"});
    EXPECT_EQ(outcome.status, kUsage) << outcome.err;
    EXPECT_EQ(outcome.err,
              "reproduce: another process is writing to " + taken.string() + "; wait for it or choose another --out\n");
    EXPECT_FALSE(fs::exists(out() / "strict-runs.json")) << taken;
  }
}

TEST_F(ReproduceInput, UnitsOfAnotherFolderAreTakenOver) {
  ratings(good_ratings());
  expect_refused(kUsage, "nothing can be taken from nowhere", {"--dataset", "ml-100k", "--reuse", "nowhere"});
  ASSERT_EQ(run(kMovies).status, 0);
  const fs::path second = folder_.path() / "second";
  Arguments again = kMovies;
  again.insert(again.end(), {"--out", second.string(), "--reuse", out().string()});
  Outcome outcome = run(again);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(
      outcome.out.find("2 of 2 units are finished in " + second.string() + "\n  2 of them now taken from " + out().string()),
      std::string::npos)
      << outcome.out;
  EXPECT_EQ(read_file(second / "results.json"), read_file(out() / "results.json"));
  again.insert(again.end(), {"--out", (folder_.path() / "third").string(), "--seed", "7"});
  outcome = run(again);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("another configuration: seed is 1 there and 7 here"), std::string::npos) << outcome.out;
}

// Results are not lost by a new version of the program: what an earlier one wrote (tests/golden/earlier_results, of all
// recommenders and generators) counts as finished. Who changes figures on purpose records the folder anew.
TEST_F(ReproduceInput, ResultsOfAnEarlierProgramAreTakenUp) {
  ratings(good_ratings());
  const fs::path earlier = fs::path(TAPESTRY_SOURCE_DIR) / "tests/golden/earlier_results";
  const Outcome outcome =
      run({"--recommender", "all", "--generators", "all", "--setting", "replace", "--runs", "1", "--reuse", earlier.string()});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("27 of 27 units are finished"), std::string::npos) << outcome.out;
  EXPECT_EQ(read_file(out() / "results.csv"), read_file(earlier / "results.csv"));
}

TEST_F(ReproduceInput, DataOfANameThatAreNotThePapersSaySo) {
  ratings(good_ratings());
  const Outcome outcome = run(kMovies);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("its content is not the paper's"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.find("printed figures reproduced"), std::string::npos) << outcome.out;
}

TEST_F(ReproduceInput, AllLeavesSimulatedDataOutWhereThereAreOthers) {
  ratings(good_ratings());
  EXPECT_EQ(run({"--dataset", "all", "--generators", "original"}).out.find("simulated:"), std::string::npos);
  fs::remove_all(out());
  const Outcome outcome = run({"--dataset", "all,simulated", "--generators", "original"});
  EXPECT_NE(outcome.out.find("simulated:"), std::string::npos) << outcome.out;
}

/// Nothing that is printed gets into a file of results, though their numbers are free to be given to files.
TEST_F(ReproduceInput, ClosedStandardStreamsDoNoHarm) {
  const Arguments simulated = {"--dataset", "simulated", "--generators", "original"};
  ASSERT_EQ(run(simulated).status, 0);
  const std::string expected = read_file(out() / "results.csv");
  fs::remove_all(out());
  const std::string command = std::string(TAPESTRY_REPRODUCE_BINARY) +
                              " --quick --dataset simulated --generators original --out " + out().string() + " <&- >&- 2>&-";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(read_file(out() / "results.csv"), expected);
  EXPECT_EQ(read_file(out() / ".lock"), "");
}

TEST_F(ReproduceInput, OutputThatCannotBePrintedIsAnError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  const std::string command =
      std::string(TAPESTRY_REPRODUCE_BINARY) + " --list >/dev/full 2>" + (folder_.path() / "err").string();
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), kData);
  EXPECT_NE(read_file(folder_.path() / "err").find("standard output cannot be written"), std::string::npos);
}

TEST_F(ReproduceInput, HelpIsReadableOnATerminal) {
  const std::string help = run({"--help"}).out;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  // A heading, an option whose explanation goes on in the next line, and nothing of CLI11's about bounds.
  EXPECT_NE(help.find("\nWhere results are kept:\n  --out DIR               Folder for results"), std::string::npos) << help;
  EXPECT_NE(help.find(";\n                          default all\n  --runs N                Independent"), std::string::npos)
      << help;
  EXPECT_NE(help.find("\n  --jobs N                Runs side by side"), std::string::npos) << help;
}

TEST_F(ReproduceInput, VersionAndList) {
  EXPECT_EQ(run({"--version"}).out.rfind("tapestry ", 0), 0U);
  ratings(good_ratings());
  const Outcome outcome = run({"--list"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_NE(outcome.out.find("f-sdrm"), std::string::npos) << outcome.out;
  const std::size_t line = outcome.out.find("  ml-100k ");
  ASSERT_NE(line, std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.substr(outcome.out.find('\n', line) - 5, 5), "found") << outcome.out;
  EXPECT_FALSE(fs::exists(out()));
}

}  // namespace
}  // namespace tapestry::apps
