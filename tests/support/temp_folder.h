#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace tapestry::tests {

/// A new empty folder, removed with everything in it at the end. Its name is its own: tests run side by side.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();

  const std::filesystem::path& path() const { return path_; }
  /// Writes a file and returns its path.
  std::filesystem::path write(const std::string& name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// Changes one bit of the last byte of a file, which keeps its length.
void flip_a_bit(const std::filesystem::path& file);

}  // namespace tapestry::tests
