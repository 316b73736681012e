// tools/gpu.sh with what benches, PyTorch and whole experiments measure: which of it is measured when, and where it goes.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

#include "tests/tools/gpu_script.h"

namespace tapestry::tests {
namespace {

TEST_F(GpuScript, TimesWholeExperimentsWhereThereAreData) {
  const Outcome found = gpu("build cells", with_data());
  EXPECT_EQ(found.status, 0) << found.out;
  for (const char* line :
       {"float32 --dataset ml-100k --recommender svd --generators original,multivae++,f-sdrm,m-sdrm --runs 5 --jobs 5 --out ",
        "float32 --dataset ml-100k --recommender svd --generators original,multivae++,f-sdrm,m-sdrm --runs 5 --jobs 1 --out ",
        "float32 --dataset amazon-digital-music ", "float32 --dataset ml-1m ", "bf16 --dataset ml-100k "}) {
    EXPECT_TRUE(has(found.out, "reproduce --data " + path("built").string() + " --device cuda --precision " + line)) << found.out;
  }
  const std::string begins = "loads kernels: EAGER\n";
  int cells = 0;
  for (auto at = found.out.find(begins); at != std::string::npos; at = found.out.find(begins, at + 1)) ++cells;
  EXPECT_EQ(cells, 6) << "the seconds of all begin alike, one run at a time or five: " << found.out;
  std::string table, measures;
  for (const auto& file : std::filesystem::directory_iterator(path("results"))) {
    if (file.path().extension() == ".md") table += content(file.path());
    if (file.path().extension() == ".csv") measures += content(file.path());
  }
  std::smatch row;
  EXPECT_TRUE(std::regex_search(table, row, std::regex("\\| ml-100k \\| tf32 \\| 5 \\| [0-9]+\\.[0-9][0-9] \\|"))) << table;
  EXPECT_TRUE(std::regex_search(table, row, std::regex("\\| ml-1m \\| float32 \\| 5 \\| [0-9]+\\.[0-9][0-9] \\|"))) << table;
  EXPECT_TRUE(measures.starts_with("products in,runs at a time,dataset,mean\nfloat32,5,ml,0.25\nfloat32,1,ml,0.25\n"))
      << measures;
  EXPECT_TRUE(measures.ends_with("tf32,5,ml,0.25\nbf16,5,ml,0.25\n")) << measures;
}

TEST_F(GpuScript, SetsMeasuresBesideThoseOfTheCpu) {
  const std::string header = "dataset,recommender,setting,generator,metric,runs,mean,std,ci_low,ci_high\n";
  std::ofstream(path("of_the_cpu.csv")) << header << "ml-100k,svd,augment,original,Recall@10,1,0.375,0,0,0\n"
                                        << "ml-100k,svd,augment,m-sdrm,Recall@10,5,0.25,0.125,0,0\n"
                                        << "ml-100k,svd,replace,m-sdrm,Recall@10,5,0.25,0.0625,0,0\n"
                                        << "ml-100k,svd,replace,f-sdrm,Recall@10,4,0.25,0.0625,0,0\n";
  std::ofstream(path("here.csv")) << header << "ml-100k,svd,augment,original,Recall@10,1,0.5,0,0,0\n"
                                  << "ml-100k,svd,augment,m-sdrm,Recall@10,5,0.5,0.5,0,0\n"
                                  << "ml-100k,svd,replace,m-sdrm,Recall@10,5,0,0.5,0,0\n"
                                  << "ml-100k,svd,replace,f-sdrm,Recall@10,5,0,0.5,0,0\n";
  program("built/reproduce", R"(if [ "$1" = --doctor ]; then echo "  GPU        Fake, compute capability 7.5, 1"; exit; fi
mkdir -p "${@: -1}"; cp "$FAKES/here.csv" "${@: -1}/results.csv")");
  const Outcome found =
      gpu("build cells", "TAPESTRY_DATA='" + path("built").string() + "' PUBLISHED='" + path("of_the_cpu.csv").string() + "'");
  EXPECT_EQ(found.status, 0) << found.out;
  std::string table, beside;
  for (const auto& file : std::filesystem::directory_iterator(path("results"))) {
    if (file.path().extension() == ".md") table = content(file.path());
    if (has(file.path().filename().string(), "-cells-beside.csv")) beside = content(file.path());
  }
  EXPECT_TRUE(
      beside.starts_with("products in,runs at a time,dataset,recommender,setting,generator,metric,runs,mean,published,"
                         "difference,difference/std\n"
                         "float32,5,ml-100k,svd,augment,original,Recall@10,1,0.5,0.375,0.125,\n"
                         "float32,5,ml-100k,svd,augment,m-sdrm,Recall@10,5,0.5,0.25,0.25,2\n"
                         "float32,5,ml-100k,svd,replace,m-sdrm,Recall@10,5,0,0.25,-0.25,-4\n"
                         "float32,1,ml-100k,"))
      << beside;
  EXPECT_FALSE(has(beside, "f-sdrm")) << "of another number of runs";
  const std::string line = "\n| ml-100k | float32 | 5 | 9 | -4.00 | m-sdrm, replace, Recall@10 |\n";
  EXPECT_TRUE(has(table, line) && has(found.out, line)) << table;
}

TEST_F(GpuScript, ALaterCallAddsToWhatAnEarlierOneMeasured) {
  EXPECT_EQ(gpu("build bench").status, 0);
  std::filesystem::remove_all(path("results"));  // they were taken elsewhere
  const Outcome found = gpu("cells", with_data());
  EXPECT_EQ(found.status, 0) << found.out;
  std::string table;
  std::size_t figures = 0;
  for (const auto& file : std::filesystem::directory_iterator(path("results"))) {
    if (file.path().extension() == ".md") table = content(file.path());
    if (file.path().extension() == ".json") ++figures;
  }
  EXPECT_EQ(figures, 3U) << "in float32, tf32 and bf16";
  EXPECT_TRUE(table.starts_with("# table\n")) << table;
  EXPECT_TRUE(has(table, "\n## Whole experiments with SVD\n")) << table;
}

TEST_F(GpuScript, BenchesAnewKeepWhatOtherStepsAdded) {
  const std::string settings = with_data();
  python_with_pytorch();
  EXPECT_EQ(gpu("build cells", settings).status, 0);
  for (const char* steps : {"pytorch", "bench", "cells bench pytorch"}) {
    const Outcome found = gpu(steps, settings);
    EXPECT_EQ(found.status, 0) << found.out;
    const std::string text = tables();
    EXPECT_TRUE(text.starts_with("# table\n")) << steps << ":\n" << text;
    for (const char* once :
         {"\n## Beside PyTorch 2\n", "\n| theirs |\n", "\n## Whole experiments", "\n| ml-1m | float32 | 5 | "}) {
      EXPECT_TRUE(has(text, once)) << steps << ":\n" << text;
      EXPECT_EQ(text.find(once), text.rfind(once)) << steps << ":\n" << text;
    }
  }
  // Nor does a step without time throw away what it cannot measure anew.
  const std::string before = tables();
  program("build/apps/reproduce", "sleep 2; echo '  GPU        Fake GPU 1, compute capability 9.0, 1 multiprocessors'");
  const Outcome found = gpu("pytorch cells", settings + "BUDGET=6");
  EXPECT_TRUE(has(found.out, "\nno time left for:\n  comparison with PyTorch\n  whole experiments with SVD\n")) << found.out;
  EXPECT_EQ(tables(), before);
}

TEST_F(GpuScript, PyTorchDoesNotWaitForOtherPrecisions) {
  python_with_pytorch();
  const Outcome found = gpu("build bench pytorch");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "\n  benches in float32\n  comparison with PyTorch\n  benches in tf32\n")) << found.out;
}

