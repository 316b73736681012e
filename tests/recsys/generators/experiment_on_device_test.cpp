// Whole small experiments on a GPU, and what a plan measures there: runs that share it do not disturb each other.
#include "recsys/experiment/plan.h"
#include "tensor/memory.h"
#include "tests/recsys/experiment/runner_support.h"
#include "tests/support/device.h"
#include "tests/support/full_device.h"
#include "tests/support/gpu_test.h"

namespace tapestry::recsys {
namespace {

/// Takes the GPU's memory when a run comes to a stage.
class Filling : public ProgressDisplay {
 public:
  explicit Filling(tapestry::tests::FullDevice& device) : device_(device) {}
  void show(const ProgressEvent& event) override {
    if (event.kind != ProgressEvent::Kind::kStageBegin || event.label.stage != "sdrm_fit" || event.label.run != 2) return;
    device_.fill();
  }

 private:
  tapestry::tests::FullDevice& device_;
};

class ExperimentOnDevice : public tapestry::tests::GpuTest {
 protected:
  ExperimentOptions options_for(const std::string& folder, int jobs, const std::string& precision = "float32") const {
    ExperimentOptions options = tiny_options(folder_.path() / folder);
    options.device = "cuda";
    options.precision = precision;
    options.settings = {known_settings().front()};
    options.generators = {"multivae++", "m-sdrm"};
    options.runs = 4;
    options.jobs = options.threads = jobs;
    return options;
  }
  std::string results(const std::string& folder, int jobs, const std::string& precision = "float32") const {
    const ExperimentOptions options = options_for(folder, jobs, precision);
    run(options);
    return all_results(options.out);
  }

  const TempFolder folder_;
};

TEST_F(ExperimentOnDevice, TwoAndFourJobsGiveTheBytesOfOne) {
  const std::string alone = results("1", 1);
  EXPECT_EQ(results("2", 2), alone);
  EXPECT_EQ(results("4", 4), alone);
}

TEST_F(ExperimentOnDevice, APlanMeasuresTheGeneratorsThere) {
  ExperimentOptions options = options_for("plan", 1);
  options.generators = {kOriginal, "multivae++", "m-sdrm"};
  const std::int64_t before = copy_stats().to_device;
  EXPECT_GT(make_plan(tiny_data(), options).wall_seconds, 0);
  EXPECT_GT(copy_stats().to_device, before);
}

TEST_F(ExperimentOnDevice, APlanMeasuresEpochsBehindTheRecordedOne) {
  std::vector<int> readings;
  for (const char* device : {"cpu", "cuda"}) {
    ExperimentOptions options = options_for("plan", 1);
    options.device = device;
    int read = 0;
    make_plan(tiny_data(), options, {.clock = [&] { return static_cast<double>(++read); }});
    readings.push_back(read);
  }
  EXPECT_GE(readings[1], readings[0] + 4) << "a reading an epoch: two more of the VAE, two more of SDRM";
}

TEST_F(ExperimentOnDevice, WithoutMemoryEndsCleanlyAndGoesOn) {
  const std::string undisturbed = results("undisturbed", 1);
  {
    tapestry::tests::FullDevice device;
    try {
      run(options_for("full", 1), std::make_unique<Filling>(device));
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_status(), 4);
      EXPECT_NE(std::string(error.what()).find("out of memory"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(results("full", 1), undisturbed) << "what was finished is sound, and the rest is made";
}

TEST_F(ExperimentOnDevice, PrecisionIsPartOfTheConfiguration) {
  results("tf32", 2, "tf32");
  EXPECT_NE(read_file(folder_.path() / "tf32" / "config.json").find("\"precision\": \"tf32\""), std::string::npos);
  EXPECT_NE(read_file(folder_.path() / "tf32" / "manifest.json").find("\"precision\": \"tf32\""), std::string::npos);
  EXPECT_NE(read_file(folder_.path() / "tf32" / "report.md").find("matrix products in tf32"), std::string::npos);
  EXPECT_THROW(results("tf32", 2), Error);
}

}  // namespace
}  // namespace tapestry::recsys
