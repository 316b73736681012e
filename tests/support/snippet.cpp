#include "tests/support/snippet.h"

#include <fstream>
#include <sstream>

#include "tensor/error.h"

namespace tapestry::tests {
namespace {

std::ifstream open(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail(ErrorKind::kData, path, ": cannot be opened");
  return file;
}

/// All lines that are not empty, without indentation.
std::string plain_lines(std::istream& text) {
  std::string lines = "\n";
  for (std::string line; std::getline(text, line);) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin != std::string::npos) lines += line.substr(begin) + "\n";
  }
  return lines;
}

}  // namespace

std::vector<std::string> code_blocks(const std::string& markdown_path) {
  std::ifstream file = open(markdown_path);
  std::vector<std::string> blocks;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "```cpp") {
      inside = true;
      blocks.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

bool is_compiled_in(const std::string& block, const std::string& source_path) {
  std::ifstream file = open(source_path);
  std::istringstream text(block);
  return plain_lines(file).find(plain_lines(text)) != std::string::npos;
}

}  // namespace tapestry::tests
