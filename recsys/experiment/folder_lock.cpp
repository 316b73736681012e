#include "recsys/experiment/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockFile = ".lock";

[[noreturn]] void fail_folder(const fs::path& folder, const std::string& reason) {
  fail(ErrorKind::kUsage, "the output folder ", folder.string(), " cannot be written: ", reason);
}

/// Whether the lock was had, with errno if it was not. Who has it may be about to give it free: a process that was killed ends
/// when its memory is gone, which takes a moment for gigabytes, and who only asks (is_being_written) has it for an instant.
bool lock_soon(int file) {
  constexpr auto kPatience = std::chrono::seconds(2);
  constexpr auto kPause = std::chrono::milliseconds(20);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

}  // namespace

void make_output_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_folder(folder, error.message());
}

FolderLock::FolderLock(const fs::path& folder) {
  make_output_folder(folder);
  file_ = ::open((folder / kLockFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) fail_folder(folder, std::strerror(errno));
  if (lock_soon(file_)) return;
  const int reason = errno;
  ::close(file_);
  if (reason == EWOULDBLOCK) {
    fail(ErrorKind::kUsage, "another process is writing to ", folder.string(), "; wait for it or choose another --out");
  }
  fail_folder(folder, std::strerror(reason));
}

FolderLock::~FolderLock() { ::close(file_); }

bool is_being_written(const fs::path& folder) {
  const int file = ::open((folder / kLockFile).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  // Shared, and given back at once: a lock is how one asks.
  const bool taken = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return taken;
}

void check_free(const fs::path& folder) {
  std::error_code none;
  if (fs::exists(folder / kLockFile, none)) const FolderLock taken_for_a_moment(folder);
}

}  // namespace tapestry::recsys
