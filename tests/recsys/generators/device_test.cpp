// The generators that fit on a GPU against the same on the CPU.
#include <algorithm>

#include "tests/recsys/generators/generator_support.h"
#include "tests/support/device.h"

namespace tapestry::recsys {
namespace {

class GeneratorsOnDevice : public tapestry::tests::DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (tapestry::tests::test_device() == Device::kCpu) GTEST_SKIP() << "compares a GPU with the CPU: TAPESTRY_DEVICE is cpu";
  }
};

/// The share of the likes of `a` that `b` has too.
double agreement(const CsrMatrix& a, const CsrMatrix& b) {
  std::int64_t shared = 0;
  for (std::int64_t row = 0; row < a.rows(); ++row) {
    for (const std::int32_t item : a.row(row)) {
      shared += std::binary_search(b.row(row).begin(), b.row(row).end(), item) ? 1 : 0;
    }
  }
  return static_cast<double>(shared) / static_cast<double>(a.nnz());
}

TEST_F(GeneratorsOnDevice, DrawTheSameUsers) {
  const ProtocolData protocol = tests::tiny_protocol(50, 30);
  for (const char* name : {"multivae", "m-sdrm"}) {
    std::vector<Interactions> drawn;
    for (const Device device : {Device::kCpu, tapestry::tests::test_device()}) {
      GeneratorSettings settings = tests::tiny_settings();
      settings.device = device;
      const auto generator = tests::make_one(name, settings);
      tests::RecordingListener listener;
      generator->fit(protocol, listener);
      drawn.push_back(generator->sample({40, 0.2}, listener));
    }
    EXPECT_EQ(drawn[1].likes.nnz(), drawn[0].likes.nnz());
    // Sums in another order move a logit by a millionth: an entry at the threshold may fall on its other side.
    EXPECT_GE(agreement(drawn[0].likes, drawn[1].likes), 0.98) << name;
  }
}

}  // namespace
}  // namespace tapestry::recsys
