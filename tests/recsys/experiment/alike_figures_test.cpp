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

  /// Of units in which those who are alike find everything in run 1 and half in run 2, and the others, but for one without a
  /// figure, a quarter. Not finished are units of the generator of runs before `from_run`; failed is that of run `failed`.
  std::vector<AlikeFigures> figures(const LoadedDataset& loaded, int from_run = 1, int failed = 0) {
    const std::vector<LoadedDataset> datasets = {loaded};
    const std::vector<std::vector<ProtocolData>> protocols = protocols_of(datasets, options_);
    const std::vector<AlikeRows> rows = alike_rows(datasets, protocols, options_);
    users_ = rows.front().users;
    evaluation_ = protocols[0];
    std::filesystem::remove_all(options_.out);
    UnitStore store(options_.out, configuration_of(datasets, options_), [](const std::string&) {});
    const auto write = [&](const std::string& generator, int run) {
      const ProtocolData& fold = evaluation_[static_cast<std::size_t>(run - 1) % evaluation_.size()];
      Measures measures = {{"Recall@1", "Recall@10"}, {0, 0.5}, {{}, {}}};
      bool left_out = false;
      for (const std::int32_t user : fold.evaluation_users) {
        const double other = left_out || is_alike(loaded.data, user) ? 0.25 : std::nan("");
        left_out = left_out || !is_alike(loaded.data, user);
        measures.users[0].push_back(0);
        measures.users[1].push_back(is_alike(loaded.data, user) ? 1.0 / run : other);
      }
      store.write({{"mine", "svd", "augment", generator, run}, run == failed ? "diverged" : "", measures, std::nullopt});
    };
    for (const UnitKey& key : unit_keys(options_, {"mine", "svd", "augment", kOriginal})) write(kOriginal, key.run);
    for (int run = from_run; run <= options_.runs; ++run) write("m-sdrm", run);
    const std::vector<std::string> names = {"mine"};
    return alike_figures(read_combinations(store, options_, names), names, rows);
  }

  static bool is_alike(const Dataset& data, std::int32_t user) {
    const CsrMatrix liked = likes(data.stored);
    return liked.row_nnz(user) == 3 && liked.row(user)[2] == 2;
  }

  TempFolder folder_;
  ExperimentOptions options_;
  AlikeUsers users_;                      ///< of the last figures()
  std::vector<ProtocolData> evaluation_;  ///< likewise
};

TEST_F(AlikeFiguresTest, WhatIsFoundForThemAndForTheOthers) {
  const std::vector<AlikeFigures> found = figures(dataset_with(3));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].generator, kOriginal);
  EXPECT_EQ(found[0].alike, std::vector<double>{1});
  EXPECT_EQ(found[1].all, (std::vector<double>{0.5, 0.5})) << "as the unit says";
  EXPECT_EQ(found[1].alike, (std::vector<double>{1, 0.5}));
  EXPECT_EQ(found[1].others, (std::vector<double>{0.25, 0.25})) << "of one of them there is no figure";
  EXPECT_EQ(users_.items, 3);
  EXPECT_EQ(users_.users, 60);
  std::int64_t reported = 0;
  for (const std::int32_t user : evaluation_[0].evaluation_users) reported += user % 5 < 3 ? 1 : 0;
  EXPECT_GT(reported, 0);
  EXPECT_EQ(users_.reported, reported);
  EXPECT_EQ(users_.of_train, 60 - reported) << "D are the others";
}

TEST_F(AlikeFiguresTest, EachRunsFoldAndOnlyThoseThatARunReports) {
  options_.protocol = ProtocolName::kStrict;
  options_.folds = 4;
  options_.runs = 4;
  const std::vector<AlikeFigures> whole = figures(dataset_with(3));
  ASSERT_EQ(whole.size(), 2U);
  EXPECT_EQ(whole[1].alike, (std::vector<double>{1, 1.0 / 2, 1.0 / 3, 1.0 / 4}));
  EXPECT_EQ(whole[1].others, std::vector<double>(4, 0.25));
  EXPECT_EQ(users_.reported, 60) << "everybody is reported once";
  options_.fewer_runs["mine/svd"] = 2;
  const std::vector<AlikeFigures> half = figures(dataset_with(3));
  ASSERT_EQ(half.size(), 2U);
  EXPECT_EQ(half[1].alike, (std::vector<double>{1, 1.0 / 2}));
  EXPECT_LT(users_.reported, 60) << "two of four folds";
  EXPECT_GT(users_.reported, 0);
}

TEST_F(AlikeFiguresTest, NotOfWhatIsUnfinishedOrFailedNorWhereFewAreAlike) {
  EXPECT_EQ(figures(dataset_with(3), 2).size(), 1U) << "of two runs one is there";
  EXPECT_EQ(figures(dataset_with(3), 1, 2).size(), 1U) << "one of two failed";
  EXPECT_TRUE(figures(dataset_with(0)).empty());
  EXPECT_EQ(users_.items, 0);
  AlikeRows few;
  few.users = {3, 2, 1, 1};
  few.reported = {std::vector<bool>(51, false)};
  few.reported[0][7] = true;
  const std::vector<std::string> names = {"mine"};
  Combination combination = {{"mine", "svd", "augment", kOriginal}, 1, {}};
  combination.units = {
      {{"mine", "svd", "augment", kOriginal, 1}, "", {{"Recall@10"}, {0.5}, {std::vector<double>(51, 0.5)}}, {}}};
  EXPECT_TRUE(alike_figures(std::vector{combination}, names, std::vector{few}).empty()) << "one of 51";
  few.reported[0].resize(50);
  combination.units[0].measures.users[0].resize(50);
  EXPECT_EQ(alike_figures(std::vector{combination}, names, std::vector{few}).size(), 1U) << "one of 50";
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
  content.options.protocol = "strict, 10 folds";
  content.alike[0].others = {std::nan("")};
  const std::string with_folds = alike_section(content).markdown();
  EXPECT_NE(with_folds.find("264 of them in the D of the first run and 33 among the reported users of all runs."),
            std::string::npos);
  EXPECT_NE(with_folds.find("| SVD | augment | Original | 0.5000 | 1.0000 | – |"), std::string::npos) << with_folds;
  content.alike[0].others = {0.25};
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
