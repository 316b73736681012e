// Threads of the program that wait go to sleep soon, unless the user has said how long they shall not.

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "tests/apps/child_process.h"
#include "tests/support/temp_folder.h"

namespace tapestry::apps::tests {
namespace {

using tapestry::tests::TempFolder;

/// Sets a variable of the environment, or removes it, for a while.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { set(old_ ? old_->c_str() : nullptr); }

 private:
  void set(const char* value) const {
    if (value != nullptr) {
      ::setenv(name_, value, 1);
    } else {
      ::unsetenv(name_);
    }
  }

  const char* name_;
  std::optional<std::string> old_;
};

/// What the child's OpenMP says of how long a thread looks for work, as it starts; empty where it says nothing of that.
std::string spin_count(const char* given, const char* policy) {
  const TempFolder folder;
  const Variable display("OMP_DISPLAY_ENV", "verbose");
  const Variable count("GOMP_SPINCOUNT", given);
  const Variable wait("OMP_WAIT_POLICY", policy);
  const Outcome outcome = reproduce(folder.path(), {"--help"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("reproduce"), std::string::npos) << outcome.out;
  // Of a program that starts itself anew, the second word counts.
  const std::size_t at = outcome.err.rfind("GOMP_SPINCOUNT = '");
  if (at == std::string::npos) return "";
  const std::size_t begin = outcome.err.find('\'', at) + 1;
  return outcome.err.substr(begin, outcome.err.find('\'', begin) - begin);
}

TEST(WaitingThreads, SleepSoonUnlessTheUserSaysOtherwise) {
  const std::string usual = spin_count(nullptr, nullptr);
  if (usual.empty()) GTEST_SKIP() << "this OpenMP is not GNU's: it does not say how long its threads look for work";
  EXPECT_EQ(usual, "3000");
  EXPECT_EQ(spin_count("5", nullptr), "5");
  EXPECT_NE(spin_count(nullptr, "active"), "3000");
}

}  // namespace
}  // namespace tapestry::apps::tests
