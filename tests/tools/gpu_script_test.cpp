// tools/gpu.sh, as far as it goes without a GPU: what it runs are programs made here. What it does with figures is in
// gpu_script_figures_test.cpp.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>

#include "tests/tools/gpu_script.h"

namespace tapestry::tests {
namespace {

TEST_F(GpuScript, DoesEverythingInOrder) {
  const Outcome found = gpu("");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(content(path("build/configured")), "-DTAPESTRY_CUDA_ARCHITECTURES=90")) << content(path("build/configured"));
  const std::string passed = found.out.substr(found.out.find("\npassed:"));
  const std::string expected = R"(
passed:
  configure
  build
  doctor
  tests of tensor
  tests of autograd
  tests of nn
  tests of optim
  tests of sdrm
  tests of generators
  tests of recommenders
  tests of recsys
  benches in float32
  benches in tf32
  benches in bf16
  comparison with cuSPARSE and CUB
  memcheck of tensor
  memcheck of tensor's graphs
  memcheck of recommenders
  memcheck of recsys
  memcheck of optim
  memcheck of sdrm
  memcheck of generators
  racecheck of tensor
not possible here:
  comparison with PyTorch: )" + path("python").string() +
                               " has none\n  whole experiments: there are no data in " + path("none").string() +
                               " (TAPESTRY_DATA)\n";
  EXPECT_EQ(passed, expected);
  EXPECT_TRUE(has(found.out, "--gtest_filter=SdrmOnDevice*:BinarizeOnDevice.*:SdrmPrecisionOnDevice.*-Long*:")) << found.out;
  EXPECT_TRUE(has(found.out, ".json recommenders kernels steps\n")) << "as on the CPU: " << found.out;
  std::string watched;  // by which pool each test that a sanitizer looks at had its blocks
  const std::regex line("pool (exact|kept): .*/tests_([a-z]+) .*--gtest_filter=([^*.]*)");
  for (std::sregex_iterator run(found.out.begin(), found.out.end(), line), end; run != end; ++run)
    watched += (*run)[1].str() + " " + (*run)[2].str() + " " + (*run)[3].str() + "\n";
  EXPECT_EQ(watched,
            "exact tensor \nkept tensor StepGraphOnDevice\nexact recommenders \nexact recsys \nexact optim OptimizerTest\n"
            "exact sdrm SdrmOnDevice\nexact generators GeneratorsOnDevice\nkept tensor \n");

  std::size_t files = 0;
  std::string table;
  for (const auto& file : std::filesystem::directory_iterator(path("results"))) {
    ++files;
    const std::string name = file.path().filename().string();
    EXPECT_TRUE(name == "gpu.log" || has(name, "fake-gpu-1-")) << name;
    if (name.ends_with(".md")) table = content(file.path());
  }
  EXPECT_EQ(files, 5U) << "a table, three files of figures, and the log";
  EXPECT_TRUE(has(table, "## What products and losses lose\n") && has(table, "\n| tf32_over_7 | 2e-4 |\n")) << table;
  EXPECT_EQ(content(path("results/gpu.log")), found.out);
}

TEST_F(GpuScript, ACallThatFindsNoBuildBuildsFirst) {
  Outcome found = gpu("sanitize cells", "TAPESTRY_DATA='" + path("built").string() + "'");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "\npassed:\n  configure\n  build\n  doctor\n  ml-100k with SVD, 5 at a time, float32\n"))
      << found.out;
  EXPECT_TRUE(has(found.out, "\n  memcheck of tensor\n")) << found.out;
  found = gpu("sanitize");
  EXPECT_TRUE(has(found.out, "\npassed:\n  doctor\n  memcheck of tensor\n")) << found.out;
}

TEST_F(GpuScript, CompilesForAllGpusThatAreThere) {
  program("nvidia-smi", "printf '7.0\\n9.0\\n7.5\\n9.0\\n'");
  EXPECT_EQ(gpu("build").status, 0);
  EXPECT_TRUE(has(content(path("build/configured")), "-DTAPESTRY_CUDA_ARCHITECTURES=75;90 "))
      << content(path("build/configured"));
  program("nvidia-smi", "printf '9.0\\n12.1\\n'");
  EXPECT_EQ(gpu("build").status, 0);
  EXPECT_FALSE(has(content(path("build/configured")), "ARCHITECTURES")) << content(path("build/configured"));
  program("nvidia-smi", "printf '7.0\\n6.1\\n'");
  const Outcome found = gpu("build");
  EXPECT_EQ(found.status, 4) << found.out;
  EXPECT_TRUE(has(found.out, "compute capability 6.1 or 7.0 is too old: 7.5 is the least")) << found.out;
}

