#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace tapestry::recsys {

/// The content of a file; nothing when there is none. A file that is there and cannot be read is not absent: throws Error(kUsage)
/// with the system's reason.
std::optional<std::string> read_text(const std::filesystem::path& file);

}  // namespace tapestry::recsys
