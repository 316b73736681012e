// recsys/report/headline.h: the answer follows from the figures by rule.
#include "recsys/report/headline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace tapestry::recsys {
namespace {

Comparison compared(const char* dataset, const char* setting, const char* generator, const char* baseline, const char* metric,
                    double difference, double p) {
  return {dataset,
          "svd",
          setting,
          generator,
          baseline,
          metric,
          {difference - 0.01, difference + 0.01},
          {difference, 0.005, 99, p, 100, 5},
          p};
}

Headline answer_to(std::vector<Comparison> comparisons) {
  correct_for_number(comparisons);
  return strict_answer(comparisons);
}

TEST(ComparisonTest, TheFamilyAreBothPrimaryMetricsTogether) {
  std::vector<Comparison> some = {compared("a", "augment", "m-sdrm", "original", "Recall@10", 0.02, 0.01),
                                  compared("a", "augment", "m-sdrm", "original", "NDCG@10", -0.02, 0.03),
                                  compared("a", "augment", "m-sdrm", "original", "Recall@20", 0.02, 0.0001),
                                  compared("a", "augment", "m-sdrm", "original", "Novelty@10", 0.02, 0.0001)};
  correct_for_number(some);
  EXPECT_EQ(some[0].p_holm, 0.02);
  EXPECT_EQ(some[1].p_holm, 0.03);
  EXPECT_TRUE(std::isnan(some[2].p_holm) && std::isnan(some[3].p_holm));
  EXPECT_EQ(family_size(some), 2);
  EXPECT_EQ(finding(some[0]), Finding::kBetter);
  EXPECT_EQ(finding(some[1]), Finding::kWorse);
  EXPECT_EQ(finding(some[2]), std::nullopt);
  some[0].p_holm = 0.05;
  EXPECT_EQ(finding(some[0]), Finding::kNoDifference) << "below, not at";
}

TEST(HeadlineTest, BetterWorseAndNoDifference) {
  const Headline found = answer_to({compared("a", "augment", "m-sdrm", "original", "Recall@10", 0.012, 0.001),
                                    compared("a", "augment", "m-sdrm", "multivae++", "Recall@10", 0.001, 0.8),
                                    compared("a", "replace", "m-sdrm", "original", "Recall@10", -0.03, 0.001),
                                    compared("a", "replace", "m-sdrm", "multivae++", "Recall@10", 0.02, 0.002)});
  ASSERT_EQ(found.answer.size(), 4u);
  EXPECT_EQ(found.answer[0],
            "Does SDRM beat MultiVAE++? With synthetic users added to the real ones (augment): no difference can be shown (1 "
            "comparison). "
            "With synthetic users in place of the real ones (replace): yes, better (1 comparison). Of these fitted models alone, "
            "put before other users: in part, better in 1 of 2 comparisons; in the other one no difference can be shown.");
  EXPECT_EQ(
      found.answer[1],
      "Does SDRM's synthetic data beat none? With synthetic users added to the real ones (augment): yes, better (1 comparison). "
      "With synthetic users in place of the real ones (replace): no, worse (1 comparison). Of these fitted models alone, put "
      "before "
      "other users: not always, better in 1 and worse in 1 of 2 comparisons.");
  EXPECT_NE(found.answer[2].find("the 4 comparisons of this report"), std::string::npos);
  EXPECT_NE(found.answer[2].find("over users and over fits"), std::string::npos);
  Comparison one_run = compared("a", "augment", "m-sdrm", "original", "Recall@10", 0.012, 0.001);
  one_run.test.fits = 1;
  EXPECT_NE(answer_to({one_run}).answer[1].find("of its fitted models alone"), std::string::npos);
  EXPECT_NE(found.answer[3].find("hyperparameters that the paper chose"), std::string::npos);
  ASSERT_EQ(found.details.size(), 3u) << "what found nothing is in the table";
  EXPECT_EQ(
      found.details[0],
      "On a with SVD, adding M-SDRM's users changes Recall@10 by +0.0120 (95 % 0.0020 to 0.0220, Holm p 0.0040): better than "
      "no synthetic users.");
  EXPECT_EQ(found.details[1],
            "On a with SVD, replacing the real users by M-SDRM's changes Recall@10 by -0.0300 (95 % -0.0400 to -0.0200, Holm p "
            "0.0040): worse than the real users.");
  EXPECT_EQ(
      found.details[2],
      "On a with SVD, replacing the real users by M-SDRM's instead of MultiVAE++'s changes Recall@10 by +0.0200 (95 % 0.0100 "
      "to 0.0300, Holm p 0.0040): better than MultiVAE++.");
}

TEST(HeadlineTest, BoundsWhatItCannotShow) {
  // MultiVAE++ .5: .02 + .01 is 6 % of it, -.02 + .01 and .01 + .01 are less than 5 %.
  std::vector<Comparison> some = {compared("a", "augment", "f-sdrm", "multivae++", "Recall@10", 0.02, 0.2),
                                  compared("a", "augment", "m-sdrm", "multivae++", "Recall@10", -0.02, 0.2),
                                  compared("a", "replace", "m-sdrm", "multivae++", "Recall@10", 0.01, 0.2),
                                  compared("a", "replace", "m-sdrm", "original", "Recall@10", 0.09, 0.2)};
  correct_for_number(some);
  std::vector<Cell> cells;
  for (const char* setting : {"augment", "replace"}) {
    cells.push_back({"a", "svd", setting, "multivae++", "Recall@10", {0.49, 0.5, 0.51}, {}});
    cells.push_back({"a", "svd", setting, "f-sdrm", "Recall@10", {0.51, 0.52, 0.53}, {}});
    cells.push_back({"a", "svd", setting, "m-sdrm", "Recall@10", {0.47, 0.48, 0.49}, {}});
  }
  const ReportOptions strict = {.protocol = "strict", .compare = false};
  const std::string bounds = strict_answer(some, cells, strict).answer.at(1);
  EXPECT_TRUE(bounds.starts_with(
      "SDRM's figure is above MultiVAE++'s in 2 of 3 comparisons. In 2 of the 3 even the upper end of the 95 % interval is a "
      "gain "
      "of less than 5 %; in the others more cannot be excluded. The mean gain over all data sets, recommenders and cut-offs is "
      "in "
      "Recall@k +4.0 % (95 % "))
      << bounds;
  EXPECT_NE(bounds.find(" for the better of the two, +4.0 % (95 % "), std::string::npos) << bounds;
  EXPECT_NE(bounds.find(" for F-SDRM and -4.0 % (95 % "), std::string::npos) << bounds;
  EXPECT_TRUE(bounds.ends_with(" for M-SDRM.")) << bounds;
  EXPECT_EQ(strict_answer(some).answer.at(1).find("upper end"), std::string::npos) << "without figures there is no percentage";
  for (Comparison& one : some) one.overlap = one.test;
  some[2].overlap->standard_error = 0.01;  // .01 + 1.984 * .01 = .0298
  EXPECT_NE(strict_answer(some, cells, strict)
                .answer.at(1)
                .find("less than 5 % (in 1 allowing for the training users that folds share); "),
            std::string::npos);
  some[0].interval.high = 0.02;
  EXPECT_NE(strict_answer(some, cells, strict).answer.at(1).find("folds share). The mean gain"), std::string::npos)
      << "there are no others";
}

TEST(HeadlineTest, SaysWhatIsLeftWhereTrainingUsersAreCounted) {
  std::vector<Comparison> some = {compared("a", "augment", "m-sdrm", "original", "Recall@10", 0.02, 0.001),
                                  compared("a", "augment", "f-sdrm", "original", "Recall@10", 0.03, 0.001)};
  EXPECT_EQ(answer_to(some).answer[0].find("folds share"), std::string::npos);
  some[0].overlap = some[0].test;
  some[1].overlap = some[1].test;
  some[0].overlap->p_two_sided = 0.06;
  some[1].overlap->p_two_sided = 0.02;
  const Headline found = answer_to(some);
  EXPECT_NE(found.answer[0].find("(augment): yes, better in all 2 comparisons. Allowing for the training users that folds share: "
                                 "in part, better in 1 of 2 comparisons; in the other one no difference can be shown. Of these"),
            std::string::npos)
      << found.answer[0];
  EXPECT_NE(found.answer[1].find("Nadeau and Bengio 2003"), std::string::npos) << found.answer[1];
  correct_for_number(some);
  EXPECT_EQ(finding_with_overlap(some[1]), Finding::kBetter);
  EXPECT_EQ(finding_with_overlap(some[0]), Finding::kNoDifference) << some[0].p_holm_overlap;
}

TEST(HeadlineTest, MixedCountsByDataSetAndOtherGenerators) {
  const Headline found = answer_to({compared("a", "augment", "f-sdrm", "original", "Recall@10", 0.02, 0.00001),
                                    compared("a", "augment", "m-sdrm", "original", "NDCG@10", 0.02, 0.5),
                                    compared("b", "augment", "f-sdrm", "original", "Recall@10", -0.02, 0.00001),
                                    compared("b", "augment", "tvae", "original", "Recall@10", 0.02, 0.00001)});
  ASSERT_EQ(found.answer.size(), 6u);
  EXPECT_NE(found.answer[0].find("not always, better in 1 and worse in 1 of 3 comparisons; in the other one no difference"),
            std::string::npos)
      << found.answer[0];
  EXPECT_NE(found.answer[1].find("better in 2 and worse in 1 of 4 comparisons"), std::string::npos) << found.answer[1];
  EXPECT_TRUE(found.answer[1].starts_with("Does synthetic data beat none, that of F-SDRM, M-SDRM and TVAE counted together?"))
      << found.answer[1];
  EXPECT_EQ(found.answer[3],
            "On a, SDRM against no synthetic users: in part, better in 1 of 2 comparisons; in the other one no difference can be "
            "shown.");
  EXPECT_EQ(found.answer[4], "On b, SDRM against no synthetic users: no, worse (1 comparison).");
  EXPECT_EQ(found.details.size(), 2u) << "SDRM on Recall@10";
  EXPECT_NE(found.details[0].find("Holm p < 0.0001"), std::string::npos) << found.details[0];
}

TEST(HeadlineTest, AllOneWay) {
  const auto first = [](double p, double difference) {
    return answer_to({compared("a", "augment", "m-sdrm", "multivae++", "Recall@10", difference, p),
                      compared("b", "augment", "m-sdrm", "multivae++", "NDCG@10", difference, p)})
        .answer;
  };
  EXPECT_TRUE(first(0.5, 0.01)[0].ends_with("put before other users: no difference can be shown in any of 2 comparisons."));
  EXPECT_TRUE(first(0.001, 0.01)[0].ends_with("put before other users: yes, better in all 2 comparisons."));
  EXPECT_TRUE(first(0.001, -0.01)[0].ends_with("put before other users: no, worse in all 2 comparisons."));
  EXPECT_EQ(first(0.001, -0.01)[2], "On a, SDRM against MultiVAE++: no, worse (1 comparison).");
}

TEST(HeadlineTest, SaysWhatHoldsOfTheTrainedModelsAlone) {
  std::vector<Comparison> some = {compared("a", "augment", "m-sdrm", "multivae++", "Recall@10", 0.02, 0.5),
                                  compared("a", "augment", "m-sdrm", "multivae++", "NDCG@10", -0.02, 0.5),
                                  compared("a", "augment", "m-sdrm", "original", "Recall@10", 0.02, 0.5)};
  some[0].p_these_fits = 0.01;
  some[1].p_these_fits = 0.02;
  some[2].p_these_fits = 0.9;
  const Headline found = answer_to(some);
  EXPECT_TRUE(
      found.answer[0].ends_with("): no difference can be shown in any of 2 comparisons. Of these fitted models alone, put before "
                                "other users: not always, better in 1 and worse in 1 of 2 comparisons."))
      << found.answer[0];
  EXPECT_TRUE(found.answer[1].ends_with(
      "Of these fitted models alone, put before other users: no difference can be shown (1 comparison)."))
      << found.answer[1];
  correct_for_number(some);
  EXPECT_NEAR(some[0].p_holm_these_fits, 0.03, 1e-12) << "three comparisons";
  EXPECT_NEAR(some[1].p_holm_these_fits, 0.04, 1e-12);
  for (Comparison& one : some) one.test.fits = 1;
  for (const std::string& text : answer_to(some).answer) {
    EXPECT_EQ(text.find("fitted models alone, put before"), std::string::npos) << "with one run nothing else is said anyway";
  }
}

TEST(HeadlineTest, WithoutComparisonsItSaysSo) {
  const auto answer = [](const std::vector<std::string>& generators) {
    std::vector<Cell> cells;
    for (const std::string& generator : generators) cells.push_back({"a", "svd", "augment", generator, "Recall@10", {0.5}, {}});
    return headline(cells, {}, {.protocol = "strict", .compare = false}).answer.at(0);
  };
  EXPECT_EQ(answer({}), "There is nothing to compare: nothing that was asked for is finished yet.");
  EXPECT_EQ(answer({"original"}), "There is nothing to compare: it takes a generator besides original.");
  EXPECT_EQ(answer({"m-sdrm"}), "There is nothing to compare m-sdrm with: it takes the runs of original or multivae++ as well.");
  EXPECT_EQ(answer({"diffrec", "tvae"}),
            "There is nothing to compare diffrec and tvae with: it takes the runs of original or multivae++ as well.");
  EXPECT_EQ(answer({"multivae++"}), "There is nothing to compare multivae++ with: it takes the runs of original as well.");
  EXPECT_NE(answer({"original", "m-sdrm"}).find("without a failure"), std::string::npos) << "both are there";
  EXPECT_NE(answer({"multivae++", "m-sdrm"}).find("without a failure"), std::string::npos);
}

TEST(HeadlineTest, TooFewUsersForAnyPIsSaid) {
  const double nan = std::nan("");
  Comparison alone = compared("a", "augment", "m-sdrm", "original", "Recall@10", 0.5, nan);
  alone.interval = {nan, nan};
  const Headline found = answer_to({alone});
  ASSERT_EQ(found.answer.size(), 1u);
  EXPECT_TRUE(found.answer[0].starts_with("There are too few reported users: no comparison has a p-value")) << found.answer[0];
  EXPECT_TRUE(found.details.empty());
  EXPECT_NE(comparison_table(std::vector<Comparison>{alone}).find("| +0.5000 | – |"), std::string::npos) << "no \" to \"";
}

TEST(HeadlineTest, PublishedCountsAndSaysWhatItCannotSay) {
  const std::vector<Cell> cells = {{"ml-100k", "svd", "augment", "m-sdrm", "Recall@10", {0.39, 0.40, 0.41}, {}},
                                   {"ml-100k", "svd", "augment", "f-sdrm", "Recall@10", {0.1, 0.1001}, {}}};
  const Headline found = headline(cells, {}, {});
  ASSERT_EQ(found.answer.size(), 4u);
  EXPECT_EQ(found.answer[0], "1 of 2 printed figures reproduced, 0 within 3 sd, 0 above, 1 below.");
  // Printed .3971 and .3924: .4 is .73 % above the one, .10005 74.5 % below the other. 4.303 / sqrt(1 + 3 / 5) = 3.402: of t(2)
  // 92.3 % lies within.
  EXPECT_EQ(
      found.answer[1],
      "Half of our figures lie within 37.6 % of the printed ones, 1 of 2 within 10 %. If what is printed varied as ours does and "
      "nobody had chosen it, 3 more runs of the paper's own program would find about 92 % of the figures that vary reproduced; "
      "of figures that were chosen from many trials fewer.");
  EXPECT_NE(found.answer[2].find("cannot answer whether SDRM beats MultiVAE++"), std::string::npos);
  EXPECT_NE(found.answer[3].find("means of 5 runs, these of 3: the interval of so few is wide"), std::string::npos);
  const std::vector<Cell> five = {{"ml-100k", "svd", "augment", "m-sdrm", "Recall@10", {0.38, 0.39, 0.40, 0.41, 0.42}, {}}};
  EXPECT_EQ(headline(five, {}, {}).answer.size(), 2u);
  const std::vector<Cell> unprinted = {{"ml-100k", "svd", "augment", "tvae-tanh", "Recall@10", {0.38, 0.39}, {}}};
  EXPECT_NE(headline(unprinted, {}, {}).answer[0].find("printed none"), std::string::npos);
  EXPECT_NE(headline({}, {}, {}).answer[0].find("Nothing that was asked for is finished yet"), std::string::npos);
  const std::vector<Cell> once = {{"ml-100k", "svd", "augment", "original", "Recall@10", {0.3716}, Interval{0.3716, 0.3716}}};
  EXPECT_EQ(headline(once, {}, {}).answer.size(), 2u) << "without randomness one run says it all";
}

TEST(HeadlineTest, PublishedSaysOnlyWhatWasChosenOnTheReportedUsers) {
  const auto why = [](const char* dataset, const char* recommender, const char* generator, const ReportOptions& options) {
    const std::vector<Cell> cells = {{dataset, recommender, "augment", generator, "Recall@10", {0.38, 0.39}, {}}};
    const std::vector<std::string> answer = published_answer(cells, options);
    const std::string& text = answer.at(answer.size() - (answer.back().starts_with("This protocol") ? 1U : 2U));
    const std::size_t from = text.find("beats none") + 10;
    return text.substr(from, text.find(" The strict") - from);
  };
  const std::string stopped = ": the training was stopped on the very users that are reported.",
                    both =
                        ": the training was stopped, and the paper's hyperparameters were chosen, on the very users that are "
                        "reported.";
  for (const char* generator : {"multivae++", "f-sdrm", "m-sdrm"}) EXPECT_EQ(why("ml-100k", "svd", generator, {}), both);
  EXPECT_EQ(why("ml-100k", "svd", "diffrec", {}), stopped) << "the paper searched for MultiVAE++ and SDRM";
  EXPECT_EQ(why("ml-100k", "mlp", "original", {}), stopped) << "MLP stops on the reported users' inputs";
  EXPECT_EQ(why("ml-100k", "svd", "original", {}), ".");
  EXPECT_EQ(why("ml-100k", "neumf", "original", {}), ".") << "its first epoch";
  EXPECT_EQ(why("ml-100k", "neumf", "original", {.neumf_by_recall = true}), stopped);
  EXPECT_EQ(why("simulated", "svd", "m-sdrm", {}), stopped);
  EXPECT_EQ(why("simulated", "svd", "original", {}), ".");
  EXPECT_EQ(why("ml-100k", "svd", "m-sdrm", {.other_data = {"ml-100k"}}), stopped) << "data the paper never had";
  EXPECT_EQ(why("ml-100k", "svd", "ctgan", {}), ".") << "a given number of epochs, and nobody searched";
  EXPECT_EQ(why("simulated", "svd", "tvae-threshold", {}), ".");
  EXPECT_EQ(why("simulated", "mlp", "tvae-threshold", {}),
            ": the training (but for that of TVAE) was stopped on the very users that are reported.");
  const std::vector<Cell> both_kinds = {{"simulated", "svd", "augment", "tvae", "Recall@10", {0.3, 0.3}, {}},
                                        {"simulated", "svd", "augment", "codigem", "Recall@10", {0.3, 0.3}, {}},
                                        {"simulated", "svd", "augment", "ctgan", "Recall@10", {0.3, 0.3}, {}}};
  EXPECT_NE(published_answer(both_kinds, {}).at(1).find("the training (but for that of CTGAN and TVAE) was stopped on the very"),
            std::string::npos);
}

TEST(HeadlineTest, WithoutADeviationNothingStandsBesideThePaper) {
  const Headline found = headline({}, {}, {.protocol = "published without tied-layers", .compare = false});
  ASSERT_EQ(found.answer.size(), 1u);
  EXPECT_NE(found.answer[0].find("(published without tied-layers)"), std::string::npos);
}

TEST(HeadlineTest, QuickRunsSayFirstThatTheyMeanNothing) {
  const ReportOptions published = {.quick = true}, strict = {.protocol = "strict, quick", .compare = false, .quick = true};
  for (const ReportOptions& options : {published, strict}) {
    const Headline found = headline({}, {}, options);
    EXPECT_NE(found.remark.find("mean nothing"), std::string::npos);
    EXPECT_FALSE(found.answer.empty());
    EXPECT_NE(headline_markdown(found).find("**\n\n" + found.answer.at(0) + "\n\n"), std::string::npos)
        << "the remark alone is bold";
    EXPECT_EQ(headline_markdown(found).rfind("**This is a quick run", 0), 0u);
  }
  EXPECT_EQ(
      terminal_table(std::vector<Cell>{{"d", "svd", "augment", "x", "Recall@10", {0.5}, {}}}, strict).rfind("This is a quick", 0),
      0u);
}

}  // namespace
}  // namespace tapestry::recsys
