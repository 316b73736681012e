// What our figures say about the printed ones, and the gain of SDRM over MultiVAE++.
#include "recsys/report/verdict.h"

#include <gtest/gtest.h>

#include <cmath>

#include "recsys/metrics/ranking.h"
#include "recsys/report/improvement.h"
#include "recsys/report/other_verdicts.h"
#include "recsys/report/published.h"
#include "recsys/report/published_similarity.h"
#include "recsys/report/sections.h"

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

TEST(VerdictTest, TheEdgeIsThreePrintedDeviations) {
  const double edge = 0.3971 + 3 * 0.004 + 0.00005;  // the mean has four decimals
  EXPECT_EQ(judged(cell("m-sdrm", {edge - 1e-6, edge - 1e-6})), Verdict::kWithinThree);
  EXPECT_EQ(judged(cell("m-sdrm", {edge + 1e-6, edge + 1e-6})), Verdict::kAbove);
}

TEST(VerdictTest, WithoutAPrintedDeviation) {
  EXPECT_EQ(verdict(2, {1, 3}, 2.5, 0.01), Verdict::kReproduced);
  EXPECT_EQ(verdict(2, {1, 3}, 3.005, 0.01), Verdict::kReproduced) << "may have been 3";
  EXPECT_EQ(verdict(0.03, {0.02, 0.045}, 0.05, 0.01), Verdict::kReproduced) << "0.045 + 0.005 is less than 0.05 by rounding";
  EXPECT_EQ(verdict(2, {1, 3}, 3.006, 0.01), Verdict::kBelow);
  EXPECT_EQ(verdict(2, {1, 3}, 3.02, 0.01), Verdict::kBelow);
  EXPECT_EQ(verdict(2, {1, 3}, 0.98, 0.01), Verdict::kAbove);
  EXPECT_EQ(verdict(2, {1, 3}, {}, 0.01), std::nullopt);
  EXPECT_EQ(verdict(2, {std::nan(""), std::nan("")}, 2, 0.01), std::nullopt) << "one run";
}

TEST(VerdictTest, CountsThePrintedOnes) {
  const auto counts = [](std::span<const Cell> cells) { return count_verdicts(cells).text("printed figures", true); };
  const std::vector<Cell> cells = {cell("m-sdrm", {0.39, 0.40, 0.41}), cell("f-sdrm", {0.1, 0.1001}),
                                   cell("m-sdrm", {0.9, 0.9}, "Recall@1"), cell("original", {0.37155, 0.37155})};
  EXPECT_EQ(counts(cells), "2 of 3 printed figures reproduced, 0 within 3 sd, 0 above, 1 below");
  EXPECT_EQ(count_verdicts(cells).text("of the gains", false), "2 of 3 of the gains reproduced, 0 above, 1 below");
  EXPECT_EQ(count_verdicts(cells, {.compare = false}).printed(), 0);
  EXPECT_EQ(count_verdicts({}).printed(), 0);
  const std::vector<Cell> failed = {cell("original", {0.37155, 0.37155}), cell("m-sdrm", {0.39, std::nan("")}),
                                    cell("f-sdrm", {std::nan("")})};
  EXPECT_EQ(counts(failed), "1 of 3 printed figures reproduced, 0 within 3 sd, 0 above, 0 below, 2 failed");
  EXPECT_EQ(counts(std::span(failed).last(1)), "0 of 1 printed figures reproduced, 0 within 3 sd, 0 above, 0 below, 1 failed");
}

