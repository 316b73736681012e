#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "tensor/memory.h"
#include "tensor/tensor.h"

namespace tapestry::tests {

/// A device buffer between two guard zones, to catch a kernel that writes outside its output. It starts one element past a
/// 64-byte boundary, since a row view may start anywhere.
template <typename T>
class Guarded {
 public:
  /// Uninitialised as far as a kernel may know: every byte is a guard byte, which makes an implausible number.
  Guarded(std::size_t count, Device device) : count_(count), device_(device) {
    const std::vector<std::byte> bytes(kFront + count * sizeof(T) + kBack, kGuard);
    block_ = Tensor::empty({static_cast<std::int64_t>(bytes.size() + 3) / 4}, DType::kInt32, device);
    copy_bytes(block_.raw_data(), device, bytes.data(), Device::kCpu, bytes.size());
  }
  Guarded(std::span<const T> values, Device device) : Guarded(values.size(), device) {
    copy_bytes(data(), device, values.data(), Device::kCpu, values.size_bytes());
  }

  T* data() const { return reinterpret_cast<T*>(static_cast<std::byte*>(block_.raw_data()) + kFront); }

  std::vector<T> values() const {
    std::vector<T> values(count_);
    copy_bytes(values.data(), Device::kCpu, data(), device_, count_ * sizeof(T));
    return values;
  }

  /// Whether nothing was written before the first or behind the last element.
  bool intact() const {
    std::vector<std::byte> bytes(kFront + count_ * sizeof(T) + kBack);
    copy_bytes(bytes.data(), Device::kCpu, block_.raw_data(), device_, bytes.size());
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      const bool inside = at >= kFront && at < kFront + count_ * sizeof(T);
      if (!inside && bytes[at] != kGuard) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kFront = 64 + sizeof(T);
  static constexpr std::size_t kBack = 64;
  static constexpr std::byte kGuard{0xC5};

  std::size_t count_;
  Device device_;
  Tensor block_;
};

}  // namespace tapestry::tests
