#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tapestry::recsys {

/// A file that grows by lines and survives a kill at any instant: a line that was cut off stays by itself, and whoever reads the
/// lines leaves it out. One call at a time for a file. Throws Error(kData) when it cannot be written.
void append_line(const std::filesystem::path& file, const std::string& line);

/// More seconds than anything took that is told of in such a file: larger numbers were not written by us.
inline constexpr double kMostSeconds = 1e10;

/// All lines, empty ones too; none when there is no such file.
std::vector<std::string> read_lines(const std::filesystem::path& file);

}  // namespace tapestry::recsys
