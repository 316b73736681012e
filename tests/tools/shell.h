#pragma once

#include <filesystem>
#include <string>

#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace tapestry::tests {

struct Outcome {
  int status = -1;  ///< exit status; -1 when a signal ended it
  std::string out;  ///< standard output and standard error
};

/// Runs a command line to its end.
Outcome shell(const std::string& command);

/// A whole file; nothing when there is none.
std::string content(const std::filesystem::path& file);

/// Writes a bash script that can be run.
void write_program(const TempFolder& folder, const std::string& name, const std::string& body);

}  // namespace tapestry::tests
