// The scripts that need a GPU or PyTorch, as far as they go without: what they are given comes from files and programs made here.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>

#include "tests/support/temp_folder.h"
#include "tests/tools/shell.h"

namespace tapestry::tests {
namespace {

class CompareWithPyTorch : public ::testing::Test {
 protected:
  void SetUp() override {
    if (shell("python3 --version").status != 0) GTEST_SKIP() << "there is no python3";
  }
  Outcome compare(const std::string& ours, const std::string& theirs) const {
    folder_.write("ours.json", ours);
    folder_.write("theirs.json", theirs);
    const std::string folder = folder_.path().string();
    return shell("python3 -B '" TAPESTRY_SOURCE_DIR "/bench/pytorch/compare.py' '" + folder + "/ours.json' '" + folder +
                 "/theirs.json'");
  }

 private:
  TempFolder folder_;
};

/// On a GPU every step of ours comes twice, and an older file has no first losses.
const std::string kOurs = R"({"device": "cuda", "figures": [
  {"part": "kernels", "name": "dropout", "microseconds": 3.5, "times": 100, "flops": 0, "bytes": 1000},
  {"part": "steps", "name": "VAE step, A", "microseconds": 500, "times": 40, "flops": 2e9, "bytes": 1e8, "parameters": 1000},
  {"part": "steps", "name": "VAE step, A, every step called", "microseconds": 900, "times": 40, "flops": 2e9, "bytes": 1e8},
  {"part": "steps", "name": "SDRM step, A", "microseconds": 250, "times": 40, "parameters": 99, "first_loss": 1.25},
  {"part": "steps", "name": "SVD fit and evaluation, A", "microseconds": 2000, "times": 5}]})";

TEST_F(CompareWithPyTorch, WhatASideDoesNotHaveIsADash) {
  const Outcome found = compare(kOurs, R"({"torch": "2.11.0", "device": "cuda", "figures": [
    {"name": "VAE step, A", "mode": "eager", "microseconds": 1500, "times": 9, "parameters": 1000, "flops": 3e9, "first_loss": 7.5},
    {"name": "VAE step, A", "mode": "graphs", "microseconds": 1000, "times": 9, "parameters": 1000, "flops": 3e9, "first_loss": 7.5},
    {"name": "SDRM step, A", "mode": "both", "microseconds": 500, "times": 9, "parameters": 99, "flops": 4e9},
    {"name": "SVD fit and evaluation, A", "mode": "eager", "microseconds": 1000, "times": 3}]})");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "| | eager | graphs | both | ours | eager / ours | best / ours |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| VAE step, A | 1.500 | 1.000 | - | 0.500 | 3.00 | - |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| SDRM step, A | - | - | 0.500 | 0.250 | - | - |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| SVD fit and evaluation, A | 1.000 | - | - | 2.000 | 0.50 | - |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| VAE step, A | 1000 | 1000 | 3.000 | 2.000 | 7.5 | - |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| SDRM step, A | 99 | 99 | 4.000 | - | - | 1.25 |\n")) << found.out;
  EXPECT_FALSE(has(found.out, "every step called")) << found.out;
}

/// And the best is known where nothing that could be better is missing.
TEST_F(CompareWithPyTorch, BesideGraphsTheCompiledModeHasARatioOfItsOwn) {
  const Outcome found = compare(kOurs, R"({"torch": "2.11.0", "device": "cuda", "figures": [
    {"name": "VAE step, A", "mode": "eager", "microseconds": 1500, "times": 9},
    {"name": "SDRM step, A", "mode": "eager", "microseconds": 1000, "times": 9},
    {"name": "VAE step, A", "mode": "compiled", "microseconds": 900, "times": 9},
    {"name": "VAE step, A", "mode": "graphs", "microseconds": 600, "times": 9},
    {"name": "VAE step, A", "mode": "both", "microseconds": 550, "times": 9},
    {"name": "SDRM step, A", "mode": "compiled", "microseconds": 500, "times": 9},
    {"name": "SDRM step, A", "mode": "graphs", "microseconds": 750, "times": 9}]})");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "| | eager | compiled | graphs | both | ours | eager / ours | compiled / ours | best / ours |\n"))
      << found.out;
  EXPECT_TRUE(has(found.out, "| VAE step, A | 1.500 | 0.900 | 0.600 | 0.550 | 0.500 | 3.00 | 1.80 | 1.10 |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| SDRM step, A | 1.000 | 0.500 | 0.750 | - | 0.250 | 4.00 | 2.00 | - |\n")) << found.out;
}