TEST_F(GpuScript, CompilesForWhatTheToolkitKnows) {
  program("nvidia-smi", "echo 12.1");
  Outcome found = gpu("build");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "nvcc does not know compute capability 12.1")) << found.out;
  EXPECT_FALSE(has(content(path("build/configured")), "ARCHITECTURES")) << content(path("build/configured"));
  program("nvidia-smi", "echo 9.0");  // a list that is still being written when the line has been found
  program("nvcc", "if [ \"$1\" = --list-gpu-arch ]; then echo compute_90; seq -f compute_%g 100 40000; fi");
  found = gpu("build");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(content(path("build/configured")), "-DTAPESTRY_CUDA_ARCHITECTURES=90")) << found.out;
  program("nvidia-smi", "echo 7.0");
  found = gpu("build");
  EXPECT_EQ(found.status, 4) << found.out;
  EXPECT_TRUE(has(found.out, "compute capability 7.0 is too old")) << found.out;
}

TEST_F(GpuScript, FindsNvccWhereTheToolkitIs) {
  std::filesystem::create_directories(path("cuda/bin"));
  std::filesystem::rename(path("nvcc"), path("cuda/bin/nvcc-of-this-test"));
  const std::string settings = "CUDACXX=nvcc-of-this-test CUDA_HOME='" + path("cuda").string() + "'";
  Outcome found = gpu("build", settings);
  EXPECT_EQ(found.status, 4) << found.out;
  EXPECT_TRUE(has(found.out, "nvcc was not found, nor is it in " + path("cuda/bin").string())) << found.out;
  std::filesystem::create_symlink("nvcc-of-this-test", path("cuda/bin/nvcc"));
  found = gpu("build", settings);
  EXPECT_EQ(found.status, 0) << found.out;
}

TEST_F(GpuScript, ARaceDetectorThatRunsOutOfTimeHasNotFailed) {
  // Its limit is short here, so that there is time left when it is stopped.
  program("compute-sanitizer", R"(case "$*" in *racecheck*) sleep 30 ;; esac
while [ "${1#*tests_}" = "$1" ]; do shift; done; exec "$@")");
  const Outcome found = gpu("build sanitize", "RACECHECK=3");
  EXPECT_EQ(found.status, 3) << found.out;
  EXPECT_TRUE(has(found.out, "no time left for:\n  racecheck of tensor, which was stopped\n")) << found.out;
  EXPECT_FALSE(has(found.out, "FAILED")) << found.out;
}

TEST_F(GpuScript, GoesOnAfterAFailureAndNamesIt) {
  program("built/tests_nn", "exit 5");
  program("built/tests_optim", "echo '[  PASSED  ] 0 tests.'");
  const Outcome found = gpu("build test");
  EXPECT_EQ(found.status, 1) << found.out;
  EXPECT_TRUE(has(found.out, "\nFAILED:\n  tests of nn: status 5\n  tests of optim: no test ran\n")) << found.out;
  EXPECT_TRUE(has(found.out, "  tests of autograd\n  tests of sdrm\n")) << found.out;
}

TEST_F(GpuScript, TestsAlsoWhatTheDoctorCannotVouchFor) {
  program("built/reproduce", "echo 'The GPU gives wrong results: use --device cpu, and check its driver.'; exit 1");
  Outcome found = gpu("build test");
  EXPECT_EQ(found.status, 1) << found.out;
  EXPECT_TRUE(has(found.out, "\nFAILED:\n  doctor: status 1\n")) << found.out;
  EXPECT_TRUE(has(found.out, "  tests of tensor\n")) << found.out;

  std::filesystem::remove(path("built/reproduce"));  // as if it had not compiled
  found = gpu("build test bench");
  EXPECT_EQ(found.status, 1) << found.out;
  EXPECT_TRUE(has(found.out, "reproduce is not there\n")) << found.out;
  EXPECT_TRUE(has(found.out, "  tests of tensor\n")) << found.out;
  std::string files;
  for (const auto& file : std::filesystem::directory_iterator(path("results"))) files += file.path().filename().string() + "\n";
  EXPECT_TRUE(has(files, "9.0-")) << "named by what nvidia-smi says: " << files;

  program("built/reproduce", "echo 'No GPU is used: there is none.'");
  found = gpu("build test");
  EXPECT_EQ(found.status, 4) << found.out;
  EXPECT_FALSE(has(found.out, "tests of tensor")) << found.out;
}

TEST_F(GpuScript, StopsInTimeAndNamesTheRest) {
  program("built/tests_autograd", "sleep 60");
  const Outcome found = gpu("build test bench", "BUDGET=15");
  EXPECT_EQ(found.status, 3) << found.out;
  EXPECT_TRUE(has(found.out, "\nno time left for:\n  tests of autograd, which was stopped\n  tests of nn\n")) << found.out;
  EXPECT_TRUE(has(found.out, "\n  comparison with cuSPARSE and CUB\n")) << found.out;
}

