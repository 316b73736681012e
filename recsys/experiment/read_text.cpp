#include "recsys/experiment/read_text.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "tensor/error.h"

namespace tapestry::recsys {

std::optional<std::string> read_text(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  try {
    if (in) return std::string(std::istreambuf_iterator<char>(in), {});
  } catch (const std::ios_base::failure&) {  // opened, but not to be read, as a folder
  }
  fail(ErrorKind::kUsage, file.string(), " cannot be read: ", std::strerror(errno));
}

}  // namespace tapestry::recsys
