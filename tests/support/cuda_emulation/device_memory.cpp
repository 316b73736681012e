// Device memory as one range of addresses that the host cannot touch, and the calls that hand out parts of it and copy.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "tests/support/cuda_emulation/cuda_runtime.h"

namespace tapestry::tests::emulation {
namespace {

constexpr std::size_t kDeviceBytes = std::size_t{4} << 30;  // of addresses: only what is written takes memory

class DeviceMemory {
 public:
  DeviceMemory() {
    void* range = ::mmap(nullptr, kDeviceBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) std::abort();
    base_ = static_cast<char*>(range);
  }

  /// The first gap that is large enough, or null.
  char* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    std::size_t at = 0;
    for (const auto& [begin, taken] : blocks_) {
      if (begin - at >= size) break;
      at = begin + taken.size;
    }
    if (size > kDeviceBytes || at > kDeviceBytes - size || in_use_ + size > limit_) return nullptr;
    blocks_[at] = {size, bytes};
    in_use_ += size;
    reach_ = std::max(reach_, (at + size + kPage - 1) / kPage * kPage);
    if (open_ > 0) ::mprotect(base_, reach_, PROT_READ | PROT_WRITE);
    return base_ + at;
  }
  bool free(const void* block) {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(static_cast<std::size_t>(static_cast<const char*>(block) - base_));
    if (found == blocks_.end()) return false;
    in_use_ -= found->second.size;
    blocks_.erase(found);
    return true;
  }
  bool holds(const void* address, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto at = static_cast<std::size_t>(static_cast<const char*>(address) - base_);
    auto block = blocks_.upper_bound(at);
    if (at >= kDeviceBytes || block == blocks_.begin()) return false;
    --block;
    return at + bytes <= block->first + block->second.size;
  }
  std::size_t asked(const void* block) {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(static_cast<std::size_t>(static_cast<const char*>(block) - base_));
    return found == blocks_.end() ? 0 : found->second.asked;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    if (open_++ == 0 && reach_ > 0) ::mprotect(base_, reach_, PROT_READ | PROT_WRITE);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--open_ == 0 && reach_ > 0) ::mprotect(base_, reach_, PROT_NONE);
  }
  std::size_t unused() {
    const std::lock_guard lock(mutex_);
    return limit_ - std::min(limit_, in_use_);
  }
  void limit(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = std::min(bytes, kDeviceBytes);
  }

 private:
  static constexpr std::size_t kAlignment = 256;
  static constexpr std::size_t kPage = 4096;

  std::mutex mutex_;
  char* base_ = nullptr;
  struct Taken {
    std::size_t size;   ///< rounded up to the alignment
    std::size_t asked;  ///< bytes
  };
  std::map<std::size_t, Taken> blocks_;  ///< what is handed out, by its begin
  std::size_t in_use_ = 0;
  std::size_t limit_ = kDeviceBytes;
  std::size_t reach_ = 0;  ///< end of all that ever was
  int open_ = 0;
};

DeviceMemory& memory() {
  static DeviceMemory* const all = new DeviceMemory;
  return *all;
}

}  // namespace

bool is_device_memory(const void* address, std::size_t bytes) { return address == nullptr || memory().holds(address, bytes); }
std::size_t device_block_bytes(const void* block) { return memory().asked(block); }
void limit_device_memory(std::size_t bytes) { memory().limit(bytes); }
DeviceAccess::DeviceAccess() { memory().open(); }
DeviceAccess::~DeviceAccess() { memory().close(); }

}  // namespace tapestry::tests::emulation

using tapestry::tests::emulation::is_device_memory;
using tapestry::tests::emulation::memory;

cudaError_t cudaMalloc(void** block, std::size_t bytes) {
  if (!tapestry::tests::emulation::may_allocate()) return cudaErrorStreamCaptureUnsupported;
  *block = memory().allocate(bytes);
  return *block == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFree(void* block) {
  if (!tapestry::tests::emulation::may_wait_for_all()) return cudaErrorStreamCaptureUnsupported;
  return block == nullptr || memory().free(block) ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaMallocHost(void** block, std::size_t bytes) {
  *block = std::malloc(bytes);
  return *block == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* block) {
  std::free(block);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const auto work = [=] {
    if (kind != cudaMemcpyDeviceToHost && !is_device_memory(to, bytes)) return cudaErrorInvalidValue;
    if (kind != cudaMemcpyHostToDevice && !is_device_memory(from, bytes)) return cudaErrorInvalidValue;
    const tapestry::tests::emulation::DeviceAccess access;
    std::memcpy(to, from, bytes);
    return cudaSuccess;
  };
  if (!tapestry::tests::emulation::is_capturing(stream)) return work();
  // CUDA records copies of pinned memory; nothing in tensor/cuda could mean that, since the memory would have to stay.
  if (kind != cudaMemcpyDeviceToDevice) {
    return tapestry::tests::emulation::break_capture(stream, cudaErrorStreamCaptureUnsupported);
  }
  return tapestry::tests::emulation::record(stream, work);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* device, int) {
  *device = {"emulated on the host", 9, 0, 1};
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* all) {
  *free = memory().unused();
  *all = tapestry::tests::emulation::kDeviceBytes;
  return cudaSuccess;
}
