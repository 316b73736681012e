#include "tests/tools/shell.h"

#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace tapestry::tests {

Outcome shell(const std::string& command) {
  Outcome outcome;
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  char part[4096];
  for (std::size_t read = 0; (read = std::fread(part, 1, sizeof part, pipe)) > 0;) outcome.out.append(part, read);
  const int status = ::pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_program(const TempFolder& folder, const std::string& name, const std::string& body) {
  std::filesystem::permissions(folder.write(name, "#!/usr/bin/env bash\n" + body + "\n"), std::filesystem::perms::owner_all);
}

}  // namespace tapestry::tests