TEST_F(CompareWithPyTorch, OnTheCpuTheBestIsKnownWithoutGraphs) {
  const Outcome found = compare(kOurs, R"({"torch": "2.11.0", "device": "cpu", "figures": [
    {"name": "VAE step, A", "mode": "eager", "microseconds": 1500, "times": 9},
    {"name": "SDRM step, A", "mode": "eager", "microseconds": 1000, "times": 9},
    {"name": "VAE step, A", "mode": "compiled", "microseconds": 900, "times": 9}]})");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "| VAE step, A | 1.500 | 0.900 | 0.500 | 3.00 | 1.80 |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| SDRM step, A | 1.000 | - | 0.250 | 4.00 | - |\n")) << found.out;
}

/// They are timed in one mode: that is not PyTorch's best, and pandas is not PyTorch.
TEST_F(CompareWithPyTorch, RecommendersHaveATableOfTimesAlone) {
  const Outcome found =
      compare(R"({"figures": [{"part": "recommenders", "name": "MLP step, A", "microseconds": 1000, "times": 30},
    {"part": "recommenders", "name": "ranking from scores, A", "microseconds": 500, "times": 15}]})",
              R"({"torch": "2.11.0", "pandas": "3.1", "device": "cpu", "figures": [
    {"name": "MLP step, A", "mode": "eager", "microseconds": 4000, "times": 30},
    {"name": "ranking from scores, A", "mode": "pandas", "microseconds": 9000, "times": 3}]})");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "## Beside PyTorch 2.11.0 and pandas 3.1\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| | eager | pandas | ours | eager / ours | pandas / ours | best / ours |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| MLP step, A | 4.000 | - | 1.000 | 4.00 | - | - |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| ranking from scores, A | - | 9.000 | 0.500 | - | 18.00 | - |\n")) << found.out;
  EXPECT_FALSE(has(found.out, "first loss")) << found.out;
}

TEST_F(CompareWithPyTorch, EpochsShowThatBothSidesDoTheSame) {
  const Outcome found =
      compare(R"({"figures": [{"part": "recommenders", "name": "MLP step, A", "microseconds": 1000, "times": 30},
    {"part": "recommenders", "name": "MLP epoch, A", "microseconds": 50000, "times": 3, "parameters": 700, "updates": 68,
     "first_loss": 0.1234},
    {"part": "recommenders", "name": "NeuMF epoch, A", "microseconds": 2000, "times": 3, "parameters": 90, "updates": 466}]})",
              R"({"torch": "2.11.0", "device": "cpu", "figures": [
    {"name": "MLP step, A", "mode": "eager", "microseconds": 4000, "times": 30},
    {"name": "NeuMF epoch, A", "mode": "eager", "microseconds": 7000, "times": 3, "parameters": 90, "updates": 465, "first_loss": 0.7},
    {"name": "MLP epoch, A", "mode": "eager", "microseconds": 300000, "times": 3, "parameters": 700, "updates": 68,
     "first_loss": 0.12}]})");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "| MLP epoch, A | 300.000 | 50.000 | 6.00 | - |\n")) << found.out;
  EXPECT_TRUE(has(found.out, "| NeuMF epoch, A | 7.000 | 2.000 | 3.50 | - |\n")) << found.out;
  EXPECT_TRUE(
      has(found.out,
          "| | parameters, PyTorch | ours | updates of the first epoch, PyTorch | ours | its mean loss, PyTorch | ours |\n"
          "|---|---|---|---|---|---|---|\n"
          "| MLP epoch, A | 700 | 700 | 68 | 68 | 0.12 | 0.1234 |\n"
          "| NeuMF epoch, A | 90 | 90 | 465 | 466 | 0.7 | - |\n"))
      << found.out;
  EXPECT_FALSE(has(found.out, "| MLP step, A | -")) << found.out;
}

/// An nproc that says 1, but 0 where OpenMP is told how many threads it may have.
const std::string kNproc = R"([ -n "${OMP_NUM_THREADS:-}${OMP_THREAD_LIMIT:-}" ] && echo 0 || echo 1)";

/// tools/bench_pytorch.sh with programs of this test's own: a bench, and a Python that has PyTorch if there is a file `torch`.
class BenchPyTorch : public ::testing::Test {
 protected:
  void SetUp() override {
    write_program(folder_, "bench",
                  "echo \"$*\"; for word; do [ \"${last:-}\" != --json ] || echo '{}' >\"$word\"; last=$word; done");
    write_program(folder_, "python3", R"(case "$1" in
  -c) [ -e "${0%/*}/torch" ] ;;
  */compare.py) echo "## Beside PyTorch 2" ;;
  *) while [ "$1" != --json ]; do shift; done; [ "$ENDS" = 7 ] || echo '{}' >"$2"; exit "$ENDS" ;;
