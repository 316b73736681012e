// recsys/experiment/outputs.h: cells and comparisons from finished units, written here by hand.
#include "recsys/experiment/outputs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "recsys/metrics/users_and_fits.h"
#include "tensor/random.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kDataset = "simulated";

/// `strict` with svd and augment, in a folder whose units are given to it.
class StrictOutputs : public testing::Test {
 protected:
  StrictOutputs() : options_(tiny_options(folder_.path() / "out")) {
    options_.protocol = ProtocolName::kStrict;
    options_.settings = {"augment"};
    options_.runs = 1;
  }

  /// Of one unit for each element of users_of_units[generator][unit][metric], all metrics named Recall@10.
  using UsersOfUnits = std::map<std::string, std::vector<std::vector<std::vector<double>>>>;
  Outputs outputs_of(const UsersOfUnits& users_of_units) {
    options_.generators.clear();
    for (const auto& [generator, units] : users_of_units) options_.generators.push_back(generator);
    std::vector<LoadedDataset> datasets;
    datasets.push_back({tiny_dataset(), 0.5});
    UnitStore store(options_.out, configuration_of(datasets, options_), [](const std::string&) {});
    for (const auto& [generator, units] : users_of_units) {
      for (std::size_t unit = 0; unit < units.size(); ++unit) {
        Measures measures;
        for (const std::vector<double>& users : units[unit]) {
          measures.names.emplace_back("Recall@10");
          measures.means.push_back(mean(users));
          measures.users.push_back(users);
        }
        store.write({{kDataset, "svd", "augment", generator, static_cast<int>(unit) + 1}, "", measures, std::nullopt});
      }
    }
    const std::vector<std::string> names = {kDataset};
    return collect_outputs(store, options_, names, {}, [](double) {});
  }

  TempFolder folder_;
  ExperimentOptions options_;
};

TEST_F(StrictOutputs, ACellsMeanAndIntervalAreOverTheUsersOfUnequalFolds) {
  options_.folds = 10;
  options_.runs = 10;
  RandomSequence random({5, Purpose::kTest, 1});
  UserValues values = {{}, 10};
  std::vector<std::vector<std::vector<double>>> units;
  for (std::size_t fold = 0; fold < 10; ++fold) {
    std::vector<double>& users = values.fits.emplace_back();
    for (std::size_t user = 0; user < (fold == 0 ? 3U : 2U); ++user) users.push_back(random.normal());
    units.push_back({users});
  }
  const Outputs found = outputs_of({{kOriginal, units}});
  ASSERT_EQ(found.cells.size(), 1U);
  const Cell& cell = found.cells[0];
  ASSERT_TRUE(cell.mean && cell.interval);
  EXPECT_EQ(*cell.mean, mean_test(values).mean);
  EXPECT_NE(*cell.mean, mean(cell.runs)) << "over users, of whom one fold has more";
  const Interval expected = bootstrap_interval(values, {.seed = derive_seed(options_.seed, 1'000'000)});
  EXPECT_EQ(cell.interval->low, expected.low);
  EXPECT_EQ(cell.interval->high, expected.high);
}

TEST_F(StrictOutputs, OneOverwhelmingDifferenceIsFoundInAFamilyOfAnySize) {
  // One combination stands for hundreds: its metric comes again and again, of two users without a difference.
  const auto comparisons = [&](std::size_t family) {
    std::vector<double> many;
    for (int user = 0; user < 30; ++user) many.push_back(0.5 + 0.01 * user);
    std::vector<std::vector<double>> ours(family, {0.0, 0.0}), none = ours;
    ours[0] = many;
    none[0].assign(many.size(), 0.0);
    fs::remove_all(options_.out);
    return outputs_of({{kOriginal, {none}}, {"multivae++", {ours}}}).comparisons;
  };
  for (const std::size_t family : {360U, 600U}) {
    const std::vector<Comparison> found = comparisons(family);
    ASSERT_EQ(found.size(), family);
    EXPECT_EQ(family_size(found), static_cast<int>(family));
    EXPECT_DOUBLE_EQ(found[0].p_these_fits, family == 600 ? 1.0 / 15001 : 1.0 / 10001);
    EXPECT_EQ(finding_of_these_fits(found[0]), Finding::kBetter) << "of " << family;
    EXPECT_EQ(finding_of_these_fits(found[1]), Finding::kNoDifference);
  }
}

TEST(SyntheticOutputs, AreMeansOverTheRunsThatDidNotFailInEverySetting) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "out");
  options.generators = {"f-sdrm", "m-sdrm"};
  options.runs = 3;
  const std::vector<LoadedDataset> datasets = tiny_data();
  UnitStore store(options.out, configuration_of(datasets, options), [](const std::string&) {});
  const Measures measures = {{"Recall@10"}, {0.5}, {{0.5}}}, none = {{"Recall@10"}, {std::nan("")}, {{std::nan("")}}};
  const auto write = [&](const std::string& setting, const std::string& generator, int run, std::optional<int> pairs) {
    Unit unit = {{kDataset, "svd", setting, generator, run}, pairs ? "" : "it diverged", pairs ? measures : none, std::nullopt};
    if (pairs) unit.synthetic.emplace().pairs[0] = *pairs;
    store.write(unit);
  };
  for (const int run : {1, 2}) write("augment", "m-sdrm", run, 10 * run);
  write("augment", "m-sdrm", 3, std::nullopt);
  for (const int run : {1, 2, 3}) write("replace", "f-sdrm", run, 10 * run);
  const auto synthetic = [&] {
    return collect_outputs(store, options, std::vector<std::string>{kDataset}, {}, [](double) {}).synthetic;
  };
  const std::vector<SyntheticFigures> found = synthetic();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].generator + found[1].generator, "f-sdrmm-sdrm") << "as asked for, whichever setting they are read from";
  EXPECT_EQ(found[0].pairs[0], 20);
  EXPECT_FALSE(found[0].failed());
  EXPECT_FALSE(std::isnan(found[0].pairs_interval[0].low));
  EXPECT_EQ(found[1].runs, 2);
  EXPECT_EQ(found[1].asked, 3);
  EXPECT_EQ(found[1].pairs[0], 15);
  EXPECT_TRUE(std::isnan(found[1].pairs_interval[0].low)) << "the third is not missing by chance";
  for (const int run : {1, 2, 3}) write("replace", "m-sdrm", run, 10 * run);
  EXPECT_FALSE(synthetic()[1].failed()) << "only its recommender did, in one setting";
}

}  // namespace
}  // namespace tapestry::recsys
