#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace tapestry::apps::tests {

/// What a program left behind.
struct Outcome {
  int status = -1;  ///< exit status; 128 + signal when one ended it
  std::string out;  ///< standard output
  std::string err;  ///< standard error
};

/// The program under test as a child process, in an environment without TAPESTRY_DATA. Its output goes to files in `scratch`.
class Reproduce {
 public:
  /// `prepare` is called in the child before the program takes its place: what it changes, the program inherits.
  Reproduce(const std::filesystem::path& scratch, const std::vector<std::string>& arguments,
            const std::function<void()>& prepare = {});
  Reproduce(const Reproduce&) = delete;
  Reproduce& operator=(const Reproduce&) = delete;
  ~Reproduce();  ///< kills it if it still runs

  /// Waits until standard error holds `text`. False when the program ended without it.
  bool wait_for(const std::string& text);
  /// Waits until `condition` holds, which is asked every millisecond. False when the program ended before.
  bool wait_until(const std::function<bool()>& condition);
  void signal(int number) const;
  /// Standard error as far as it has come.
  std::string told() const;
  Outcome wait();

 private:
  bool ended();  ///< without waiting

  std::filesystem::path out_, err_;
  pid_t child_ = -1;
  int status_ = -1;  ///< once ended
};

/// Runs the program to its end.
Outcome reproduce(const std::filesystem::path& scratch, const std::vector<std::string>& arguments,
                  const std::function<void()>& prepare = {});

}  // namespace tapestry::apps::tests
