#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "tensor/memory.h"
#include "tensor/tensor.h"

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(begin, bytes) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(begin, bytes) static_cast<void>(0)
#endif

namespace tapestry::tests {

/// A device buffer between two guard zones, to catch a kernel that writes outside its output. It starts one element past a
/// 64-byte boundary, since a row view may start anywhere. On the host, in builds with the address sanitizer, a kernel that only
/// reads there is caught as well: the sanitizer ends the program. (By itself it would not, since blocks of the pool are rounded
/// up, and stay the process's when they are free.) On a GPU, with TAPESTRY_POOL=exact, there is no zone behind the last element,
/// so that compute-sanitizer catches it.
template <typename T>
class Guarded {
 public:
  /// Uninitialised as far as a kernel may know: every byte is a guard byte, which makes an implausible number.
  Guarded(std::size_t count, Device device) : count_(count), block_(std::make_shared<Block>()) {
    const std::vector<std::byte> bytes(kFront + count * sizeof(T) + back(device), kGuard);
    block_->memory = Tensor::empty({static_cast<std::int64_t>(bytes.size() + 3) / 4}, DType::kInt32, device);
    copy_bytes(block_->memory.raw_data(), device, bytes.data(), Device::kCpu, bytes.size());
    block_->behind = kFront + count * sizeof(T);
    block_->close();
  }
  Guarded(std::span<const T> values, Device device) : Guarded(values.size(), device) {
    copy_bytes(data(), device, values.data(), Device::kCpu, values.size_bytes());
  }

  T* data() const { return reinterpret_cast<T*>(block_->begin() + kFront); }

  std::vector<T> values() const {
    std::vector<T> values(count_);
    copy_bytes(values.data(), Device::kCpu, data(), block_->memory.device(), count_ * sizeof(T));
    return values;
  }

  /// Whether nothing was written before the first or behind the last element.
  bool intact() const {
    std::vector<std::byte> bytes(kFront + count_ * sizeof(T) + back(block_->memory.device()));
    block_->open();
    copy_bytes(bytes.data(), Device::kCpu, block_->begin(), block_->memory.device(), bytes.size());
    block_->close();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      const bool inside = at >= kFront && at < kFront + count_ * sizeof(T);
      if (!inside && bytes[at] != kGuard) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kBefore =
      64;  // of the first zone, what the sanitizer can tell from the elements: 8 bytes at a time
  static constexpr std::size_t kFront = kBefore + sizeof(T);
  static std::size_t back(Device device) { return device == Device::kCuda && pool_is_exact() ? 0 : 64; }
  static constexpr std::byte kGuard{0xC5};

  /// Shared by copies; goes back to the pool open.
  struct Block {
    Tensor memory;
    std::size_t behind = 0;  ///< where the last zone begins

    Block() = default;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { open(); }
    std::byte* begin() const { return static_cast<std::byte*>(memory.raw_data()); }
    void close() const {
      if (memory.device() != Device::kCpu) return;
      ASAN_POISON_MEMORY_REGION(begin(), kBefore);
      ASAN_POISON_MEMORY_REGION(begin() + behind, static_cast<std::size_t>(memory.bytes()) - behind);
    }
    void open() const {
      if (!memory.defined() || memory.device() != Device::kCpu) return;
      ASAN_UNPOISON_MEMORY_REGION(begin(), static_cast<std::size_t>(memory.bytes()));
    }
  };

  std::size_t count_;
  std::shared_ptr<Block> block_;
};

}  // namespace tapestry::tests
