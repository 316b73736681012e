#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "tensor/memory.h"

namespace tapestry::tests {

/// What has been asked of the GPU and of its pool so far.
struct Asked {
  std::int64_t allocations, bytes, to_device, to_host;
  bool operator==(const Asked&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Asked& asked) {
  return out << asked.allocations << " allocations, " << asked.bytes << " bytes, " << asked.to_device << " copies there, "
             << asked.to_host << " back";
}

inline Asked asked_now() {
  const PoolStats pool = pool_stats(Device::kCuda);
  const CopyStats copies = copy_stats();
  return {pool.system_allocations, pool.bytes_in_use, copies.to_device, copies.to_host};
}

/// `asked` once in every epoch. One that is warm (the first three may not be) makes so many copies, whatever the number of its
/// updates, and asks for no memory.
inline void expect_copies_per_epoch(const std::vector<Asked>& asked, std::int64_t to_device, std::int64_t to_host) {
  ASSERT_GT(asked.size(), 3U);
  for (std::size_t epoch = 3; epoch < asked.size(); ++epoch) {
    const Asked& before = asked[epoch - 1];
    EXPECT_EQ(asked[epoch], (Asked{before.allocations, before.bytes, before.to_device + to_device, before.to_host + to_host}))
        << "epoch " << epoch;
  }
}

}  // namespace tapestry::tests