TEST(ImprovementTest, TheBetterOfTheTwoAgainstMultiVae) {
  const std::vector<Cell> cells = {cell("multivae++", {0.3878}), cell("f-sdrm", {0.3924}), cell("m-sdrm", {0.3961, 0.3981}),
                                   cell("multivae++", {0.2}, "Recall@5"), cell("f-sdrm", {0.1}, "Recall@5")};
  const std::vector<Improvement> found = improvements(cells);
  ASSERT_EQ(found.size(), 3u) << "M-SDRM is missing at 5";
  EXPECT_TRUE(std::abs(found[0].percent - 100 * (0.3971 / 0.3878 - 1)) <= 1e-9);
  EXPECT_EQ(found[0].published, 2.40) << "table 7; from the means of table 3 it is 2.398";
  EXPECT_EQ(found[0].of, kBetterOfTwo);
  EXPECT_EQ(found[1].of, "f-sdrm");
  EXPECT_TRUE(std::abs(found[1].percent - 100 * (0.3924 / 0.3878 - 1)) <= 1e-9) << "by itself";
  EXPECT_EQ(found[1].published, std::nullopt) << "only the better of the two was printed";
  EXPECT_EQ(found[2].of, "m-sdrm");
  EXPECT_EQ(found[2].percent, found[0].percent);
  EXPECT_EQ(improvements(cells, {.compare = false})[0].published, std::nullopt);
}

TEST(ImprovementTest, AFailedRunLeavesItsCombinationOut) {
  const double nan = std::nan("");
  for (const auto& [full, multi] : {std::pair(nan, 0.4), std::pair(0.4, nan)}) {
    EXPECT_TRUE(
        improvements(std::vector<Cell>{cell("multivae++", {0.3}), cell("f-sdrm", {full}), cell("m-sdrm", {multi})}).empty());
  }
}

TEST(ImprovementTest, TheIntervalIsThatOfTheRatio) {
  // s = .36, v = .3, gain 20 %; s_r - 1.2 v_r = .02, -.01, -.01, in percent of v
  const std::vector<Cell> cells = {cell("multivae++", {0.30, 0.32, 0.28}), cell("f-sdrm", {0.1, 0.1, 0.1}),
                                   cell("m-sdrm", {0.38, 0.374, 0.326})};
  const Improvement found = improvements(cells).at(0);
  ASSERT_EQ(found.deviations.size(), 3u);
  const double wanted[] = {100 * 0.02 / 0.3, -100 * 0.01 / 0.3, -100 * 0.01 / 0.3};
  for (int r = 0; r < 3; ++r) EXPECT_NEAR(found.deviations[static_cast<std::size_t>(r)], wanted[r], 1e-9);
  const Interval interval = interval_of(found), same = mean_interval(wanted);
  EXPECT_NEAR(interval.low, 20 + same.low, 1e-9);
  EXPECT_NEAR(interval.high, 20 + same.high, 1e-9);
  EXPECT_EQ(verdict(found), Verdict::kAbove) << "printed 2.40, the interval is 20 +- 14.3";
  EXPECT_TRUE(improvements(std::vector<Cell>{cell("multivae++", {0.3, 0.3}), cell("f-sdrm", {0.1}), cell("m-sdrm", {0.4})})
                  .at(0)
                  .deviations.empty())
      << "not the same runs";
}

TEST(ImprovementTest, MeansOfIndependentCombinationsHaveWelchsInterval) {
  // Two means of three runs each; their sum's interval by the textbook.
  const std::vector<double> one = {1, -1, 0}, other = {4, -2, -2};
  std::vector<Improvement> some = {{"ml-100k", "svd", "augment", "Recall@10", 2, 2.0, one},
                                   {"ml-1m", "svd", "augment", "Recall@10", 5, 3.0, other}};
  const double a = sample_std(one) * sample_std(one) / 3, b = sample_std(other) * sample_std(other) / 3;
  const double degrees = (a + b) * (a + b) / (a * a / 2 + b * b / 2);
  const double half = student_t_quantile(0.975, degrees) * std::sqrt(a + b) / 2;
  AverageImprovement found = average_improvements(some).at(0);
  EXPECT_NEAR(found.interval.low, 3.5 - half, 1e-9);
  EXPECT_NEAR(found.interval.high, 3.5 + half, 1e-9);
  EXPECT_EQ(found.printed(), 2.5) << "of the same two, not the paper's 5.36 of all";
  EXPECT_EQ(verdict(found), Verdict::kReproduced);
  // The same runs at another cut-off are no new evidence.
  some.push_back(some[0]);
  some.push_back(some[1]);
  some[2].metric = some[3].metric = "Recall@20";
  const std::vector<AverageImprovement> overall = overall_improvements(some);
  ASSERT_EQ(overall.size(), 1u) << "one setting, no NDCG";
  EXPECT_EQ(overall[0].metric, "Recall@k");
  EXPECT_EQ(overall[0].combinations, 2);
  EXPECT_EQ(overall[0].published, 6.81);
  EXPECT_NEAR(overall[0].interval.high - overall[0].interval.low, 2 * half, 1e-9);
  some[3].deviations = {1, 2};
  EXPECT_TRUE(std::isnan(overall_improvements(some).at(0).interval.low)) << "not the same runs";
  some[3].setting = "replace";
  EXPECT_EQ(overall_improvements(some).back().setting, "augment and replace");
}

