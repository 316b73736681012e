#pragma once

#include <filesystem>
#include <string>

namespace tapestry::tests {

struct Outcome {
  int status = -1;  ///< exit status; -1 when a signal ended it
  std::string out;  ///< standard output and standard error
};

/// Runs a command line to its end.
Outcome shell(const std::string& command);

/// A whole file; nothing when there is none.
std::string content(const std::filesystem::path& file);

bool has(const std::string& text, const std::string& part);

}  // namespace tapestry::tests
