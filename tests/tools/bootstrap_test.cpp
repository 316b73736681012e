// tools/bootstrap.sh and tools/format.sh on machines made here: all programs that they find are this test's own.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/temp_folder.h"
#include "tests/tools/shell.h"

namespace tapestry::tests {
namespace {

class MadeMachine : public ::testing::Test {
 protected:
  /// What scripts are made of; nothing else of this machine is found.
  void SetUp() override {
    for (const char* name : {"awk", "bash", "cat", "dirname", "env", "find", "id", "sed", "tr", "xargs"}) {
      ASSERT_EQ(shell("ln -s \"$(command -v " + std::string(name) + ")\" '" + path(name) + "'").status, 0) << name;
    }
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  Outcome run(const std::string& script, const std::string& settings = "") const {
    return shell("CMAKE_PREFIX_PATH= PATH='" + folder_.path().string() + "' " + settings + " '" TAPESTRY_SOURCE_DIR "/tools/" +
                 script);
  }

  TempFolder folder_;
};

/// A Debian with cmake and a clang that finds what the file `absent` does not name. apt-get notes what it was asked in `asked`.
class Bootstrap : public MadeMachine {
 protected:
  void SetUp() override {
    MadeMachine::SetUp();
    write_program(folder_, "cmake", "");
    write_program(folder_, "clang++-16", R"(cat "${0%/*}/absent")");
    write_program(folder_, "sudo", R"("$@")");
    folder_.write("asked", "");
  }
  /// `leaves`: what is absent still once it has installed what it was asked for.
  void apt_get(const std::string& leaves) const {
    write_program(folder_, "apt-get",
                  R"(echo "$*" >>"${0%/*}/asked"; [ "$1" = update ] || printf ')" + leaves + R"(' >"${0%/*}/absent")");
  }
  Outcome bootstrap() const { return run("bootstrap.sh'", "CXX=clang++-16"); }
};

TEST_F(Bootstrap, InstallsWhatIsMissingAndIsDone) {
  folder_.write("absent", "eigen\ngtest\n");
  apt_get("gtest\\n");  // for the tests alone
  const Outcome found = bootstrap();
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(content(path("asked")), " libeigen3-dev\n")) << content(path("asked"));
  EXPECT_FALSE(has(found.out, "still")) << found.out;
  EXPECT_EQ(bootstrap().out, "") << "nothing is missing";
}

TEST_F(Bootstrap, NamesWhatTheCompilerDoesNotFindOnceItIsInstalled) {
  folder_.write("absent", "openmp\neigen\n");
  apt_get("openmp\\n");
  const Outcome found = bootstrap();
  EXPECT_EQ(found.status, 2) << found.out;
  EXPECT_TRUE(has(content(path("asked")), " libomp-dev libeigen3-dev\n")) << content(path("asked"));
  EXPECT_TRUE(has(found.out,
                  "bootstrap: installed, but clang++-16 still does not find what is in: libomp-dev. A clang of another version "
                  "than libomp-dev needs that of its own, as clang 16 libomp-16-dev.\n"))
      << found.out;
}

class Format : public MadeMachine {
 protected:
  void clang_format(const std::string& version) const {
    write_program(folder_, "clang-format",
                  "if [ \"$1\" = --version ]; then echo 'Debian clang-format version " + version +
                      "'; else echo \"$1\" >>\"${0%/*}/called\"; fi");
  }
};

TEST_F(Format, AnotherVersionTouchesNothing) {
  clang_format("17.0.6");
  for (const char* script : {"format.sh'", "format.sh' --check"}) {
    const Outcome found = run(script);
    EXPECT_EQ(found.status, 2) << found.out;
    EXPECT_TRUE(has(found.out, "version 17.0.6") && has(found.out, "14 is what the tree is formatted with")) << found.out;
  }
  EXPECT_FALSE(std::filesystem::exists(path("called"))) << content(path("called"));
}

TEST_F(Format, TheRightVersionIsTakenUnderThePlainName) {
  clang_format("14.0.6");
  const Outcome found = run("format.sh' --check");
  EXPECT_EQ(found.status, 0) << found.out;
  EXPECT_TRUE(has(content(path("called")), "--dry-run\n")) << content(path("called"));
}

}  // namespace
}  // namespace tapestry::tests
