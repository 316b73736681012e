// recsys/experiment/asked_stages.h: which lines of stages.jsonl a report is about.
#include "recsys/experiment/asked_stages.h"

#include <gtest/gtest.h>

#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

TEST(AskedStages, AFitThatAllRecommendersShareCountsUnderWhicheverItStands) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  UnitStore store(folder.path(), configuration_of(tiny_data(), options), {});
  for (const char* stage : {"ctgan_fit", "sample_ctgan", "vae_fit", "tvae_fit", "recommender_fit"}) {
    store.log_stage({"simulated", "mlp", stage, 1, 2, 0});
  }
  store.log_stage({"simulated", "svd", "sample_ctgan", 1, 1, 0});
  options.generators = {kOriginal, "multivae++", "ctgan-paper", "ctgan"};
  const auto asked = [&] {
    std::string text;
    for (const StageRecord& record : asked_stages(store, options, std::vector<std::string>{"simulated"})) {
      text += record.recommender + " " + record.stage + "; ";
    }
    return text;
  };
  EXPECT_EQ(asked(), "mlp ctgan_fit; svd sample_ctgan; ") << "users are drawn and MultiVAE++ is fitted for each recommender";
  options.generators = {kOriginal, "multivae++"};
  EXPECT_EQ(asked(), "");
  options.recommenders = {"mlp"};
  EXPECT_EQ(asked(), "mlp vae_fit; mlp recommender_fit; ");
}

}  // namespace
}  // namespace tapestry::recsys
