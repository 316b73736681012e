#pragma once

#include <string>
#include <vector>

namespace tapestry::tests {

/// The blocks of a Markdown file that begin with ```cpp. Throws Error(kData) if it cannot be opened.
std::vector<std::string> code_blocks(const std::string& markdown_path);

/// Whether the lines of `block` stand in the source file one after the other, indentation aside: a
/// document's example is then one that a test compiles and runs.
bool is_compiled_in(const std::string& block, const std::string& source_path);

}  // namespace tapestry::tests
