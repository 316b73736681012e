// What our figures say about the printed ones, and the gain of SDRM over MultiVAE++.
#include "recsys/report/verdict.h"

#include <gtest/gtest.h>

#include <cmath>

#include "recsys/report/improvement.h"
#include "recsys/report/published_improvement.h"

namespace tapestry::recsys {
namespace {

Cell cell(const std::string& generator, std::vector<double> runs, const std::string& metric = "Recall@10") {
  return {"ml-100k", "svd", "augment", generator, metric, std::move(runs), {}};
}

std::optional<Verdict> judged(const Cell& one) { return verdict(summarise(one)); }

TEST(VerdictTest, EachKind) {  // printed: M-SDRM .3971 +- .004, original .3716 +- 0
  EXPECT_EQ(judged(cell("m-sdrm", {0.39, 0.40, 0.41})), Verdict::kReproduced);
  EXPECT_EQ(judged(cell("m-sdrm", {0.386, 0.3861, 0.3862})), Verdict::kWithinThree);
  EXPECT_EQ(judged(cell("m-sdrm", {0.45, 0.4501, 0.4502})), Verdict::kAbove);
  EXPECT_EQ(judged(cell("m-sdrm", {0.35, 0.3501, 0.3502})), Verdict::kBelow);
  EXPECT_EQ(judged(cell("original", {0.37155, 0.37155})), Verdict::kReproduced);
  EXPECT_EQ(judged(cell("original", {0.3720, 0.3720})), Verdict::kAbove) << "a row without randomness is matched or not";
  EXPECT_EQ(judged(cell("m-sdrm", {0.3971})), Verdict::kWithinThree) << "one run has no interval";
  EXPECT_EQ(judged(cell("m-sdrm", {0.39, std::nan("")})), std::nullopt);
  EXPECT_EQ(judged(cell("m-sdrm", {0.39, 0.40}, "Recall@5")), std::nullopt) << "not printed";
}

TEST(VerdictTest, TheEdgeOfThreeDeviationsAllowsForRounding) {
  const double edge = 0.3971 + 3 * 0.0045 + 0.00005;  // .004 may have been .0045
  EXPECT_EQ(judged(cell("m-sdrm", {edge - 1e-6, edge - 1e-6})), Verdict::kWithinThree);
  EXPECT_EQ(judged(cell("m-sdrm", {edge + 1e-6, edge + 1e-6})), Verdict::kAbove);
}

TEST(VerdictTest, CountsThePrintedOnes) {
  const std::vector<Cell> cells = {cell("m-sdrm", {0.39, 0.40, 0.41}), cell("f-sdrm", {0.1, 0.1001}),
                                   cell("m-sdrm", {0.9, 0.9}, "Recall@1"), cell("original", {0.37155, 0.37155})};
  EXPECT_EQ(verdict_counts(cells), "2 of 3 printed figures reproduced, 0 within 3 sd, 0 above, 1 below.");
  EXPECT_EQ(verdict_counts(cells, {.compare = false}), "");
  EXPECT_EQ(verdict_counts({}), "");
  const std::vector<Cell> failed = {cell("original", {0.37155, 0.37155}), cell("m-sdrm", {0.39, std::nan("")}),
                                    cell("f-sdrm", {std::nan("")})};
  EXPECT_EQ(verdict_counts(failed), "1 of 3 printed figures reproduced, 0 within 3 sd, 0 above, 0 below, 2 failed.");
  EXPECT_EQ(verdict_counts(std::span(failed).last(1)),
            "0 of 1 printed figures reproduced, 0 within 3 sd, 0 above, 0 below, 1 failed.");
}

TEST(ImprovementTest, TheBetterOfTheTwoAgainstMultiVae) {
  const std::vector<Cell> cells = {cell("multivae++", {0.3878}), cell("f-sdrm", {0.3924}), cell("m-sdrm", {0.3961, 0.3981}),
                                   cell("multivae++", {0.2}, "Recall@5"), cell("f-sdrm", {0.1}, "Recall@5")};
  const std::vector<Improvement> found = improvements(cells);
  ASSERT_EQ(found.size(), 1u) << "M-SDRM is missing at 5";
  EXPECT_TRUE(std::abs(found[0].percent - 100 * (0.3971 / 0.3878 - 1)) <= 1e-9);
  EXPECT_EQ(found[0].published, 2.40) << "table 7; from the means of table 3 it is 2.398";
  EXPECT_EQ(improvements(cells, {.compare = false})[0].published, std::nullopt);
}

TEST(ImprovementTest, AFailedRunLeavesItsCombinationOut) {
  const double nan = std::nan("");
  for (const auto& [full, multi] : {std::pair(nan, 0.4), std::pair(0.4, nan)}) {
    EXPECT_TRUE(
        improvements(std::vector<Cell>{cell("multivae++", {0.3}), cell("f-sdrm", {full}), cell("m-sdrm", {multi})}).empty());
  }
}

TEST(ImprovementTest, AveragesByMetric) {
  const std::vector<Improvement> some = {{"a", "svd", "augment", "Recall@10", 2, 1.0},
                                         {"b", "svd", "augment", "Recall@10", 5, {}},
                                         {"a", "svd", "replace", "Recall@10", -1, {}},
                                         {"a", "svd", "augment", "NDCG@10", 1, 2.0},
                                         {"b", "svd", "augment", "NDCG@10", 1, 5.0}};
  const std::vector<AverageImprovement> found = average_improvements(some);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].published_same, std::nullopt) << "printed for one of the two";
  EXPECT_EQ(found[2].published_same, 3.5) << "the paper's for the same two";
  EXPECT_EQ(found[0].percent, 3.5);
  EXPECT_EQ(found[0].combinations, 2);
  EXPECT_EQ(found[0].published, std::nullopt) << "one of the two data sets is not the paper's";
  EXPECT_EQ(found[2].published, 6.15);
  EXPECT_EQ(found[1].published, std::nullopt) << "a data set that the paper does not have";
}

TEST(PublishedImprovementTest, SumsOfTheTables) {
  const std::string datasets[] = {"amazon-luxury-beauty", "ml-100k", "amazon-digital-music", "ml-1m"};
  double augment = 0, replace = 0;
  for (const std::string& dataset : datasets) {
    for (const char* recommender : {"svd", "mlp", "neumf"}) {
      for (const int k : {1, 3, 5, 10, 20, 50}) {
        for (const char* kind : {"Recall@", "NDCG@"}) {
          const std::string metric = kind + std::to_string(k);
          augment += published_improvement("augment", recommender, dataset, metric).value();
          replace += published_improvement("replace", recommender, dataset, metric).value();
        }
      }
    }
  }
  EXPECT_TRUE(std::abs(augment - 1047.70) <= 1e-9) << augment;
  EXPECT_TRUE(std::abs(replace - 241.70) <= 1e-9) << replace;
  EXPECT_EQ(published_improvement("augment", "NeuMF", "amazon-digital-music", "Recall@10"), 21.88);
  EXPECT_EQ(published_average_improvement("replace", "Recall@3"), -0.28);
  EXPECT_EQ(published_improvement("augment", "svd", "simulated", "Recall@10"), std::nullopt);
  EXPECT_EQ(published_average_improvement("augment", "Recall@2"), std::nullopt);
}

}  // namespace
}  // namespace tapestry::recsys
