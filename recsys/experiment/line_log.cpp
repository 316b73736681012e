#include "recsys/experiment/line_log.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "recsys/experiment/read_text.h"
#include "tensor/error.h"

namespace tapestry::recsys {

void append_line(const std::filesystem::path& file, const std::string& line) {
  std::ofstream out(file, std::ios::binary | std::ios::app);
  // The line feed comes first: should the last line have been cut off, this one starts afresh.
  out << "\n" + line << std::flush;
  if (!out) fail(ErrorKind::kData, file.string(), ": cannot be written: ", std::strerror(errno));
}

std::vector<std::string> read_lines(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  std::istringstream in(read_text(file).value_or(""));
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace tapestry::recsys
