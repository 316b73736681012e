#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/temp_folder.h"
#include "tests/tools/shell.h"

namespace tapestry::tests {

/// tools/gpu.sh with programs of this test's own in front of the machine's: a GPU that is not there, compilers that compile
/// nothing.
class GpuScript : public ::testing::Test {
 protected:
  void SetUp() override {
    program("nvidia-smi", "echo 9.0");
    program("nvcc", "if [ \"$1\" = --list-gpu-arch ]; then printf 'compute_75\\ncompute_90\\n'; fi");
    program("python", "exit 1");
    // Configures, and "builds" by laying the programs of built/ where a build would.
    program("cmake",
            R"(if [ "$1" = -S ]; then
  echo "$*" >"$BUILD/configured"; printf '%s\n' "${@#-D}" >"$BUILD/CMakeCache.txt"; exit
fi
mkdir -p "$BUILD/apps" "$BUILD/bench" "$BUILD/tests"
cp "$FAKES/built/reproduce" "$BUILD/apps"; cp "$FAKES/built/tapestry_bench" "$BUILD/bench"
for suite in tensor autograd nn optim sdrm generators recommenders recsys; do
  if [ -e "$FAKES/built/tests_$suite" ]; then from=tests_$suite; else from=tests; fi
  cp "$FAKES/built/$from" "$BUILD/tests/tests_$suite"
done)");
    program("built/reproduce",
            R"(if [ "$1" != --doctor ]; then
  echo "reproduce $*"; echo "loads kernels: ${CUDA_MODULE_LOADING:-}"
  mkdir -p "${@: -1}"; printf 'dataset,mean\nml,0.25\n' >"${@: -1}/results.csv"; exit
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
  */compare.py) echo "beside ${2##*/}" >&2; printf '## Beside PyTorch 2\n\n| theirs |\n' ;;
esac)");
  }
  /// Settings with which there are data.
  std::string with_data() const { return "TAPESTRY_DATA='" + path("built").string() + "' "; }
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

}  // namespace tapestry::tests