/// Figures that are there may be those of another build, or of another machine.
TEST_F(GpuScript, PyTorchIsSetBesideStepsOfTheSameCall) {
  python_with_pytorch();
  Outcome found = gpu("build bench pytorch");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_FALSE(has(found.out, "benches of steps")) << "benched in this call: " << found.out;
  EXPECT_TRUE(std::regex_search(found.out, std::regex("\nbeside fake-gpu-1-[-0-9]+\\.json\n"))) << found.out;
  const std::string before = tables();
  found = gpu("pytorch");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "\npassed:\n  doctor\n  benches of steps\n  comparison with PyTorch\n")) << found.out;
  EXPECT_TRUE(std::regex_search(found.out, std::regex("\nbench .*-steps\\.json steps\n"))) << found.out;
  EXPECT_TRUE(std::regex_search(found.out, std::regex("\nbeside fake-gpu-1-[-0-9]+-steps\\.json\n"))) << found.out;
  const std::string text = tables();
  EXPECT_TRUE(text.starts_with("# table\n") && has(text, "\n## Beside PyTorch 2\n")) << text;
  const auto steps = [&] {
    const auto files = std::filesystem::directory_iterator(path("results"));
    return std::any_of(begin(files), end(files), [](const auto& file) { return has(file.path().string(), "-steps.json"); });
  };
  EXPECT_TRUE(steps());
  EXPECT_EQ(gpu("bench pytorch").status, 0);
  EXPECT_FALSE(steps()) << "which the comparison is no longer with";
  EXPECT_EQ(std::count(text.begin(), text.end(), '#'), std::count(before.begin(), before.end(), '#')) << text;
}

TEST_F(GpuScript, WhatAStoppedBenchHasMeasuredIsInTheOneTable) {
  program("built/tapestry_bench", R"(for word; do [ "${last:-}" != --json ] || json=$word; last=$word; done
[ -z "${json:-}" ] || { echo '{"figures": []}' >"$json"; echo "# table of $*" >"${json%.json}.md"; }
case "$*" in
  *libraries) echo '  sum of [2, 3]   1.0 us, library (CUB)   2.0 us, 2.00 times ours; largest difference 0'; exit 1 ;;
  *tf32*) exit 137 ;;
esac)");
  const Outcome found = gpu("build bench");
  EXPECT_EQ(found.status, 1) << found.out;
  std::string files;
  for (const auto& file : std::filesystem::directory_iterator(path("results"))) files += file.path().filename().string() + "\n";
  EXPECT_FALSE(has(files, "-tf32.md")) << files;
  EXPECT_TRUE(has(files, "-tf32.json\n") && has(files, "-bf16.json\n")) << files;
  const std::string text = tables();
  EXPECT_TRUE(std::regex_search(text, std::regex("\n# table of .* --precision tf32 kernels steps\n"))) << text;
  EXPECT_TRUE(has(text,
                  "\n## Beside cuSPARSE and CUB\n\nIt did not come to its end, or left something out: this is what was "
                  "measured.\n\n      sum of [2, 3] "))
      << text;
}

}  // namespace
}  // namespace tapestry::tests
