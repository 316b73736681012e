#pragma once

#include <filesystem>
#include <span>
#include <string_view>

namespace tapestry {

/// Puts `bytes` into the file `path` in one step: they are written to `<path>.tmp` in the same folder, flushed to the disk and
/// renamed, so that whoever looks finds the old content or the new one, also after a kill or a power cut. What a killed run left
/// in `<path>.tmp` is overwritten by the next one, so that the folder ends up the same; hence one writer at a time per file.
/// Throws Error(kData) with the path and the system's reason; the old content is then still there and the temporary is not.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// The same for content in pieces, which are written one after the other without being copied together.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::string_view> pieces);

}  // namespace tapestry
