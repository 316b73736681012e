// A whole experiment that runs out of the emulated GPU's memory: what was finished stays, and the same call goes on from there.
#include "recsys/experiment/plan.h"
#include "tests/recsys/experiment/runner_support.h"
#include "tests/support/little_device_memory.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::LittleDeviceMemory;

/// Takes the device's memory away when a run comes to a stage.
class Exhausting : public ProgressDisplay {
 public:
  Exhausting(std::string stage, int run) : stage_(std::move(stage)), run_(run) {}
  void show(const ProgressEvent& event) override {
    if (event.kind != ProgressEvent::Kind::kStageBegin || event.label.stage != stage_ || event.label.run != run_) return;
    pool_trim(Device::kCuda);
    tapestry::tests::emulation::limit_device_memory(0);
  }

 private:
  std::string stage_;
  int run_;
};

ExperimentOptions on_device(const fs::path& out, int jobs) {
  ExperimentOptions options = tiny_options(out);
  options.device = "cuda";
  options.settings = {known_settings().front()};
  options.generators = {kOriginal, "multivae++", "m-sdrm"};
  options.jobs = options.threads = jobs;
  return options;
}

TEST(PlanOutOfMemory, EndsWithAnError) {
  const TempFolder folder;
  const ExperimentOptions options = on_device(folder.path(), 1);
  const LittleDeviceMemory restored(std::size_t{1} << 30);
  PlanOptions exhausting;
  exhausting.progress = [](const std::string& what) {
    if (what.find("multivae++") == std::string::npos) return;  // the recommenders come before
    pool_trim(Device::kCuda);
    tapestry::tests::emulation::limit_device_memory(0);
  };
  EXPECT_THROW(make_plan(tiny_data(), options, exhausting), Error);
}

class ExperimentOutOfMemory : public testing::TestWithParam<int> {};

TEST_P(ExperimentOutOfMemory, EndsCleanlyAndGoesOn) {
  const TempFolder folder;
  const ExperimentOptions undisturbed = on_device(folder.path() / "undisturbed", 1);
  run(undisturbed);
  const ExperimentOptions options = on_device(folder.path() / "out", GetParam());
  const std::int64_t in_use = pool_stats(Device::kCuda).bytes_in_use;
  {
    const LittleDeviceMemory restored(std::size_t{1} << 30);
    try {
      run(options, std::make_unique<Exhausting>("sdrm_fit", 2));
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_status(), 4);
      EXPECT_NE(std::string(error.what()).find("out of memory on cuda"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, in_use) << "all jobs have let go of their tensors";
  const auto finished = std::distance(fs::directory_iterator(options.out / "units"), fs::directory_iterator());
  EXPECT_GE(finished, 1);
  EXPECT_LT(finished, 6) << "of 3 generators and 2 runs";
  run(options);
  EXPECT_EQ(all_results(options.out), all_results(undisturbed.out));
}

INSTANTIATE_TEST_SUITE_P(Jobs, ExperimentOutOfMemory, testing::Values(1, 2), testing::PrintToStringParamName());

}  // namespace
}  // namespace tapestry::recsys
