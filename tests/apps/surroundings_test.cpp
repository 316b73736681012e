// What apps/reproduce inherits and loses: signals that its caller ignores, pipes that nobody reads any more, a narrow terminal,
// the folder it is started in, and a shell that is to start its command again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/apps/child_process.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::apps {
namespace {

namespace fs = std::filesystem;
using recsys::tests::read_file;
using recsys::tests::TempFolder;
using tests::Outcome;
using tests::Reproduce;

constexpr int kData = 3;

class Surroundings : public testing::Test {
 protected:
  std::vector<std::string> job(const std::string& generators) const {
    return {"--dataset", "simulated", "--quick", "--runs", "1", "--generators", generators, "--out", out().string()};
  }
  fs::path out() const { return folder_.path() / "results"; }

  TempFolder folder_;
};

/// A pipe whose reader is gone.
class BrokenPipe {
 public:
  BrokenPipe() {
    if (::pipe(ends_) != 0) throw std::runtime_error("cannot make a pipe");
    ::close(ends_[0]);
  }
  BrokenPipe(const BrokenPipe&) = delete;
  BrokenPipe& operator=(const BrokenPipe&) = delete;
  ~BrokenPipe() { ::close(ends_[1]); }
  void stand_for(int stream) const { ::dup2(ends_[1], stream); }

 private:
  int ends_[2] = {};
};

TEST_F(Surroundings, SignalsThatTheCallerIgnoresStayIgnored) {
  for (const int number : {SIGINT, SIGTERM}) {
    fs::remove_all(out());
    Reproduce child(folder_.path(), job("original,multivae++"), [number] { ::signal(number, SIG_IGN); });
    ASSERT_TRUE(child.wait_for("stage_begin"));
    child.signal(number);
    ASSERT_EQ(child.told().find(R"("stage":"report")"), std::string::npos) << "it came too late: all was computed";
    EXPECT_EQ(child.wait().status, 0) << number;
    EXPECT_TRUE(fs::exists(out() / "results.csv")) << number;
  }
}

TEST_F(Surroundings, AStandardOutputThatNobodyReadsIsNamed) {
  const BrokenPipe pipe;
  for (const char* question : {"--list", "--help"}) {
    const Outcome outcome = tests::reproduce(folder_.path(), {question}, [&] { pipe.stand_for(STDOUT_FILENO); });
    EXPECT_EQ(outcome.status, kData) << question;
    EXPECT_NE(outcome.err.find("standard output cannot be written"), std::string::npos) << outcome.err;
  }
}

TEST_F(Surroundings, PipesThatNobodyReadsDoNotCostTheJob) {
  ASSERT_EQ(tests::reproduce(folder_.path(), job("original")).status, 0);
  const std::string expected = read_file(out() / "results.csv");
  const BrokenPipe pipe;
  fs::remove_all(out());
  const Outcome silent = tests::reproduce(folder_.path(), job("original"), [&] { pipe.stand_for(STDERR_FILENO); });
  EXPECT_EQ(silent.status, 0) << "progress that is lost is nobody's loss";
  EXPECT_NE(silent.out.find("Recall@10"), std::string::npos) << silent.out;
  EXPECT_EQ(read_file(out() / "results.csv"), expected);
  fs::remove_all(out());
  const Outcome mute = tests::reproduce(folder_.path(), job("original"), [&] {
    pipe.stand_for(STDOUT_FILENO);
    pipe.stand_for(STDERR_FILENO);
  });
  EXPECT_EQ(mute.status, kData);
  EXPECT_EQ(read_file(out() / "results.csv"), expected);
}

TEST_F(Surroundings, WhatIsMeasuredForAPlanStaysInOneLineOfTheTerminal) {
  const int keyboard = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (keyboard < 0 || ::grantpt(keyboard) != 0 || ::unlockpt(keyboard) != 0) GTEST_SKIP() << "there are no pseudoterminals";
  const int screen = ::open(::ptsname(keyboard), O_RDWR | O_NOCTTY);
  winsize size = {};
  size.ws_row = 24;
  size.ws_col = 20;
  ASSERT_EQ(::ioctl(screen, TIOCSWINSZ, &size), 0);
  std::vector<std::string> arguments = job("original");
  arguments.emplace_back("--plan");
  EXPECT_EQ(tests::reproduce(folder_.path(), arguments, [&] { ::dup2(screen, STDERR_FILENO); }).status, 0);
  ASSERT_EQ(::fcntl(keyboard, F_SETFL, O_NONBLOCK), 0);
  std::string shown;
  char part[512];
  for (ssize_t count = 0; (count = ::read(keyboard, part, sizeof part)) > 0;) shown.append(part, static_cast<std::size_t>(count));
  EXPECT_NE(shown.find("\r\x1b[Kmeasuring simulated\r\x1b[K"), std::string::npos) << "cut before the last column: " << shown;
  ::close(screen);
  ::close(keyboard);
}

TEST_F(Surroundings, ADataFolderThatWasGivenIsNotTakenForTheUsualOne) {
  const fs::path nothing = folder_.path() / "nothing";
  fs::create_directories(nothing);
  const auto status = [&](const std::vector<std::string>& more, bool in_environment) {
    std::vector<std::string> arguments = {"--quick", "--runs", "1", "--generators", "original", "--out", out().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto prepare = [&] {
      fs::current_path(nothing);
      if (in_environment) ::setenv("TAPESTRY_DATA", "data", 1);
    };
    return tests::reproduce(folder_.path(), arguments, prepare).status;
  };
  for (const char* name : {"data", "./data", "dat"}) EXPECT_EQ(status({"--data", name}, false), kData) << name;
  EXPECT_EQ(status({}, true), kData) << "$TAPESTRY_DATA";
  EXPECT_FALSE(fs::exists(out()));
  EXPECT_EQ(status({}, false), 0) << "the usual one may be missing";
}

TEST_F(Surroundings, TheRecordedCommandCanBeGivenToAShell) {
  const fs::path odd = folder_.path() / "it's $HOME; results";
  std::vector<std::string> arguments = job("original");
  arguments.back() = odd.string();
  arguments.insert(arguments.end(), {"--only", "*_run-1"});
  ASSERT_EQ(tests::reproduce(folder_.path(), arguments).status, 0);
  const std::string command = nlohmann::json::parse(read_file(odd / "manifest.json"))["command"].get<std::string>();
  EXPECT_NE(command.find(" --quick --runs 1 "), std::string::npos) << "what is plain stays plain: " << command;
  EXPECT_NE(command.find("it'\\''s $HOME; results' --only '*_run-1'"), std::string::npos) << command;
  fs::remove_all(odd);
  EXPECT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
  EXPECT_TRUE(fs::exists(odd / "results.csv"));
}

}  // namespace
}  // namespace tapestry::apps