TEST(ImprovementTest, RecommendersMayShareTheLuckOfTheirRuns) {
  const std::vector<double> runs = {1, -1, 0};
  std::vector<Improvement> some;
  for (const char* recommender : {"svd", "mlp", "neumf"}) {
    some.push_back({"ml-100k", recommender, "augment", "Recall@10", 2, {}, runs, kBetterOfTwo, /*shared_runs=*/true});
  }
  const Interval alone = interval_of(some[0]);
  AverageImprovement found = average_improvements(some).at(0);
  EXPECT_NEAR(found.interval.low, alone.low, 1e-9) << "three times the same runs are no new evidence";
  EXPECT_NEAR(found.interval.high, alone.high, 1e-9);
  EXPECT_EQ(found.combinations, 3);
  for (Improvement& one : some) one.shared_runs = false;
  found = average_improvements(some).at(0);
  EXPECT_LT(found.interval.high - found.interval.low, (alone.high - alone.low) / 2) << "hyperparameters and users of their own";
  std::vector<Cell> cells = {cell("multivae++", {0.3}), cell("f-sdrm", {0.3}), cell("m-sdrm", {0.4})};
  EXPECT_FALSE(improvements(cells)[0].shared_runs);
  EXPECT_TRUE(improvements(cells, {.protocol = "strict, 10 folds"})[0].shared_runs) << "all report the same users in a run";
  EXPECT_FALSE(improvements(cells, {.protocol = "strict"})[0].shared_runs);
  for (Cell& one : cells) one.dataset = "simulated";
  EXPECT_TRUE(improvements(cells)[0].shared_runs) << "all get the users of the same models";
}

TEST(ImprovementTest, MeansOfEachOfTheTwoByItselfStandBesideTheBetterOnes) {
  const std::vector<Cell> cells = {cell("multivae++", {0.5}),
                                   cell("f-sdrm", {0.6}),
                                   cell("m-sdrm", {0.4}),
                                   cell("multivae++", {0.5}, "NDCG@10"),
                                   cell("f-sdrm", {0.25}, "NDCG@10"),
                                   cell("m-sdrm", {0.5}, "NDCG@10"),
                                   cell("multivae++", {0.5}, "Recall@5"),
                                   cell("f-sdrm", {0.5}, "Recall@5"),
                                   cell("m-sdrm", {0.6}, "Recall@5")};
  std::vector<std::string> found;
  for (const AverageImprovement& one : overall_improvements(improvements(cells))) {
    found.push_back(one.of + " " + one.metric + " " + std::to_string(std::lround(one.percent)));
  }
  EXPECT_EQ(found, (std::vector<std::string>{"better of two Recall@k 20", "better of two NDCG@k 0", "f-sdrm Recall@k 10",
                                             "f-sdrm NDCG@k -50", "m-sdrm Recall@k 0", "m-sdrm NDCG@k 0"}));
  EXPECT_EQ(average_improvements(improvements(cells)).size(), 9u) << "three metrics of each";
}

