// tools/gpu.sh, as far as it goes without a GPU: what it runs are programs made here.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

#include "tests/support/temp_folder.h"
#include "tests/tools/shell.h"

namespace tapestry::tests {
namespace {

/// tools/gpu.sh with programs of this test's own in front of the machine's: a GPU that is not there, compilers that compile
/// nothing.
class GpuScript : public ::testing::Test {
 protected:
  void SetUp() override {
    program("nvidia-smi", "echo 9.0");
    program("nvcc", "if [ \"$1\" = --list-gpu-arch ]; then printf 'compute_75\\ncompute_90\\n'; fi");
    program("python", "exit 1");
    // Configures, and "builds" by laying the programs of built/ where a build would.
    program("cmake", R"(if [ "$1" = -S ]; then echo "$*" >"$BUILD/configured"; touch "$BUILD/CMakeCache.txt"; exit; fi
mkdir -p "$BUILD/apps" "$BUILD/bench" "$BUILD/tests"
cp "$FAKES/built/reproduce" "$BUILD/apps"; cp "$FAKES/built/tapestry_bench" "$BUILD/bench"
for suite in tensor autograd nn optim sdrm generators recommenders recsys; do
  if [ -e "$FAKES/built/tests_$suite" ]; then from=tests_$suite; else from=tests; fi
  cp "$FAKES/built/$from" "$BUILD/tests/tests_$suite"
done)");
    program("built/reproduce",
            R"(if [ "$1" != --doctor ]; then
  echo "reproduce $*"; mkdir -p "${@: -1}"; printf 'dataset,mean\nml,0.25\n' >"${@: -1}/results.csv"; exit
fi
echo "  GPU        Fake GPU 1, compute capability 9.0, 1 multiprocessors"; echo "The GPU works.")");
    program("built/tapestry_bench", R"(for word; do [ "${last:-}" != --json ] || json=$word; last=$word; done
echo "bench $*"; [ -z "${json:-}" ] || { echo '{"figures": []}' >"$json"; echo "# table" >"${json%.json}.md"; })");
    program("built/tests", R"(echo "pool ${TAPESTRY_POOL:-}: $0 $*"; echo '[  PASSED  ] 3 tests.'
for word; do if [ "${word#--gtest_output=json:}" != "$word" ]; then echo '    "tf32_over_7": "2e-4",' >"${word#*json:}"; fi; done)");
    program("compute-sanitizer", R"(while [ "${1#*tests_}" = "$1" ]; do shift; done; exec "$@")");
  }
  void program(const std::string& name, const std::string& body) const { write_program(folder_, name, body); }
  /// Whose program for the steps writes no figures that anybody reads.
  void python_with_pytorch() const {
    program("python", R"(case "$1" in
  */sdrm_steps.py) while [ "$1" != --json ]; do shift; done; echo '{}' >"$2" ;;
  */compare.py) printf '## Beside PyTorch 2\n\n| theirs |\n' ;;
esac)");
  }
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  /// All tables of the results, of which there is one file.
  std::string tables() const {
    for (const auto& file : std::filesystem::directory_iterator(path("results"))) {
      if (file.path().extension() == ".md") return content(file.path());
    }
    return "";
  }
  Outcome gpu(const std::string& arguments, const std::string& settings = "") const {
    const std::string fakes = "'" + folder_.path().string();
    return shell("FAKES=" + fakes + "' PATH=" + fakes + "':\"$PATH\" BUILD=" + fakes + "/build' RESULTS=" + fakes +
                 "/results' PYTHON=" + fakes + "/python' STAGED=" + fakes + "/none' TAPESTRY_DATA=" + fakes + "/none' " +
                 settings + " '" TAPESTRY_SOURCE_DIR "/tools/gpu.sh' " + arguments);
  }

 private:
  TempFolder folder_;
};

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

TEST_F(GpuScript, TimesWholeExperimentsWhereThereAreData) {
  const std::string settings = "TAPESTRY_DATA='" + path("built").string() + "'";
  const Outcome found = gpu("build cells", settings);
  EXPECT_EQ(found.status, 0) << found.out;
  for (const char* line :
       {"float32 --dataset ml-100k --recommender svd --generators original,multivae++,f-sdrm,m-sdrm --runs 5 --jobs 5 --out ",
        "float32 --dataset ml-100k --recommender svd --generators original,multivae++,f-sdrm,m-sdrm --runs 5 --jobs 1 --out ",
        "float32 --dataset amazon-digital-music ", "float32 --dataset ml-1m ", "bf16 --dataset ml-100k "}) {
    EXPECT_TRUE(has(found.out, "reproduce --data " + path("built").string() + " --device cuda --precision " + line)) << found.out;
  }
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
  const Outcome found = gpu("cells", "TAPESTRY_DATA='" + path("built").string() + "'");
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
  const std::string settings = "TAPESTRY_DATA='" + path("built").string() + "' ";
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
  EXPECT_TRUE(has(content(path("build/configured")), "-DTAPESTRY_CUDA_ARCHITECTURES=75;90\n"))
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
  program("nvcc", R"(! grep -q cusparse "${@: -1}")");
  found = gpu("build");
  EXPECT_EQ(found.status, 4) << found.out;
  EXPECT_TRUE(has(found.out, "gpu: nvcc does not find cusparse.h, and ")) << found.out;

  EXPECT_EQ(gpu("tests").status, 2);
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