esac)");
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  Outcome beside(const std::string& settings) const {
    return shell("PATH='" + folder_.path().string() + "':\"$PATH\" BENCH='" + path("bench") + "' " + settings +
                 " '" TAPESTRY_SOURCE_DIR "/tools/bench_pytorch.sh' cuda '" + path("ours") + "'");
  }

  TempFolder folder_;
};

TEST_F(BenchPyTorch, WithoutPyTorchNothingIsMeasured) {
  const Outcome named = beside("PYTHON='" + path("python3") + "'");
  EXPECT_EQ(named.status, 2) << named.out;
  const Outcome found = beside("PYTHON=");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_EQ(found.out,
            "bench_pytorch: python3 has no PyTorch, and nothing is measured without: PYTHON=program names one that has it\n");
  EXPECT_EQ(
      beside("PYTHON=no-such-python").out,
      "bench_pytorch: no-such-python has no PyTorch, and nothing is measured without: PYTHON=program names one that has it\n");
  EXPECT_FALSE(std::filesystem::exists(path("ours.json"))) << "ours alone was measured";
}

TEST_F(BenchPyTorch, TheTableSaysThatItIsNotWhole) {
  folder_.write("torch", "");
  EXPECT_EQ(beside("ENDS=0").status, 0);
  EXPECT_EQ(content(path("ours.md")), "\n## Beside PyTorch 2\n");
  std::filesystem::remove(path("ours.md"));
  EXPECT_EQ(beside("ENDS=3").status, 3);
  EXPECT_EQ(beside("ENDS=7").status, 7) << "before it measured anything";
  EXPECT_EQ(content(path("ours.md")),
            "\n## Beside PyTorch 2\n\nsdrm_steps.py did not come to its end: what it has measured is compared.\n"
            "\n## Beside PyTorch\n\nsdrm_steps.py did not come to its end, and has measured nothing.\n");
}

TEST_F(BenchPyTorch, BothHaveAllProcessorsWhateverOpenMpIsTold) {
  folder_.write("torch", "");
  write_program(folder_, "nproc", kNproc);
  const Outcome found = beside("OMP_NUM_THREADS=1 OMP_THREAD_LIMIT=1 ENDS=0");
  EXPECT_TRUE(has(found.out, "--device cuda --threads 1 --json ")) << found.out;
}

TEST(Jobs, AreAsManyAsProcessorsWhateverOpenMpIsTold) {
  const TempFolder folder;
  write_program(folder, "nproc", kNproc);
  const std::string path = "PATH='" + folder.path().string() + "':\"$PATH\" ";
  EXPECT_EQ(shell(path + "OMP_NUM_THREADS=1 OMP_THREAD_LIMIT=1 '" TAPESTRY_SOURCE_DIR "/tools/jobs.sh'").out, "1\n");
}

/// A program that runs one of bench/pytorch where nothing of PyTorch, numpy or pandas does anything: its folder is the first
/// argument.
constexpr const char* kNothingOfPyTorch = R"(import sys
from unittest.mock import MagicMock
torch = MagicMock(__version__="2")
torch.nn.Module = object
torch.get_num_threads.return_value = 2
for name in ("torch", "torch._dynamo", "torch.nn", "torch.utils", "torch.utils.flop_counter"):
    sys.modules[name] = torch
sys.modules["numpy"], sys.modules["pandas"] = MagicMock(), MagicMock(__version__="3")
sys.path.insert(0, sys.argv.pop(1))
)";

/// Such a program with what follows: what it says, and what its file says besides the figures.
class ProgramsInPyTorch : public ::testing::Test {
 protected:
  void SetUp() override {
    if (shell("python3 --version").status != 0) GTEST_SKIP() << "there is no python3";
  }
  Outcome run(const std::string& body, const std::string& arguments) const {
    const std::string program = folder_.write("program.py", kNothingOfPyTorch + body).string();
    return shell("python3 -B '" + program + "' '" TAPESTRY_SOURCE_DIR "/bench/pytorch' " + arguments + " --json '" +
                 file().string() + "'");
  }
  std::filesystem::path file() const { return folder_.path() / "figures.json"; }

 private:
  TempFolder folder_;
};

