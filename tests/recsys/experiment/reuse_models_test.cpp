// recsys/experiment/reuse.h: a model of another folder is looked at once, for however many units it is wanted.
#include <gtest/gtest.h>

#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

TEST(ReusedModels, ADamagedOneIsNamedOnce) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "earlier");
  options.recommenders = {"svd", "mlp"};  // which share the models of CODIGEM
  options.generators = {"codigem"};
  options.quick = true;
  options.hyperparameters = [](const std::string& dataset, const std::string& recommender) {
    Hyperparameters values = tiny_values(dataset, recommender);
    if (recommender == "mlp") values.mlp = MlpConfig{.width = 2, .first = 8, .hidden = 8, .max_epochs = 2};
    return values;
  };
  take(options);  // makes a folder of this configuration, without any unit
  folder.write("earlier/models/simulated/all/run-2-codigem.safetensors", "cut off");
  folder.write("earlier/models/simulated/svd/run-2-vae.safetensors", "cut off");
  options.out = folder.path() / "later";
  options.reuse = {folder.path() / "earlier"};
  ASSERT_FALSE(take(options).at(0).conflict.has_value());
  EXPECT_EQ(Saboteur::warnings(), 2) << "each once, for two recommenders in two settings";
  EXPECT_FALSE(fs::exists(options.out / "models/simulated/all/run-2-codigem.safetensors"));
}

}  // namespace
}  // namespace tapestry::recsys
