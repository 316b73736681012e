// recsys/experiment/reuse.h: models that several recommenders share. One of another folder is looked at once, for however many
// units it is wanted, and the time of its fit comes along whichever recommender was first to need it.
#include <gtest/gtest.h>

#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

/// Two recommenders, which share the models of CODIGEM.
ExperimentOptions shared_options(const fs::path& out) {
  ExperimentOptions options = tiny_options(out);
  options.recommenders = {"svd", "mlp"};
  options.generators = {"codigem"};
  options.quick = true;
  options.hyperparameters = [](const std::string& dataset, const std::string& recommender) {
    Hyperparameters values = tiny_values(dataset, recommender);
    if (recommender == "mlp") values.mlp = MlpConfig{.width = 2, .first = 8, .hidden = 8, .max_epochs = 2};
    return values;
  };
  return options;
}

TEST(ReusedModels, ADamagedOneIsNamedOnce) {
  const TempFolder folder;
  ExperimentOptions options = shared_options(folder.path() / "earlier");
  take(options);  // makes a folder of this configuration, without any unit
  folder.write("earlier/models/simulated/all/run-2-codigem.safetensors", "cut off");
  folder.write("earlier/models/simulated/svd/run-2-vae.safetensors", "cut off");
  options.out = folder.path() / "later";
  options.reuse = {folder.path() / "earlier"};
  ASSERT_FALSE(take(options).at(0).conflict.has_value());
  EXPECT_EQ(Saboteur::warnings(), 2) << "each once, for two recommenders in two settings";
  EXPECT_FALSE(fs::exists(options.out / "models/simulated/all/run-2-codigem.safetensors"));
}

TEST(ReusedModels, TheTimeOfTheirFitComesWithWhicheverRecommenderIsTaken) {
  const TempFolder folder;
  ExperimentOptions options = shared_options(folder.path() / "earlier");
  run(options);
  const std::string fit = R"("recommender":"svd","run":1,"stage":"codigem_fit")";
  ASSERT_NE(read_file(options.out / "stages.jsonl").find(fit), std::string::npos) << "SVD was the first to need it";
  options.out = folder.path() / "later";
  options.reuse = {folder.path() / "earlier"};
  options.recommenders = {"mlp"};
  run(options);
  const std::string stages = read_file(options.out / "stages.jsonl");
  EXPECT_NE(stages.find(fit), std::string::npos);
  EXPECT_EQ(stages.find(R"("recommender":"svd","run":1,"stage":"sample_codigem")"), std::string::npos)
      << "MLP drew its own users";
}

}  // namespace
}  // namespace tapestry::recsys
