// What a report says of users who are alike: from units that are written here by hand to the page and the CSV.
#include "recsys/experiment/alike_figures.h"

#include <gtest/gtest.h>

#include <cmath>

#include "recsys/data/split.h"
#include "recsys/experiment/experiment_jobs.h"
#include "recsys/report/csv_files.h"
#include "recsys/report/sections.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

/// A hundred users with items and a dislike of their own, of whom `alike` in every five like the same three items.
LoadedDataset dataset_with(int alike) {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (int user = 0; user < 100; ++user) {
    const int own = 3 + user;
    std::vector<std::int32_t> row = {0, 1, 2, own};
    for (const std::int32_t item : row) {
      columns.push_back(item);
      // What is disliked does not count: item 2 of those who are not alike, the own item of those who are.
      values.push_back(item == (user % 5 < alike ? own : 2) ? 0.0F : 1.0F);
    }
    offsets.push_back(static_cast<std::int64_t>(columns.size()));
  }
  Dataset data;
  data.name = "mine";
  data.stored = CsrMatrix::from(100, 103, offsets, columns, values);
  complete_dataset(data);
  return {std::move(data), 0};
}

class AlikeFiguresTest : public testing::Test {
 protected:
  AlikeFiguresTest() : options_(tiny_options(folder_.path() / "out")) {
    options_.settings = {"augment"};
    options_.generators = {kOriginal, "m-sdrm"};
    options_.runs = 2;
  }

  /// Units in which those who are alike find everything in run 1 and half in run 2, and the others, but for one without a figure,
  /// a quarter. `from_run`: of the generator's users, of which the earlier runs are not finished.
  std::vector<AlikeFigures> figures(const LoadedDataset& loaded, int from_run = 1) {
    const std::vector<LoadedDataset> datasets = {loaded};
    protocols_ = protocols_of(datasets, options_);
    const ProtocolData& protocol = protocols_[0][0];
    UnitStore store(options_.out, configuration_of(datasets, options_), [](const std::string&) {});
    const auto write = [&](const std::string& generator, int run) {
      Measures measures = {{"Recall@1", "Recall@10"}, {0, 0.5}, {{}, {}}};
      bool left_out = false;
      for (const std::int32_t user : protocol.evaluation_users) {
        const bool alike = is_alike(loaded.data, user);
        const double other = left_out || alike ? 0.25 : std::nan("");
        left_out = left_out || !alike;
        measures.users[0].push_back(0);
        measures.users[1].push_back(alike ? 1.0 / run : other);
      }
      store.write({{"mine", "svd", "augment", generator, run}, "", measures, std::nullopt});
    };
    write(kOriginal, 1);
    for (int run = from_run; run <= options_.runs; ++run) write("m-sdrm", run);
    return alike_figures(store, options_, datasets, protocols_);
  }

  static bool is_alike(const Dataset& data, std::int32_t user) {
    const CsrMatrix liked = likes(data.stored);
    return liked.row_nnz(user) == 3 && liked.row(user)[2] == 2;
  }

  TempFolder folder_;
  ExperimentOptions options_;
  std::vector<std::vector<ProtocolData>> protocols_;
};

TEST_F(AlikeFiguresTest, WhatIsFoundForThemAndForTheOthers) {
  const LoadedDataset loaded = dataset_with(3);
  const std::vector<AlikeFigures> found = figures(loaded);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].generator, kOriginal);
  EXPECT_EQ(found[0].alike, std::vector<double>{1});
  EXPECT_EQ(found[1].all, (std::vector<double>{0.5, 0.5})) << "as the unit says";
  EXPECT_EQ(found[1].alike, (std::vector<double>{1, 0.5}));
  EXPECT_EQ(found[1].others, (std::vector<double>{0.25, 0.25})) << "of one of them there is no figure";
  const AlikeUsers users = alike_users(loaded.data, protocols_[0]);
  EXPECT_EQ(users.items, 3);
  EXPECT_EQ(users.users, 60);
  std::int64_t reported = 0;
  for (const std::int32_t user : protocols_[0][0].evaluation_users) reported += user % 5 < 3 ? 1 : 0;
  EXPECT_GT(reported, 0);
  EXPECT_EQ(users.reported, reported);
  EXPECT_EQ(users.of_train, 60 - reported) << "D are the others";
}