TEST_F(ProgramsInPyTorch, NameTheDeviceThatDecidesWhatIsTheBest) {
  const Outcome found = run(R"(import recommenders
recommenders.ranking = lambda name, *sizes: recommenders.report("ranking, " + name, "pandas", [2e-3])
recommenders.main())",
                            "ranking");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(content(file()), "\"device\": \"cpu\"")) << content(file());
}

/// A run that is stopped while it compiles then has lines of which all modes were timed.
TEST_F(ProgramsInPyTorch, CompileALineInAllModesBeforeTheNext) {
  const std::string body = R"(import sdrm_steps
sdrm_steps.made_up_rows = sdrm_steps.schedule = sdrm_steps.MultiVae = sdrm_steps.ScoreModel = MagicMock()
sdrm_steps.VAE, sdrm_steps.SDRM = {name: (1,) * 6 for name in "ab"}, {"c": (1,) * 4}
sdrm_steps.update = lambda model, loss, mode, **options: mode
sdrm_steps.facts_of = lambda *given: {}
sdrm_steps.timed = lambda step, together: [1e-3]
sdrm_steps.main())";
  const auto order = [&] {
    std::string lines, text = content(file());
    const std::regex pattern(R"re("name": "[A-Za-z ]*step, ([a-z])",\s*"mode": "([a-z]+)")re");
    for (std::sregex_iterator one(text.begin(), text.end(), pattern), end; one != end; ++one)
      lines += (*one)[1].str() + " " + (*one)[2].str() + "\n";
    return lines;
  };
  Outcome found = run(body, "--device cuda vae sdrm");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_EQ(order(),
            "a eager\nb eager\nc eager\na graphs\nb graphs\nc graphs\n"
            "a compiled\na both\nb compiled\nb both\nc compiled\nc both\n")
      << found.out;
  found = run(body, "--device cpu sdrm vae");
  EXPECT_EQ(order(), "c eager\na eager\nb eager\nc compiled\na compiled\nb compiled\n") << found.out;
}

/// tools/check_layout.py on a page of this test's own.
class LayoutScript : public ::testing::Test {
 protected:
  Outcome look_at(const std::string& body, const std::string& settings = "") const {
    const std::filesystem::path page =
        folder_.write("page.html", "<!DOCTYPE html><html><head><title>x</title></head><body>" + body + "</body></html>");
    return shell(settings + " '" TAPESTRY_SOURCE_DIR "/tools/check_layout.py' '" + page.string() + "'");
  }

 private:
  TempFolder folder_;
};

TEST_F(LayoutScript, NamesWhatReachesTooFarAndWhatOverlaps) {
  const std::string chart = "<figure><svg viewBox=\"0 0 200 50\" width=\"200\"><text x=\"10\" y=\"20\">one</text>";
  const Outcome good =
      look_at("<p>short</p><div style=\"overflow-x:auto\" class=\"scroll\"><table><tr><td style=\"min-width:700px\">a" +
              std::string("</td></tr></table></div>") + chart + "<text x=\"90\" y=\"20\">two</text></svg></figure>");
  if (good.status == 2 || good.status == 127) GTEST_SKIP() << "there is no browser: " << good.out;
  EXPECT_EQ(good.status, 0) << good.out;
  EXPECT_TRUE(has(good.out, "at 400: no faults, 1 of 1 tables are scrolled")) << good.out;
  EXPECT_TRUE(has(good.out, "at 1600: no faults, 0 of 1 tables are scrolled")) << good.out;
  const Outcome bad = look_at("<div style=\"width:700px\">wide</div>" + chart +
                              "<text x=\"12\" y=\"21\">two</text><text x=\"190\" y=\"40\">beyond</text></svg></figure>");
  EXPECT_EQ(bad.status, 1) << bad.out;
  for (const char* fault : {"at 400: 3 faults", "beyond the page: div \"wide\"", "text \"one\" overlaps text \"two\"",
                            "text \"beyond\" leaves its chart", "at 900: 2 faults"}) {
    EXPECT_TRUE(has(bad.out, fault)) << bad.out;
  }
}

TEST_F(LayoutScript, SaysThatThereIsNoBrowser) {
  const Outcome found = look_at("", "BROWSER=no-such-browser");
  if (found.status == 127) GTEST_SKIP() << "there is no python3";
  EXPECT_EQ(found.status, 2) << found.out;
  EXPECT_TRUE(has(found.out, "no browser was found (no-such-browser)")) << found.out;
}

}  // namespace
}  // namespace tapestry::tests
