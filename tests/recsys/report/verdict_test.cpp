// What our figures say about the printed ones.
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
      "Of the gains of SDRM over MultiVAE++: 2 of 2 printed in tables 7 and 8 reproduced, 0 above, 0 below; zero lies in 1 of "
      "our "
      "intervals for them, too; 1 of 1 means of these "
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

}  // namespace
}  // namespace tapestry::recsys
