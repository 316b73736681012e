// Whole small experiments on a GPU: runs that share it do not disturb each other.
#include "tests/recsys/experiment/runner_support.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"

namespace tapestry::recsys {
namespace {

class ExperimentOnDevice : public tapestry::tests::GpuTest {
 protected:
  std::string results(const std::string& folder, int jobs, const std::string& precision = "float32") {
    ExperimentOptions options = tiny_options(folder_.path() / folder);
    options.device = "cuda";
    options.precision = precision;
    options.settings = {known_settings().front()};
    options.generators = {"multivae++", "m-sdrm"};
    options.runs = 4;
    options.jobs = options.threads = jobs;
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

TEST_F(ExperimentOnDevice, PrecisionIsPartOfTheConfiguration) {
  results("tf32", 2, "tf32");
  EXPECT_NE(read_file(folder_.path() / "tf32" / "config.json").find("\"precision\": \"tf32\""), std::string::npos);
  EXPECT_NE(read_file(folder_.path() / "tf32" / "manifest.json").find("\"precision\": \"tf32\""), std::string::npos);
  EXPECT_NE(read_file(folder_.path() / "tf32" / "report.md").find("matrix products in tf32"), std::string::npos);
  EXPECT_THROW(results("tf32", 2), Error);
}

}  // namespace
}  // namespace tapestry::recsys
