// Tapestry inside another project, as docs/dependencies.md describes it: CMake configures such a project, and its program is
// compiled as far as the headers go. Building the libraries once more would take minutes.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/temp_folder.h"
#include "tests/tools/shell.h"

namespace tapestry::tests {
namespace {

const std::string kRecipe = R"(
    add_subdirectory(tapestry EXCLUDE_FROM_ALL)
    add_executable(mine mine.cpp)
    target_link_libraries(mine PRIVATE tapestry::sdrm tapestry::processor_check)
)";

// One library is imported before, since CMake lets nobody make it known everywhere from below.
const std::string kProject = R"(
cmake_minimum_required(VERSION 3.22)
project(user LANGUAGES CXX)
enable_testing()
find_package(nlohmann_json CONFIG QUIET)
if(NOT TARGET nlohmann_json::nlohmann_json)
  add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
endif()
)" + kRecipe + R"(
foreach(unasked reproduce tapestry_bench CLI11::CLI11)
  if(TARGET ${unasked})
    message(SEND_ERROR "${unasked} is there too")
  endif()
endforeach()
get_target_property(definitions Eigen3::Eigen INTERFACE_COMPILE_DEFINITIONS)
if(definitions MATCHES "EIGEN_DONT_PARALLELIZE")
  message(SEND_ERROR "code that uses Eigen alone gets it in Tapestry's way")
endif()
)";

const std::string kProgram = R"(
#include "autograd/loss.h"
#include "autograd/tape.h"
#include "nn/layers.h"
#include "nn/safetensors.h"
#include "optim/adam.h"
#include "optim/schedule.h"

int main() {
  using namespace tapestry;
  nn::Initializer init(1);
  nn::Linear model(2, 1, init);
  optim::Adam adam(model.parameters(), {.decoupled = 1e-2});
  autograd::Tape tape;
  tape.backward(autograd::mse(model.forward(Tensor::zeros({3, 2})), Tensor::zeros({3, 1})));
  adam.step(optim::cosine_rate(1e-3, 0, 10));
}
)";

TEST(Subdirectory, IsConfiguredAddsNothingUnaskedAndItsHeadersCompile) {
  if (shell("cmake --version").status != 0) GTEST_SKIP() << "there is no cmake";
  if (shell("make --version").status != 0) GTEST_SKIP() << "there is no make";
  const TempFolder folder;
  folder.write("CMakeLists.txt", kProject);
  folder.write("mine.cpp", kProgram);
  std::filesystem::create_directory_symlink(TAPESTRY_SOURCE_DIR, folder.path() / "tapestry");
  // `make test` hands its own flags down in MAKEFLAGS. A debugging build compiles in half of the time.
  const std::string here = "cd '" + folder.path().string() + "' && env -u MAKEFLAGS ";

  Outcome found = shell(here + "cmake -G 'Unix Makefiles' -C '" TAPESTRY_SAME_TOOLS
                               "' -DTAPESTRY_CUDA=OFF "
                               "-DCMAKE_BUILD_TYPE=Debug -S . -B build");
  ASSERT_EQ(found.status, 0) << found.out;

  found = shell(here + "ctest --test-dir build -N");
  EXPECT_TRUE(has(found.out, "Total Tests: 0\n")) << "tests that a user's ctest did not ask for:\n" << found.out;

  found = shell(here + "cmake --build build --target mine.o");
  EXPECT_EQ(found.status, 0) << found.out;

  EXPECT_TRUE(has(content(TAPESTRY_SOURCE_DIR "/docs/dependencies.md"), kRecipe)) << "the document shows another recipe";
}

}  // namespace
}  // namespace tapestry::tests
