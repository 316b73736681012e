#include "tensor/memory.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "tensor/cuda/cuda_memory.h"

namespace tapestry {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr int kClassesPerDoubling = 4;  // from 256 bytes on at most a fifth of a block is wasted
constexpr int kClasses = 48 * kClassesPerDoubling;
constexpr std::size_t kLargestBlock = std::size_t{1} << 50;  // no machine has this much: surely a size gone wrong

struct SizeClass {
  int index;
  std::size_t bytes;
};

/// The smallest class that holds `bytes`: 64, 128, 192, 256, 320, ..., from 256 on a quarter of a power of two apart.
SizeClass size_class(std::size_t bytes) {
  const std::size_t wanted = std::max(bytes, kAlignment);
  const int doubling = std::bit_width(wanted) - 1;  // 2^doubling <= wanted
  const std::size_t base = std::size_t{1} << doubling;
  const std::size_t step = base / kClassesPerDoubling;
  const std::size_t steps = (wanted - base + step - 1) / step;
  const std::size_t size = base + steps * step;
  const int index = (doubling - 6) * kClassesPerDoubling + static_cast<int>(steps);
  return {index, (size + kAlignment - 1) / kAlignment * kAlignment};
}

void* system_allocate(Device device, std::size_t bytes) {
  return device == Device::kCpu ? std::aligned_alloc(kAlignment, bytes) : cuda_allocate(bytes);
}

void system_free(Device device, void* block) {
  if (device == Device::kCpu) {
    std::free(block);
  } else {
    cuda_free(block);
  }
}

/// One device's free lists. On the host a free block's first word links to the next; on CUDA the host cannot write there, so the
/// links are kept in nodes of their own.
///
/// On CUDA a thread frees a block as soon as it has asked for the last kernel that uses it, which need not have run. Whatever the
/// same thread asks for next runs later on the same stream, so it may have the block at once. A thread with another stream gets
/// it only when its class holds no other, and its stream then waits for the one that freed it.
class Pool {
 public:
  explicit Pool(Device device) : device_(device) {}

  void* allocate(std::size_t bytes) {
    if (bytes > kLargestBlock) fail(ErrorKind::kDevice, "out of memory on ", device_, ": ", bytes, " bytes asked for");
    const SizeClass wanted = size_class(bytes);
    const std::lock_guard lock(mutex_);
    if (Link* link = take_link(free_[static_cast<std::size_t>(wanted.index)])) {
      stats_.bytes_cached -= static_cast<std::int64_t>(wanted.bytes);
      stats_.bytes_in_use += static_cast<std::int64_t>(wanted.bytes);
      return take_block(link);
    }
    void* block = system_allocate(device_, wanted.bytes);
    if (block == nullptr) {
      trim_locked();
      block = system_allocate(device_, wanted.bytes);
    }
    if (block == nullptr) {
      fail(ErrorKind::kDevice, "out of memory on ", device_, ": ", bytes, " bytes asked for, ", stats_.bytes_in_use,
           " bytes in use by this process");
    }
    ++stats_.system_allocations;
    stats_.bytes_in_use += static_cast<std::int64_t>(wanted.bytes);
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.bytes_in_use + stats_.bytes_cached);
    return block;
  }

  void free(void* block, std::size_t bytes) {
    const SizeClass given = size_class(bytes);
    const std::lock_guard lock(mutex_);
    Link* link = make_link(block);
    link->next = free_[static_cast<std::size_t>(given.index)];
    free_[static_cast<std::size_t>(given.index)] = link;
    stats_.bytes_in_use -= static_cast<std::int64_t>(given.bytes);
    stats_.bytes_cached += static_cast<std::int64_t>(given.bytes);
  }

  void trim() {
    const std::lock_guard lock(mutex_);
    trim_locked();
  }

  PoolStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  struct Link {
    Link* next;
    void* block;
    void* stream;  ///< cuda_stream_tag() of the thread that freed the block
  };

  Link* make_link(void* block) {
    Link* link = static_cast<Link*>(block);
    if (device_ != Device::kCpu) {
      link = spare_ == nullptr ? new Link : spare_;
      if (spare_ != nullptr) spare_ = spare_->next;
    }
    link->block = block;
    link->stream = device_ == Device::kCpu ? nullptr : cuda_stream_tag();
    return link;
  }

  /// Takes one block out of a list, null when it is empty.
  Link* take_link(Link*& head) const {
    if (head == nullptr) return nullptr;
    Link** chosen = &head;
    if (device_ != Device::kCpu) {
      void* const own = cuda_stream_tag();
      while (*chosen != nullptr && (*chosen)->stream != nullptr && (*chosen)->stream != own) chosen = &(*chosen)->next;
      if (*chosen == nullptr) {
        chosen = &head;
        cuda_run_after(head->stream);
      }
    }
    Link* const link = *chosen;
    *chosen = link->next;
    return link;
  }

  void* take_block(Link* link) {
    void* block = link->block;
    if (device_ != Device::kCpu) {
      link->next = spare_;
      spare_ = link;
    }
    return block;
  }

  void trim_locked() {
    for (Link*& head : free_) {
      while (head != nullptr) {
        Link* link = head;
        head = link->next;
        system_free(device_, take_block(link));
      }
    }
    stats_.bytes_cached = 0;
  }

  Device device_;
  std::mutex mutex_;
  std::array<Link*, kClasses> free_ = {};
  Link* spare_ = nullptr;  ///< nodes of blocks that were taken, on CUDA
  PoolStats stats_;
};

/// Never destroyed: tensors in static objects may be freed after any destructor of ours has run.
Pool& pool_of(Device device) {
  static Pool* const pools[] = {new Pool(Device::kCpu), new Pool(Device::kCuda)};
  return *pools[static_cast<std::size_t>(device)];
}

}  // namespace

void* pool_allocate(Device device, std::size_t bytes) { return pool_of(device).allocate(bytes); }
void pool_free(Device device, void* block, std::size_t bytes) noexcept { pool_of(device).free(block, bytes); }
PoolStats pool_stats(Device device) { return pool_of(device).stats(); }
void pool_trim(Device device) { pool_of(device).trim(); }

namespace {
std::atomic<std::int64_t> brought_to_host = 0;
}

std::int64_t bytes_brought_to_host() { return brought_to_host; }

void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes) {
  if (bytes == 0) return;
  if (from_device == Device::kCpu) {
    to_device == Device::kCpu ? static_cast<void>(std::memcpy(to, from, bytes)) : cuda_upload(to, from, bytes);
  } else if (to_device == Device::kCpu) {
    brought_to_host += static_cast<std::int64_t>(bytes);
    cuda_download(to, from, bytes);
  } else {
    cuda_copy(to, from, bytes);
  }
}

}  // namespace tapestry
