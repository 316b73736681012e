#include "tensor/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>

#include "tensor/error.h"
#include "tests/support/temp_folder.h"

#if __has_include(<linux/seccomp.h>)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

namespace tapestry {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public ::testing::Test {
 protected:
  static std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  std::size_t files() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {})); }

  /// Writing must throw kData with a message that begins with the path and gives a reason.
  static void expect_refused(const fs::path& path, std::string_view bytes) {
    try {
      write_file_atomically(path, bytes);
      ADD_FAILURE() << "written: " << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
      const std::string start = path.string() + ": cannot be written: ";
      EXPECT_EQ(std::string(error.what()).rfind(start, 0), 0u) << error.what();
      EXPECT_GT(std::string(error.what()).size(), start.size());
    }
  }

  const tests::TempFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(AtomicFileTest, CreatesAndReplaces) {
  const fs::path path = folder_ / "results.csv";
  const std::string first("a\0b\n", 4);
  write_file_atomically(path, first);
  EXPECT_EQ(read(path), first);
  write_file_atomically(path, "second, longer content");
  EXPECT_EQ(read(path), "second, longer content");
  write_file_atomically(path, "");
  EXPECT_EQ(read(path), "");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, JoinsPieces) {
  const fs::path path = folder_ / "pieces";
  const std::vector<std::string_view> pieces = {"head|", "", std::string_view("\0\xff", 2), "|tail"};
  write_file_atomically(path, pieces);
  EXPECT_EQ(read(path), std::string("head|\0\xff|tail", 12));
}

TEST_F(AtomicFileTest, ReplacesRatherThanOverwrites) {
  const fs::path path = folder_ / "file";
  write_file_atomically(path, "old");
  std::ifstream reader(path);
  write_file_atomically(path, "new");
  std::string seen;
  reader >> seen;
  EXPECT_EQ(seen, "old");  // a reader keeps the whole old file
}

TEST_F(AtomicFileTest, OverwritesWhatAKilledRunLeft) {
  std::ofstream(folder_ / "file.tmp") << "half a file, longer than the new content";
  write_file_atomically(folder_ / "file", "whole");
  EXPECT_EQ(read(folder_ / "file"), "whole");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, WritesWithoutAFolderInThePath) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  write_file_atomically("plain", "content");
  fs::current_path(before);
  EXPECT_EQ(read(folder_ / "plain"), "content");
}

TEST_F(AtomicFileTest, RefusesPlacesThatCannotBeWritten) {
  expect_refused(folder_ / "absent" / "file", "content");
  fs::create_directories(folder_ / "taken" / "inside");
  expect_refused(folder_ / "taken", "content");
  EXPECT_EQ(files(), 1u);  // no temporary is left beside "taken"
}

TEST_F(AtomicFileTest, KeepsTheOldFileWhenWritingFails) {
  const fs::path path = folder_ / "file";
  write_file_atomically(path, "old");
  rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small = {4096, limit.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_refused(path, std::string(10000, 'x'));  // fails after the first 4096 bytes
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read(path), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, KeepsTheOldFileWhenFlushingFails) {
  const fs::path path = folder_ / "file";
  write_file_atomically(path, "old");
  // What takes all that is written, and cannot be flushed to a disk.
  fs::create_symlink("/dev/null", folder_ / "file.tmp");
  expect_refused(path, "new");
  EXPECT_EQ(read(path), "old");
  EXPECT_EQ(files(), 1u);
}

/// From here on every close() of this process fails, as on a network file system that reports a write late. There is no way back.
/// False where the system does not let a process filter its own calls.
bool let_closing_fail() {
#if __has_include(<linux/seccomp.h>)
  sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program = {sizeof rules / sizeof rules[0], rules};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#else
  return false;
#endif
}

TEST_F(AtomicFileTest, KeepsTheOldFileWhenClosingFails) {
  const fs::path path = folder_ / "file";
  write_file_atomically(path, "old");
  enum { kRefused, kWritten, kNoFilter };
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!let_closing_fail()) ::_exit(kNoFilter);
    try {
      write_file_atomically(path, "new");
    } catch (const Error&) {
      ::_exit(kRefused);
    }
    ::_exit(kWritten);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoFilter) GTEST_SKIP() << "no filter of system calls can be had here";
  EXPECT_EQ(WEXITSTATUS(status), kRefused);
  EXPECT_EQ(read(path), "old");
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace tapestry
