#pragma once

#include <cstddef>
#include <cstdint>

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
/// Gives every cached block back to the system: called between the stages of a run, whose shapes differ.
void pool_trim(Device device);

/// Copies bytes between any two devices. Returns when they have arrived on the host; on a GPU they arrive in the order of the
/// calling thread's work, and `from` may be changed at once when it is the host's.
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes);
/// How many bytes have come from a GPU to the host so far, in all threads.
std::int64_t bytes_brought_to_host();

/// Lets standard containers and allocate_shared live in the host pool, so that the tape allocates nothing once warm.
template <typename T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <typename U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT(google-explicit-constructor): allocators convert
  T* allocate(std::size_t count) { return static_cast<T*>(pool_allocate(Device::kCpu, count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { pool_free(Device::kCpu, block, count * sizeof(T)); }
  template <typename U>
  bool operator==(const PoolAllocator<U>&) const {
    return true;
  }
};

}  // namespace tapestry
