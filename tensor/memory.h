#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tensor/types.h"

namespace tapestry {

/// What a device's pool has done so far. Bytes are as handed out by the system (rounded up to size classes).
struct PoolStats {
  std::int64_t system_allocations = 0;  ///< times the pool asked the system: constant once a training loop is warm
  std::int64_t bytes_in_use = 0;
  std::int64_t bytes_cached = 0;  ///< freed blocks kept for the next request
  std::int64_t peak_bytes = 0;    ///< highest bytes_in_use + bytes_cached
};

/// A block of at least `bytes` bytes, 64-byte aligned, from the device's caching pool: freed blocks are kept by size class and
/// handed out again, so that a training step that repeats the same shapes asks the system for nothing. Safe to call from
/// several threads. On a GPU the block is ready for what the calling thread asks the device to do from now on, and may still be
/// in use by what it, or whichever thread freed it, asked for before. Throws Error(kDevice) when the device has no memory left
/// even after the cache was given back.
void* pool_allocate(Device device, std::size_t bytes);
/// Returns a block of pool_allocate with the size that was asked for.
void pool_free(Device device, void* block, std::size_t bytes) noexcept;
PoolStats pool_stats(Device device);
/// Whether the GPU's pool keeps nothing: with TAPESTRY_POOL=exact in the environment, which is read once, every block is asked of
/// the driver at its own size and given back as soon as it is freed, so that compute-sanitizer sees a kernel that reads behind a
/// block's end, or one that is no longer there. That is slow, and no graphs are recorded. Throws Error(kUsage) when TAPESTRY_POOL
/// is neither kept nor exact.
bool pool_is_exact();
struct PoolLists;

/// GPU memory set aside for a step that is recorded in a CUDA graph (tensor/step_graph.h), which will use its blocks again and
/// again without asking. Between begin() and end() every GPU block that the calling thread gets or frees belongs to the reserve:
/// it comes back to the reserve whoever frees it and whenever, and only the reserve hands it out again. All of it counts as in
/// use until the reserve is destroyed; then the free blocks are the pool's once more, and so is each of the others when it is
/// freed.
class PoolReserve {
 public:
  PoolReserve();
  ~PoolReserve();
  PoolReserve(const PoolReserve&) = delete;
  PoolReserve& operator=(const PoolReserve&) = delete;

  void begin();
  void end() noexcept;
  /// Whether one is between begin() and end() on the calling thread.
  static bool filling();

 private:
  std::unique_ptr<PoolLists> lists_;  ///< made by the first begin()
};

/// What has crossed between host and GPU by copy_bytes, which everything uses, in all threads.
struct CopyStats {
  std::int64_t to_device = 0;  ///< copies
  std::int64_t to_host = 0;
  std::int64_t bytes_to_host = 0;
};
CopyStats copy_stats();

/// Gives every cached block back to the system, between stages of a run. On a GPU it waits for all runs, and takes their blocks.
void pool_trim(Device device);

/// Copies bytes between any two devices. Returns when they have arrived on the host; on a GPU they arrive in the order of the
/// calling thread's work, and `from` may be changed at once when it is the host's.
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes);

/// Lets standard containers and allocate_shared live in the host pool, so that the tape allocates nothing once warm.
template <typename T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <typename U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT(google-explicit-constructor): allocators convert
  // NOLINTBEGIN(bugprone-sizeof-expression): T may be a pointer
  T* allocate(std::size_t count) { return static_cast<T*>(pool_allocate(Device::kCpu, count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { pool_free(Device::kCpu, block, count * sizeof(T)); }
  // NOLINTEND(bugprone-sizeof-expression)
  template <typename U>
  bool operator==(const PoolAllocator<U>&) const {
    return true;
  }
};

}  // namespace tapestry