TEST_F(GpuScript, SaysWhatTheMachineLacks) {
  program("nvidia-smi", "echo 'No devices were found'");
  Outcome found = gpu("build");
  EXPECT_EQ(found.status, 4) << found.out;
  EXPECT_TRUE(has(found.out, "and says 'No devices were found'")) << found.out;

  program("nvidia-smi", "echo 9.0");
  program("nvcc", R"(! grep -q cublas "${@: -1}")");
  found = gpu("build");
  EXPECT_EQ(found.status, 4) << found.out;
  EXPECT_TRUE(has(found.out, "gpu: nvcc does not find cublas_v2.h with libcublas, and ")) << found.out;
  // The header alone is not enough.
  program("nvcc", R"(case "$*" in *-lcublas*) echo 'ld: cannot find -lcublas: No such file or directory'; exit 1 ;; esac)");
  found = gpu("build");
  EXPECT_EQ(found.status, 4) << found.out;
  EXPECT_TRUE(has(found.out, "gpu: nvcc does not find cublas_v2.h with libcublas, and ")) << found.out;

  EXPECT_EQ(gpu("tests").status, 2);
}

/// One bench alone needs cuSPARSE.
TEST_F(GpuScript, WithoutCuSparseGoesOnWithTheRest) {
  program("nvcc", R"(! grep -q cusparse "${@: -1}")");
  Outcome found = gpu("build bench");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out,
                  "\n  benches in bf16\nnot possible here:\n  comparison with cuSPARSE and CUB: nvcc does not find "
                  "cusparse.h with libcusparse, and "))
      << found.out;
  EXPECT_TRUE(has(content(path("build/configured")), "-DCUDA_cusparse_LIBRARY:FILEPATH=OFF"))
      << content(path("build/configured"));
  found = gpu("bench");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "  comparison with cuSPARSE and CUB: this build found no cuSPARSE with its headers\n")) << found.out;
  EXPECT_FALSE(has(found.out, " libraries\n")) << found.out;
  program("nvcc", "true");  // they have been installed
  found = gpu("build bench");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "\n  comparison with cuSPARSE and CUB\n")) << found.out;
}

TEST_F(GpuScript, NamesWhatItBuilds) {
  const Outcome found = gpu("targets");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(found.out.starts_with("reproduce\ntapestry_bench\ntests_tensor\n")) << found.out;
  EXPECT_TRUE(found.out.ends_with("tests_recommenders\ntests_recsys\n")) << found.out;
  EXPECT_FALSE(std::filesystem::exists(path("build"))) << "nothing is made";
  EXPECT_TRUE(has(content(TAPESTRY_SOURCE_DIR "/.ci/run"), "tools/gpu.sh targets")) << "CI builds the same";
}

TEST_F(GpuScript, TakesLibrariesFromPythonsPackages) {
  // Finds only what CPATH leads to, where after the first library the other's header lies as well.
  program("nvcc", R"(name=$(sed -n 's/.*<\(.*\)>.*/\1/p' "${@: -1}"); IFS=:
for folder in ${CPATH:-}; do if [ -e "$folder/$name" ]; then exit; fi; done; exit 1)");
  for (const char* name : {"include/cublas_v2.h", "include/cusparse.h", "lib/libcublas.so.13", "lib/libcusparse.so.12"}) {
    program(std::string("packages/nvidia/cu13/") + name, "");
  }
  program("python", "echo \"$FAKES/packages/nvidia/cu13/include\"");
  const Outcome found = gpu("build");
  EXPECT_EQ(found.status, 0) << found.out;
  const std::string options = content(path("build/configured"));
  EXPECT_TRUE(has(options, "-DCUDA_cublas_LIBRARY=")) << options;
  EXPECT_TRUE(has(options, "nvidia/cu13/lib/libcusparse.so.12")) << options;
}

TEST_F(GpuScript, FindsTheSanitizersWhereTheToolkitIs) {
  if (shell("command -v compute-sanitizer").status == 0) GTEST_SKIP() << "this machine's is on the PATH";
  std::filesystem::create_directories(path("cuda/bin"));
  std::filesystem::rename(path("compute-sanitizer"), path("cuda/bin/compute-sanitizer"));
  const std::string settings = "CUDA_HOME='" + path("cuda").string() + "'";
  EXPECT_EQ(gpu("build", settings).status, 0);
  const Outcome found = gpu("sanitize", settings);
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "\n  memcheck of tensor\n")) << found.out;
}

TEST_F(GpuScript, SaysWhenTheSanitizersCannotRun) {
  program("compute-sanitizer", "echo '========= Error: Device not supported'; exit 1");
  Outcome found = gpu("build sanitize");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "not possible here:\n  memcheck and racecheck: compute-sanitizer cannot run on this machine\n"))
      << found.out;

  program("compute-sanitizer", "echo '========= Invalid __global__ write of size 4 bytes'; exit 1");
  found = gpu("build sanitize");
  EXPECT_EQ(found.status, 1) << found.out;
  EXPECT_TRUE(has(found.out, "FAILED:\n  memcheck of TensorTest.ItemAndFilling\n")) << found.out;
}

}  // namespace
}  // namespace tapestry::tests
