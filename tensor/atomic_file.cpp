#include "tensor/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "tensor/error.h"

namespace tapestry {
namespace {

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  int number() const { return number_; }
  bool valid() const { return number_ >= 0; }
  /// False when the system reports a write that failed late, as network file systems do.
  bool close() {
    const bool closed = !valid() || ::close(number_) == 0;
    number_ = -1;
    return closed;
  }

 private:
  int number_;
};

bool write_all(int descriptor, std::string_view bytes) {
  constexpr std::size_t kMost = std::size_t{1} << 30;  // more than about 2^31 bytes are cut short or refused by some systems
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), std::min(bytes.size(), kMost));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool write_to_disk(const std::string& path, std::span<const std::string_view> pieces) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file.valid()) return false;
  for (const std::string_view piece : pieces) {
    if (!write_all(file.number(), piece)) return false;
  }
  return ::fsync(file.number()) == 0 && file.close();
}

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  write_file_atomically(path, std::span(&bytes, 1));
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::string_view> pieces) {
  const std::string target = path.string();
  const std::string temporary = target + ".tmp";
  if (!write_to_disk(temporary, pieces) || ::rename(temporary.c_str(), target.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    ::unlink(temporary.c_str());
    fail(ErrorKind::kData, target, ": cannot be written: ", reason);
  }
  // The rename lasts only once the folder is on the disk too. Not every file system can be asked for that; where it cannot, the
  // file is complete all the same and only the promise about power cuts is lost.
  const std::string folder = path.has_parent_path() ? path.parent_path().string() : ".";
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.valid()) ::fsync(directory.number());
}

}  // namespace tapestry
