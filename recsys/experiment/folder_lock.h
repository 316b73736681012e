#pragma once

#include <filesystem>

namespace tapestry::recsys {

/// Makes an output folder, and those that it lies in. Throws Error(kUsage) when that cannot be done.
void make_output_folder(const std::filesystem::path& folder);

/// Keeps a folder of results for this process, by its file `.lock`. The system gives it free when the object or the process ends,
/// however it ends.
class FolderLock {
 public:
  /// Makes the folder if it does not exist. Throws Error(kUsage) when it cannot be made or written, or when it is taken and still
  /// is two seconds later: by another process, or by another FolderLock of this one.
  explicit FolderLock(const std::filesystem::path& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int file_ = -1;
};

/// Whether a process has taken the folder and may write to it. Makes nothing.
bool is_being_written(const std::filesystem::path& folder);

/// Throws as FolderLock does when the folder is taken. Makes nothing, and leaves the folder free.
void check_free(const std::filesystem::path& folder);

}  // namespace tapestry::recsys