TEST_F(AlikeFiguresTest, NotOfUnfinishedCombinationsNorWhereNobodyIsAlike) {
  EXPECT_EQ(figures(dataset_with(3), 2).size(), 1U) << "of two runs one is there";
  std::filesystem::remove_all(options_.out);
  EXPECT_TRUE(figures(dataset_with(0)).empty());
  EXPECT_EQ(alike_users(dataset_with(0).data, protocols_[0]).items, 0);
}

TEST(AlikeSectionTest, ASentenceAndATableForEachDataSet) {
  ReportContent content;
  content.datasets = {{"ml-1m", 6034, 3125, 994338, 574376, 605, {}}, {"mine", 1344, 30, 60, 50, 136, {}}};
  content.datasets[1].alike = {8, 297, 264, 33};
  EXPECT_TRUE(alike_section(content).empty());
  content.alike = {{"mine", "svd", "augment", kOriginal, {0.5}, {1}, {0.25}},
                   {"mine", "svd", "augment", "m-sdrm", {0.5, 0.5}, {1, 1}, {0.25, 0.75}}};
  const std::string text = alike_section(content).markdown();
  EXPECT_NE(text.find("mine: 297 of the 1,344 users like the same 8 items, 264 of them in D and 33 among the reported users."),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| SVD | augment | M-SDRM | 0.5000 ± 0.0000 | 1.0000 ± 0.0000 | 0.5000 ± 0.2500 |"), std::string::npos)
      << text;
  EXPECT_EQ(text.find("ml-1m"), std::string::npos) << "of which there is nothing to say";
  EXPECT_EQ(alike_csv(content.alike),
            "dataset,recommender,setting,generator,users,runs,mean,std\n"
            "mine,svd,augment,original,all,1,0.5000000000,0.0000000000\n"
            "mine,svd,augment,original,alike,1,1.0000000000,0.0000000000\n"
            "mine,svd,augment,original,others,1,0.2500000000,0.0000000000\n"
            "mine,svd,augment,m-sdrm,all,2,0.5000000000,0.0000000000\n"
            "mine,svd,augment,m-sdrm,alike,2,1.0000000000,0.0000000000\n"
            "mine,svd,augment,m-sdrm,others,2,0.5000000000,0.2500000000\n");
}

TEST(SimilaritySectionTest, RealUsersOutsideDAreTheYardstick) {
  ReportContent content;
  content.datasets = {{"mine", 1344, 30, 60, 50, 136, {}}};
  content.synthetic = {{"mine", "svd", "m-sdrm", 1, {}, {}, 0, {}, {}, {}, 1}};
  EXPECT_EQ(similarity_section(content).markdown().find("| real users outside D |"), std::string::npos) << "not looked at";
  SyntheticSummary summary;
  summary.nearest[0] = 3;
  summary.nearest[9] = 1;
  summary.copies = 1;
  content.datasets[0].strangers = mean_synthetic("mine", "", kStrangers, std::vector{summary}, 1);
  EXPECT_NE(similarity_section(content).markdown().find("| real users outside D | 4 | 25.00 % (1) | 75.00 % | 0 % |"),
            std::string::npos)
      << similarity_section(content).markdown();
  EXPECT_NE(similarity_csv(content.datasets, {}, {}).find("\nmine,,reported-users,1,1.0,1.0,,,1.0000000000,25.0000000000,,,\n"),
            std::string::npos);
}

}  // namespace
}  // namespace tapestry::recsys
