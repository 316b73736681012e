// Training that runs out of the emulated GPU's memory: the error comes out, and nothing of it stays.
#include <gtest/gtest.h>

#include <limits>

#include "sdrm/vae_training.h"
#include "tensor/memory.h"
#include "tests/support/compare.h"
#include "tests/support/little_device_memory.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

class OutOfDeviceMemory : public testing::Test {
 protected:
  OutOfDeviceMemory() {
    config_.hidden = 14;
    config_.latent = 6;
    config_.batch = 17;
    config_.max_epochs = 4;
  }
  MultiVae model() const {
    nn::Initializer init(3, DType::kFloat32, Device::kCuda);
    return MultiVae(30, config_, init);
  }
  void fit(MultiVae& model, const std::function<void(std::int64_t epoch)>& at_epoch = {}) const {
    const auto none = [](const MultiVae&, std::int64_t epoch) { return static_cast<double>(epoch); };
    fit_vae(model, rows_, config_, 7, none, [&](const VaeEpoch& report) {
      if (at_epoch) at_epoch(report.epoch);
    });
  }

  VaeConfig config_;
  const CsrMatrix rows_ = tests::grouped_matrix(40, 30, 3, 5);
};

TEST_F(OutOfDeviceMemory, InTheMiddleOfAFit) {
  MultiVae undisturbed = model(), broken = model(), again = model();
  fit(undisturbed);
  const std::int64_t in_use = pool_stats(Device::kCuda).bytes_in_use;
  // A warm loop asks the system for nothing: what it had kept goes, as when another run needs it, and there is no more.
  const auto exhaust = [](std::int64_t epoch) {
    if (epoch != 1) return;
    pool_trim(Device::kCuda);
    tests::emulation::limit_device_memory(0);
  };
  {
    const tests::LittleDeviceMemory restored(std::size_t{1} << 30);
    try {
      fit(broken, exhaust);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kDevice);
      EXPECT_NE(std::string(error.what()).find("out of memory on cuda"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, in_use) << "the fit's tensors are free again";
  fit(again);
  const auto found = again.state(), expected = undisturbed.state();
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_TRUE(tests::same_bits(found[i].second.to(Device::kCpu), expected[i].second.to(Device::kCpu))) << found[i].first;
  }
}

// A step that runs out of memory while it is recorded is tried once more (StepGraph). Wherever that happens, the fit ends with an
// error or with the weights of one that was not disturbed.
TEST_F(OutOfDeviceMemory, WhileAStepIsRecorded) {
  MultiVae undisturbed = model();
  fit(undisturbed);
  const auto expected = undisturbed.state();
  int disturbed = 0, not_disturbed = 0;
  // More room than suffices shows nothing else: a few of those fits are enough.
  for (std::size_t room = 0; room < 40000 && not_disturbed < 4; room += 256) {
    MultiVae tried = model();
    const tests::LittleDeviceMemory restored(std::numeric_limits<std::size_t>::max());
    bool finished = true;
    try {
      fit(tried, [&](std::int64_t epoch) {
        if (epoch == 0) {
          pool_trim(Device::kCuda);
          static_cast<void>(
              Tensor::empty({1 << 18}, DType::kFloat32, Device::kCuda));  // kept: what is given back before the retry
          tests::emulation::limit_device_memory(tests::device_bytes_handed_out() + room);
        } else {
          tests::LittleDeviceMemory::all();
        }
      });
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kDevice) << error.what();
      finished = false;
    }
    ++(pool_stats(Device::kCuda).bytes_cached < (1 << 20) ? disturbed : not_disturbed);
    if (!finished) continue;
    const auto found = tried.state();
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_TRUE(tests::same_bits(found[i].second.to(Device::kCpu), expected[i].second.to(Device::kCpu)))
          << found[i].first << " with " << room << " bytes left";
    }
  }
  EXPECT_GT(disturbed, 0) << "no fit gave the kept block back";
}

}  // namespace
}  // namespace tapestry::sdrm