TEST(ImprovementTest, OnlyAllOfThePapersFiguresAreSetAgainstItsOwnMean) {
  std::vector<Improvement> all;
  for (const char* dataset : {"ml-100k", "ml-1m", "amazon-luxury-beauty", "amazon-digital-music"}) {
    for (const char* recommender : {"svd", "mlp", "neumf"}) {
      for (const char* setting : {"augment", "replace"}) {
        for (const int k : kCutoffs) {
          const std::string metric = "Recall@" + std::to_string(k);
          const auto printed = published_improvement(setting, recommender, dataset, metric);
          all.push_back({dataset, recommender, setting, metric, 1, printed});
        }
      }
    }
  }
  const auto check = [&](const char* setting, bool whole) {
    for (const AverageImprovement& one : overall_improvements(all)) {
      if (one.setting != setting) continue;
      EXPECT_EQ(one.combinations, 12) << setting;
      EXPECT_EQ(one.whole, whole) << setting;
      EXPECT_EQ(one.printed(), whole ? one.published : one.published_same) << setting;
    }
  };
  for (const char* setting : {"augment", "replace", "augment and replace"}) check(setting, true);
  EXPECT_TRUE(average_improvements(all).front().whole);
  all.pop_back();  // one cut-off in replace: each of the twelve is still there
  check("augment", true);
  check("replace", false);
  check("augment and replace", false);
  EXPECT_FALSE(average_improvements(all).back().whole) << "Recall@50 in replace";
}

TEST(OtherVerdictsTest, GainsAndPairsInWords) {
  ReportContent content;
  content.cells = {cell("multivae++", {0.38, 0.39, 0.40}), cell("f-sdrm", {0.1, 0.1, 0.1}), cell("m-sdrm", {0.389, 0.40, 0.408}),
                   cell("multivae++", {0.38, 0.39, 0.40}), cell("f-sdrm", {0.1, 0.1, 0.1}), cell("m-sdrm", {0.38, 0.391, 0.401})};
  for (std::size_t i = 3; i < content.cells.size(); ++i) content.cells[i].dataset = "ml-1m";  // printed .13, on ml-100k 2.40
  SyntheticFigures pairs = {"amazon-digital-music", "svd", "m-sdrm", 5, {}, {}, 0, {}, {}};
  pairs.pairs_interval[3] = {1800, 1900};  // printed 1,842; of the others 0 in the last bin only
  content.synthetic = {pairs};
  const std::vector<std::string> found = other_verdicts(content);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(
      found[0],
      "Of the gains of SDRM over MultiVAE++: 2 of 2 printed in tables 7 and 8 reproduced, 0 above, 0 below (1 of our intervals "
      "hold zero too); 1 of 1 means of "
      "these "
      "over data sets and recommenders reproduced, 0 above, 0 below; 1 of 1 means of these over all cut-offs too reproduced, 0 "
      "above, 0 below (set against the means of what tables 7 and 8 print for the same 2 of the paper's 12 combinations of data "
      "set and recommender, not against the paper's own).");
  EXPECT_EQ(
      found[1],
      "Of table 5, which does not say whose hyperparameters it was made with: with the hyperparameters of SVD, 2 of 10 numbers "
      "of pairs reproduced, 0 above, 8 below.");
  std::vector<Cell> simulated = content.cells;
  for (Cell& one : simulated) one.dataset = "simulated";
  content.cells.insert(content.cells.end(), simulated.begin(), simulated.end());
  EXPECT_EQ(other_verdicts(content)[0].find("means"), std::string::npos) << "over what the paper has not, none is compared";
  content.cells.resize(3);
  EXPECT_TRUE(other_verdicts(content)[0].ends_with(": 1 of 1 printed in tables 7 and 8 reproduced, 0 above, 0 below."))
      << "a mean over one combination would count its figures twice: " << other_verdicts(content)[0];
  for (Cell& one : content.cells) one.runs.resize(1);
  EXPECT_NE(
      other_verdicts(content)[0].find("0 of 1 printed in tables 7 and 8 reproduced, 0 above, 0 below, 1 without an interval"),
      std::string::npos)
      << other_verdicts(content)[0];
  content.options.compare = false;
  EXPECT_TRUE(other_verdicts(content).empty());
  EXPECT_TRUE(other_verdicts({}).empty());
}

