// cmake/TapestryCuda.cmake, as far as it goes without a GPU: what it decides, and why, with an nvcc and a GPU made here.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/temp_folder.h"
#include "tests/tools/shell.h"

namespace tapestry::tests {
namespace {

class CMakeCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    if (shell("cmake --version").status != 0) GTEST_SKIP() << "there is no cmake";
    folder_.write("nvidia0", "");
    folder_.write("decide.cmake",
                  "include(\"" TAPESTRY_SOURCE_DIR "/cmake/TapestryCuda.cmake\")\nmessage(\"CUDA ${TAPESTRY_CUDA_LINE}\")\n");
  }
  void nvcc(const std::string& release, const std::string& compiles) const {
    const std::filesystem::path file = folder_.write("nvcc", R"(#!/bin/sh
case "$*" in
  --version) echo 'Cuda compilation tools, release )" + release + R"(, V1.2.3' ;;
  --list-gpu-arch) echo compute_90 ;;
  *) )" + compiles + R"( ;;
esac
)");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  }
  /// The module by itself. A script of CMake's may enable no language: where CUDA is to be built it ends with saying so.
  Outcome decide(const std::string& cuda = "AUTO", const std::string& gpu = "nvidia0") const {
    const std::string folder = folder_.path().string();
    return shell("cd '" + folder + "' && CUDAFLAGS= CUDAHOSTCXX= CUDACXX='" + folder + "/nvcc' cmake -DTAPESTRY_CUDA=" + cuda +
                 " -DTAPESTRY_CUDA_ARCHITECTURES=AUTO '-DTAPESTRY_GPU_FILES=" + folder + "/" + gpu + "' -P decide.cmake");
  }

 private:
  TempFolder folder_;
};

TEST_F(CMakeCuda, AutoGoesOnWithoutWhatCannotBeBuiltAndSaysWhy) {
  Outcome found = decide();
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "CUDA not built, since nvcc was not found: everything runs on the CPU\n")) << found.out;

  nvcc("11.5", "true");
  found = decide();
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "not built, since CUDA 11.5 (") && has(found.out, "/nvcc) is older than 12: ")) << found.out;

  nvcc("12.4", "echo 'try.cu:1:10: fatal error: cublas_v2.h: No such file or directory' >&2; exit 1");
  found = decide();
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "/nvcc failed to compile a small file (cublas_v2.h: No such file or directory): ")) << found.out;

  nvcc("12.4", "exit 3");
  found = decide();
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "/nvcc failed to compile a small file (status: 3): ")) << found.out;

  nvcc("12.4", "true");
  found = decide("AUTO", "no-device");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(found.out, "not built, since this machine has no GPU: ")) << found.out;
}

TEST_F(CMakeCuda, AutoBuildsWhatItCan) {
  nvcc("12.4", R"(grep -q cublas_v2.h CMakeFiles/tapestry_cuda_try.cu)");
  const Outcome found = decide();
  EXPECT_TRUE(has(found.out, "enable_language")) << found.out;
  EXPECT_FALSE(has(found.out, "not built")) << found.out;
}

TEST_F(CMakeCuda, OnDoesNotGoOnWithout) {
  Outcome found = decide("ON", "no-device");
  EXPECT_EQ(found.status, 1) << found.out;
  EXPECT_TRUE(has(found.out, "TAPESTRY_CUDA=ON, but nvcc was not found.")) << found.out;
  nvcc("12.4", "exit 3");  // what is wrong with it CMake says at length
  found = decide("ON", "no-device");
  EXPECT_TRUE(has(found.out, "enable_language")) << found.out;
  EXPECT_EQ(decide("OFF").status, 0);
}

}  // namespace
}  // namespace tapestry::tests
