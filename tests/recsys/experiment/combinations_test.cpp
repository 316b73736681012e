// recsys/experiment/combinations.h: what is asked for in which order, and what of it is finished.
#include "recsys/experiment/combinations.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

using Texts = std::vector<std::string>;

ExperimentOptions asked() {
  ExperimentOptions options = tiny_options("");
  options.recommenders = {"svd", "mlp"};
  options.generators = {kOriginal, "m-sdrm"};
  return options;
}

Texts texts(const std::vector<CombinationKey>& keys) {
  Texts all;
  for (const CombinationKey& key : keys) {
    all.push_back(key.dataset + " " + key.recommender + " " + key.setting + " " + key.generator);
  }
  return all;
}

TEST(Combinations, AreInTheOrderOfReportsOrOfWork) {
  ExperimentOptions options = asked();
  const Texts datasets = {"a", "b"};
  EXPECT_EQ(asked_combinations(options, datasets).size(), 16U);
  options.recommenders = {"svd"};
  EXPECT_EQ(texts(asked_combinations(options, datasets)),
            (Texts{"a svd augment original", "a svd augment m-sdrm", "a svd replace original", "a svd replace m-sdrm",
                   "b svd augment original", "b svd augment m-sdrm", "b svd replace original", "b svd replace m-sdrm"}));
  EXPECT_EQ(texts(asked_combinations(options, Texts{"a"}, CombinationOrder::kOfWork)),
            (Texts{"a svd augment original", "a svd replace original", "a svd augment m-sdrm", "a svd replace m-sdrm"}));
}

TEST(Combinations, AUnitThatLeavesNothingToChanceIsAskedForOncePerFold) {
  ExperimentOptions options = asked();
  options.runs = 4;
  for (const int folds : {0, 2}) {
    options.folds = folds;
    EXPECT_EQ(unit_keys(options, {"a", "svd", "augment", kOriginal}).size(), folds == 2 ? 2U : 1U);
    EXPECT_EQ(unit_keys(options, {"a", "svd", "augment", "m-sdrm"}).size(), 4U);
    EXPECT_EQ(unit_keys(options, {"a", "mlp", "augment", kOriginal}).size(), 4U);
  }
  options.folds = 0;
  EXPECT_EQ(all_unit_keys(options, Texts{"a"}).size(), 2U * (1 + 4 + 4 + 4));
  const auto of_run = [&](int run) {
    Texts all;
    for (const UnitKey& key : unit_keys_of_run(options, "a", "svd", run)) all.push_back(key.text());
    return all;
  };
  EXPECT_EQ(of_run(1), (Texts{"a_svd_augment_original_run-1", "a_svd_replace_original_run-1", "a_svd_augment_m-sdrm_run-1",
                              "a_svd_replace_m-sdrm_run-1"}));
  EXPECT_EQ(of_run(2), (Texts{"a_svd_augment_m-sdrm_run-2", "a_svd_replace_m-sdrm_run-2"}));
}

TEST(Combinations, AreCompleteWithTheirLastUnitAndFailedWithAnyThatDid) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "out");
  options.settings = {"augment"};
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0.5});
  const Texts names = dataset_names(datasets);
  UnitStore store(options.out, configuration_of(datasets, options), [](const std::string&) {});
  const Measures measures = {{"Recall@10"}, {0.5}, {{0.5}}};
  store.write({{names[0], "svd", "augment", kOriginal, 1}, "", measures, std::nullopt});
  store.write({{names[0], "svd", "augment", "multivae++", 1}, "", measures, std::nullopt});
  store.write({{names[0], "svd", "augment", "multivae++", 2}, "it diverged", measures, std::nullopt});
  store.write({{names[0], "svd", "augment", "m-sdrm", 2}, "", measures, std::nullopt});
  const std::vector<Combination> all = read_combinations(store, options, names);
  ASSERT_EQ(all.size(), options.generators.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].key.generator, options.generators[i]);
  const Combination &original = all[0], &multivae = all[1], &f_sdrm = all[2], &m_sdrm = all[3];
  EXPECT_TRUE(original.complete());
  EXPECT_FALSE(original.failed());
  EXPECT_TRUE(multivae.complete());
  EXPECT_TRUE(multivae.failed());
  EXPECT_EQ(std::pair(f_sdrm.units.size(), f_sdrm.asked), std::pair(std::size_t{0}, std::size_t{2}));
  EXPECT_FALSE(m_sdrm.complete());
  ASSERT_EQ(m_sdrm.units.size(), 1U);
  EXPECT_EQ(m_sdrm.units[0].key.run, 2);
}

}  // namespace
}  // namespace tapestry::recsys
