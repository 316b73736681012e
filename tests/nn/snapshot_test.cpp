#include "nn/snapshot.h"

#include <gtest/gtest.h>

#include "nn/layers.h"
#include "tests/support/device.h"

namespace tapestry::nn {
namespace {

using tests::test_device;

std::vector<float> values_of(const Module& module) {
  std::vector<float> all;
  for (const auto& [name, value] : module.state()) {
    const Tensor host = value.to(Device::kCpu);
    all.insert(all.end(), host.span<float>().begin(), host.span<float>().end());
  }
  return all;
}

void set_all(const Module& module, double value) {
  for (const NamedParameter& parameter : module.named_parameters()) {
    const Tensor& tensor = parameter.variable.value();
    const Tensor filled = Tensor::full(tensor.shape(), value, tensor.dtype(), tensor.device());
    copy_bytes(tensor.raw_data(), tensor.device(), filled.raw_data(), filled.device(), static_cast<std::size_t>(filled.bytes()));
  }
}

TEST(Snapshot, BringsBackWhatWasLastTaken) {
  Initializer init(1, DType::kFloat32, test_device());
  const Linear layer(3, 2, init);
  Snapshot best(layer);
  EXPECT_FALSE(best.taken());
  set_all(layer, 1);
  best.take();
  set_all(layer, 2);
  best.take();
  set_all(layer, 3);
  EXPECT_TRUE(best.taken());
  best.restore();
  EXPECT_EQ(values_of(layer), std::vector<float>(8, 2));
}

TEST(Snapshot, NothingIsRestoredBeforeAnythingWasTaken) {
  Initializer init(1, DType::kFloat32, test_device());
  const Linear layer(3, 2, init);
  const std::vector<float> before = values_of(layer);
  EXPECT_THROW(Snapshot(layer).restore(), Error);
  EXPECT_EQ(values_of(layer), before);
}

TEST(Snapshot, AsksForItsMemoryOnce) {
  Initializer init(1, DType::kFloat32, test_device());
  const Linear layer(30, 20, init);
  Snapshot best(layer);
  const PoolStats before = pool_stats(test_device());
  for (int i = 0; i < 3; ++i) best.take();
  EXPECT_EQ(pool_stats(test_device()).bytes_in_use, before.bytes_in_use);
  EXPECT_EQ(pool_stats(test_device()).system_allocations, before.system_allocations);
}

}  // namespace
}  // namespace tapestry::nn
