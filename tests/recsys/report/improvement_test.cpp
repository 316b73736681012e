// The gain of SDRM over MultiVAE++, and its lead over everything else.
#include "recsys/report/improvement.h"

#include <gtest/gtest.h>

#include <cmath>

#include "recsys/metrics/ranking.h"
#include "recsys/report/published.h"
#include "recsys/report/sections.h"

namespace tapestry::recsys {
namespace {

Cell cell(const std::string& generator, std::vector<double> runs, const std::string& metric = "Recall@10") {
  return {"ml-100k", "svd", "augment", generator, metric, std::move(runs), {}};
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
  // Of two recommenders one may have fewer of the same runs: run by run the errors of the mean are (1 + 2 / 2) / 2... by hand:
  // (1 / 3 - 1 / 2) / 2, (-1 / 3 + 1 / 2) / 2, 0; times 3 / 2 their squares sum to 1 / 48, with one degree of freedom.
  std::vector<Improvement> fewer = {some[0], some[1]};
  fewer[1].deviations = {-1, 1};
  const AverageImprovement uneven = average_improvements(fewer).at(0);
  EXPECT_NEAR(uneven.interval.high - uneven.interval.low, 2 * student_t_quantile(0.975, 1) * std::sqrt(1.0 / 48), 1e-9);
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

TEST(ImprovementTest, TheReportSaysWhatItsIntervalsSpeakOf) {
  ReportContent report;
  report.cells = {cell("multivae++", {0.38, 0.39}), cell("f-sdrm", {0.1, 0.1}), cell("m-sdrm", {0.389, 0.40})};
  EXPECT_NE(gain_section(report).markdown().find("other runs on the same reported users"), std::string::npos);
  report.options.protocol = "strict, 2 folds";
  EXPECT_EQ(gain_section(report).markdown().find("other runs on the same reported users"), std::string::npos);
  EXPECT_NE(gain_section(report).markdown().find("Each run reports the users of its fold"), std::string::npos);
}

TEST(ImprovementTest, TheMeansOfEachDataSetAreShownWhereThereAreSeveral) {
  ReportContent report;
  report.cells = {cell("multivae++", {0.38, 0.39, 0.40}), cell("f-sdrm", {0.1, 0.1, 0.1}), cell("m-sdrm", {0.389, 0.40, 0.408})};
  EXPECT_EQ(gain_section(report).markdown().find("The same of each data set"), std::string::npos) << "there is one";
  std::vector<Cell> others = report.cells;
  for (Cell& one : others) one.dataset = "mine";
  others.back().runs = {0.19, 0.20, 0.21};
  report.cells.insert(report.cells.end(), others.begin(), others.end());
  const std::string text = gain_section(report).markdown();
  EXPECT_NE(text.find("| augment | M-SDRM | 1 | -48.7 % (", text.find("The same of each data set")), std::string::npos) << text;
}

TEST(LeadTest, TheBetterOfTheTwoAgainstTheBestOfAllOthers) {
  // Printed with SVD on ml-100k: M-SDRM .3971, MultiVAE++ .3878, F-SDRM .3924, original .3716; the others are behind.
  std::vector<Cell> cells = {cell("original", {0.37}), cell("multivae++", {0.38, 0.40}), cell("f-sdrm", {0.35, 0.35}),
                             cell("m-sdrm", {0.41, 0.43})};
  for (const char* other : {"multivae", "ctgan", "tvae", "codigem"}) cells.push_back(cell(other, {0.2, 0.2}));
  EXPECT_TRUE(leads(cells).empty()) << "DiffRec is missing";
  cells.push_back(cell("diffrec", {0.2, 0.2}));
  std::vector<Improvement> found = leads(cells);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NEAR(found[0].percent, 100 * (0.42 / 0.39 - 1), 1e-9);
  EXPECT_NEAR(found[0].published.value(), 100 * (0.3971 / 0.3878 - 1), 1e-9);
  EXPECT_EQ(found[0].deviations.size(), 2u);
  cells[0].runs = {0.5};  // without randomness: one run stands for all
  found = leads(cells);
  EXPECT_NEAR(found[0].percent, 100 * (0.42 / 0.5 - 1), 1e-9) << "the original users count";
  ASSERT_EQ(found[0].deviations.size(), 2u);
  EXPECT_NEAR(found[0].deviations[0], -2, 1e-9);
  cells[0].runs = {0.4, 0.6};
  cells[3].runs = {0.41, 0.43, 0.41, 0.43};  // two folds, visited twice: one run without randomness for each
  cells[2].runs.assign(4, 0.35);
  ASSERT_EQ(leads(cells).at(0).deviations.size(), 4u);
  EXPECT_NEAR(leads(cells).at(0).deviations[3], 100 * (0.43 - 0.84 * 0.6) / 0.5, 1e-9);
  cells[0].runs = {0.5};
  const std::vector<AverageImprovement> means = average_leads(found);
  ASSERT_EQ(means.size(), 1u);
  EXPECT_EQ(means[0].published, 4.48);
  EXPECT_FALSE(means[0].whole) << "the paper's is over 12";
  ReportContent content;
  content.cells = cells;
  const std::string text = gain_section(content).markdown();
  EXPECT_NE(text.find("ahead of all of them in 0 of 1, in what is printed for these in 1 of 1."), std::string::npos) << text;
  cells.back().runs = {std::nan(""), 0.2};
  EXPECT_TRUE(leads(cells).empty()) << "a run failed";
}

TEST(LeadTest, OfThePrintedFiguresIsNearlyWhatTheCaptionsSay) {
  const auto lead = [](const char* setting, const std::string& metric) {
    std::vector<Cell> cells;
    for (const char* dataset : {"ml-100k", "ml-1m", "amazon-luxury-beauty", "amazon-digital-music"}) {
      for (const char* recommender : {"svd", "mlp", "neumf"}) {
        const bool over_k = std::string(recommender) == "neumf" && metric == "NDCG@10";
        for (const char* row :
             {"original", "multivae", "multivae++", "ctgan", "tvae", "codigem", "diffrec", "f-sdrm", "m-sdrm"}) {
          const double printed = published_figure(setting, recommender, dataset, row, metric).value().mean;
          cells.push_back({dataset, recommender, setting, row, over_k ? "NDCG-k@10" : metric, {printed}, {}});
        }
      }
    }
    const AverageImprovement mean = average_leads(leads(cells)).at(0);
    EXPECT_TRUE(mean.whole);
    EXPECT_NEAR(mean.percent, mean.published_same.value(), 1e-9);
    return mean;
  };
  EXPECT_NEAR(lead("augment", "Recall@10").percent, 4.74, 0.005);
  EXPECT_EQ(lead("augment", "Recall@10").printed(), 4.48);
  EXPECT_NEAR(lead("augment", "NDCG@10").percent, 4.56, 0.005);
  EXPECT_EQ(lead("augment", "NDCG@10").printed(), 5.07);
  EXPECT_NEAR(lead("replace", "Recall@10").percent, 2.11, 0.005);
  EXPECT_EQ(lead("replace", "Recall@10").printed(), 2.08);
  EXPECT_NEAR(lead("replace", "NDCG@10").percent, 0.95, 0.005);
  EXPECT_EQ(lead("replace", "NDCG@10").printed(), 0.88);
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