TEST(PairsVerdictTest, AFailedRunLeavesItsGeneratorWithoutOne) {
  SyntheticSummary run = {{{0, 4}, {2, 2}}};
  run.pairs[0] = 90331367;  // as printed
  ReportContent content;
  const auto shown = [&](int asked) {
    content.synthetic = {mean_synthetic("amazon-digital-music", "svd", "m-sdrm", std::vector{run, run}, asked)};
    return similarity_section(content).markdown() + shape_section(content).markdown();
  };
  const std::string whole = shown(2);
  EXPECT_EQ(pairs_verdict(content.synthetic[0], 0), Verdict::kReproduced);
  EXPECT_EQ(whole.find(" of 2 runs"), std::string::npos);
  EXPECT_EQ(whole.find("the others failed"), std::string::npos);
  const std::string survivors = shown(3);
  EXPECT_EQ(pairs_verdict(content.synthetic[0], 0), std::nullopt) << "the third is not missing by chance";
  for (const char* part : {"| similarity | M-SDRM (2 of 3 runs) | M-SDRM (printed) |", "| M-SDRM (2 of 3 runs) | 0 |",
                           "| M-SDRM (2 of 3 runs) | 4 |", "the others failed"}) {
    EXPECT_NE(survivors.find(part), std::string::npos) << part << " in " << survivors;
  }
  EXPECT_NE(other_verdicts(content).at(0).find("0 of 10 numbers of pairs reproduced, 0 above, 0 below, 10 without an interval"),
            std::string::npos);
}

TEST(OtherVerdictsTest, TableSixIsNamedWhereAllTwelveCombinationsAreThere) {
  ReportContent content;
  for (const char* dataset : {"ml-100k", "ml-1m", "amazon-luxury-beauty", "amazon-digital-music"}) {
    for (const char* recommender : {"svd", "mlp", "neumf"}) {
      for (const int k : kCutoffs) {
        for (const char* generator : {"multivae++", "f-sdrm", "m-sdrm"}) {
          content.cells.push_back(
              {dataset, recommender, "augment", generator, "Recall@" + std::to_string(k), {0.38, 0.39, 0.40}, {}});
        }
      }
    }
  }
  std::string text = other_verdicts(content).at(0);
  EXPECT_NE(text.find("of 6 means in table 6 reproduced"), std::string::npos) << text;
  EXPECT_NE(text.find("of 1 means over all cut-offs reproduced"), std::string::npos) << text;
  EXPECT_EQ(text.find("means of these"), std::string::npos) << text;
  content.cells.resize(content.cells.size() - 3);  // Recall@50 of the last combination
  text = other_verdicts(content).at(0);
  EXPECT_NE(text.find("of 5 means in table 6 reproduced"), std::string::npos) << text;
  EXPECT_NE(text.find("of 1 means of these over data sets and recommenders reproduced"), std::string::npos) << text;
  EXPECT_NE(text.find("for the same 11 to 12 of the paper's 12 combinations"), std::string::npos) << text;
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

TEST(PublishedImprovementTest, TheCaptionsMeansAreThoseOfTheTable) {
  for (const char* kind : {"Recall@", "NDCG@"}) {
    double both = 0;
    for (const char* setting : {"augment", "replace"}) {
      double sum = 0;
      for (const int k : {1, 3, 5, 10, 20, 50}) {
        sum += published_average_improvement(setting, kind + std::to_string(k)).value();
      }
      EXPECT_NEAR(published_overall_improvement(setting, kind).value(), sum / 6, 0.011) << setting << " " << kind;
      both += sum / 12;
    }
    EXPECT_NEAR(published_overall_improvement("augment and replace", kind).value(), both, 0.011) << kind;
  }
  EXPECT_EQ(published_overall_improvement("elsewhere", "Recall@"), std::nullopt);
  EXPECT_EQ(published_overall_improvement("augment", "Precision@"), std::nullopt);
}

}  // namespace
}  // namespace tapestry::recsys
