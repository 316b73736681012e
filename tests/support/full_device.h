#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "tensor/error.h"
#include "tensor/memory.h"

namespace tapestry::tests {

/// Takes all the memory that a GPU, emulated or not, still has, and keeps it until give_back() or this object's end.
class FullDevice {
 public:
  FullDevice() = default;
  ~FullDevice() { give_back(); }
  FullDevice(const FullDevice&) = delete;
  FullDevice& operator=(const FullDevice&) = delete;

  void fill() {
    pool_trim(Device::kCuda);
    std::size_t bytes = std::size_t{1} << 30;
    while (bytes >= 64) {
      try {
        blocks_.emplace_back(pool_allocate(Device::kCuda, bytes), bytes);
      } catch (const Error&) {
        bytes /= 2;  // what is left lies in smaller pieces
      }
    }
  }
  void give_back() {
    for (const auto& [block, bytes] : blocks_) pool_free(Device::kCuda, block, bytes);
    if (!blocks_.empty()) pool_trim(Device::kCuda);
    blocks_.clear();
  }

 private:
  std::vector<std::pair<void*, std::size_t>> blocks_;
};

}  // namespace tapestry::tests
