// tapestry_bench on what it must refuse: one line, exit status 2, before any bench has run.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_folder.h"
#include "tests/tools/shell.h"

namespace tapestry::tests {
namespace {

namespace fs = std::filesystem;

#ifdef TAPESTRY_BENCH_BINARY
constexpr const char* kProgram = TAPESTRY_BENCH_BINARY;
#else
constexpr const char* kProgram = "";
#endif

class BenchOptions : public ::testing::Test {
 protected:
  void SetUp() override {
    if (*kProgram == '\0') GTEST_SKIP() << "tapestry_bench is not built: TAPESTRY_BENCH is off";
  }
  static Outcome bench(const std::string& arguments) { return shell("'" + std::string(kProgram) + "' " + arguments); }
  static void expect_refused(const std::string& arguments, const std::string& says) {
    const Outcome found = bench(arguments);
    EXPECT_EQ(found.status, 2) << found.out;
    EXPECT_EQ(std::count(found.out.begin(), found.out.end(), '\n'), 1) << found.out;
    EXPECT_TRUE(found.out.starts_with("tapestry_bench: ") && has(found.out, says)) << found.out;
  }
  std::string in_folder(const std::string& name) const { return "'" + (folder_.path() / name).string() + "'"; }

  TempFolder folder_;
};

TEST_F(BenchOptions, NumbersAndNames) {
  for (const char* threads : {"x", "0", "-2", "2x", "1e9"}) {
    expect_refused(std::string("elementwise --threads ") + threads, "--threads");
  }
  expect_refused("--threads", "--threads");
  expect_refused("--bogus", "not expected: --bogus");
  expect_refused("elementwise --bogus 3", "--bogus");
  expect_refused("--device tpu", "'tpu', there are: cpu, cuda");
  expect_refused("--precision fp8", "'fp8', there are: float32, tf32, bf16");
  expect_refused("--precision tf32", "--precision is for --device cuda");
  expect_refused("elementwise nothing", "'nothing', there are: kernels, ");
  // Each step is timed by one bench: `steps`, which has its floor.
  expect_refused("elementwise nothing", ", elementwise, steps, recommenders\n");
}

TEST_F(BenchOptions, HelpListsOptionsAndBenches) {
  const Outcome found = bench("--help");
  EXPECT_EQ(found.status, 0) << found.out;
  for (const char* part : {"--threads N", "--device NAME", "--precision NAME", "--json FILE", "kernels, steps"}) {
    EXPECT_TRUE(has(found.out, part)) << part << " in\n" << found.out;
  }
}

TEST_F(BenchOptions, AFileThatCannotBeWrittenIsNamedFirst) {
  expect_refused("elementwise --json " + in_folder("none/x.json"), "none/x.json cannot be written");
  // The table, which lies beside it, is tried as well.
  fs::create_directory(folder_.path() / "y.md");
  expect_refused("elementwise --json " + in_folder("y.json"), "y.md cannot be written");
  EXPECT_FALSE(fs::exists(folder_.path() / "y.json")) << "a file without figures";
}

TEST_F(BenchOptions, TryingAFileLeavesItAsItWas) {
  const fs::path kept = folder_.write("z.json", "figures of another day");
  fs::create_directory(folder_.path() / "z.md");
  expect_refused("elementwise --json " + in_folder("z.json"), "z.md cannot be written");
  std::ifstream in(kept);
  std::string text;
  std::getline(in, text);
  EXPECT_EQ(text, "figures of another day");
}

}  // namespace
}  // namespace tapestry::tests
