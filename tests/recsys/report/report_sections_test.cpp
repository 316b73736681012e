// The parts of the report that show users themselves and the catalogue, the Markdown report and the CSV files.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "recsys/report/csv_files.h"
#include "recsys/report/published.h"
#include "recsys/report/published_similarity.h"
#include "recsys/report/sections.h"
#include "recsys/report/text.h"
#include "tests/recsys/report/markup_support.h"
#include "tests/support/text.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::has;
using tests::count_of;
using tests::markup_fault;

TEST(TextTest, CountsAndPercents) {
  EXPECT_EQ(count_text(91355364), "91,355,364");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(2.4), "2.4");
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(123.4), "123");
  EXPECT_EQ(count_text(std::nan("")), "");
  EXPECT_EQ(percent_text(98.878), "98.88 %");
  EXPECT_EQ(percent_text(0.004), "< 0.01 %");
  EXPECT_EQ(percent_text(0.007), "0.01 %");
  EXPECT_EQ(p_text(0.00004) + " " + p_text(0.00007), "< 0.0001 0.0001");
  EXPECT_EQ(csv_field("a\rb"), "\"a\rb\"");
  EXPECT_EQ(percent_text(0), "0 %");
  EXPECT_EQ(with_sign(0.5, 1) + with_sign(-0.5, 1) + with_sign(-0.0, 1), "+0.5-0.5+0.0");
}

TEST(PublishedSimilarityTest, BothColumnsAreAllPairsOfD) {
  for (const char* generator : {"m-sdrm", "multivae++"}) {
    std::int64_t sum = 0;
    for (int bin = 0; bin < kSimilarityBins; ++bin) sum += published_pairs("amazon-digital-music", generator, bin).value();
    EXPECT_EQ(sum, std::int64_t{9558} * 9558) << generator << ": as many synthetic users as D has";
  }
  EXPECT_EQ(published_pairs("amazon-digital-music", "M-SDRM", 6), 43);
  EXPECT_EQ(published_pairs("amazon-digital-music", "MultiVAE++", 9), 3);
  EXPECT_FALSE(published_pairs("amazon-digital-music", "f-sdrm", 0) || published_pairs("ml-1m", "m-sdrm", 0));
  EXPECT_FALSE(published_pairs("amazon-digital-music", "m-sdrm", 10) || published_pairs("amazon-digital-music", "m-sdrm", -1));
}

TEST(ShapeTest, MeansOverRunsOfDifferentLength) {
  SyntheticSummary one, two;
  one.pairs = {10, 2};
  two.pairs = {5, 4};
  one.nearest[3] = 4;
  two.nearest[9] = 4;
  two.copies = 3;
  one.shape = {{0, 4}, {1, 1, 1}};
  two.shape = {{2, 0, 2}, {3}};
  const SyntheticFigures found = mean_synthetic("d", "svd", "m-sdrm", std::vector<SyntheticSummary>{one, two}, 2);
  EXPECT_EQ(found.runs, 2);
  EXPECT_EQ(found.pairs[0], 7.5);
  EXPECT_EQ(found.pairs[1], 3);
  const Interval interval = mean_interval(std::vector<double>{2, 4});
  EXPECT_EQ(found.pairs_interval[1].low, interval.low);
  EXPECT_EQ(found.pairs_interval[1].high, interval.high);
  EXPECT_EQ(found.nearest[3] + found.nearest[9], 4);
  EXPECT_EQ(found.copies, 1.5);
  EXPECT_EQ(found.users_by_length, (std::vector<double>{1, 2, 1}));
  EXPECT_EQ(found.items_by_users, (std::vector<double>{2, 0.5, 0.5}));
}

TEST(ShapeTest, StatisticsByHand) {
  // Ten: one has none, three have 2, five have 4, one has 9.
  const ShapeStatistics found = shape_statistics(std::vector<double>{1, 0, 3, 0, 5, 0, 0, 0, 0, 1});
  EXPECT_EQ(found.total, 10);
  EXPECT_EQ(found.none, 1);
  EXPECT_EQ(found.few, 9);
  EXPECT_FALSE(!(std::abs(found.mean - 3.5) <= 1e-15));
  EXPECT_EQ(found.low, 0);
  EXPECT_EQ(found.median, 4);
  EXPECT_EQ(found.high, 4);
  EXPECT_EQ(found.most, 9);
  EXPECT_EQ(shape_statistics({}).total, 0);
  EXPECT_EQ(shape_statistics(std::vector<double>{0, 0, 0, 0, 2, 3}).few, 2) << "fewer than five";
  EXPECT_EQ(shape_statistics(std::vector<double>{0.0, 0.6, 0.2, 0.4}).median, 1)
      << "0.6 + 0.2 + 0.4 is more than 1.2 by rounding";
}

TEST(ShapeTest, BinsCoverEachSizeOnceAndDensitiesAddUp) {
  const std::vector<SizeBin> bins = size_bins(1000);
  EXPECT_EQ(bins.front().low, 1);
  EXPECT_GE(bins.back().high, 1000);
  for (std::size_t i = 1; i < bins.size(); ++i) EXPECT_EQ(bins[i].low, bins[i - 1].high + 1);
  for (const SizeBin& bin : bins) EXPECT_TRUE(bin.middle() >= bin.low && bin.middle() <= bin.high);
  std::vector<double> counts(300, 1.0);
  counts[0] = 100;
  const std::vector<double> densities = bin_densities(counts, bins);
  double percent = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) percent += densities[i] * (bins[i].high - bins[i].low + 1);
  EXPECT_FALSE(!(std::abs(percent - 100.0 * 299 / 399) <= 1e-9)) << "all but those with nothing: " << percent;
  EXPECT_FALSE(!(std::abs(densities[0] - 100.0 / 399) <= 1e-12));
  EXPECT_TRUE(size_bins(0).empty());
}

/// amazon-digital-music, on which the paper prints a table 5, with made-up users.
ReportContent content() {
  ReportContent report;
  DatasetFigures data = {"amazon-digital-music", 10621, 8582, 108509, 104410, 1063, {}};
  data.shape = {{0, 0, 6, 3, 0, 0, 1}, {4, 5, 1}};
  report.datasets = {data, {"ml-1m", 6034, 3125, 994338, 574376, 605, {}}};
  SyntheticFigures figures = {"amazon-digital-music", "svd", "m-sdrm", 2, {}, {}, 0.5, {1, 2, 7.5}, {3, 7}};
  figures.pairs = {989.5, 10, 0.5};
  figures.nearest[1] = 9;
  figures.nearest[9] = 1;
  report.synthetic = {figures};
  for (const char* metric : {"Recall@10", "Coverage@10", "Gini@10", "Novelty@10", "Recall-head@10", "Recall-mid@10"}) {
    report.cells.push_back({"amazon-digital-music", "svd", "augment", "m-sdrm", metric, {0.25, 0.75}, {}});
  }
  report.curves = {{"amazon-digital-music", "svd", "vae_fit", 1, {0, 1}, {3, 1}, {0.5, 0.25}},
                   {"amazon-digital-music", "svd", "vae_fit", 2, {0, 1}, {4, 2}, {0.25, 0.75}}};
  return report;
}

TEST(ReportSectionsTest, DataSetsBesideThePrintedOnes) {
  const std::string text = dataset_section(content()).markdown();
  EXPECT_TRUE(has(text,
                  "| amazon-digital-music | 10,621 (printed 10,621) | 8,582 (printed 8,582) | 108,509 (printed 108,509) | "
                  "104,410 | 0.12 % | 10 | 1,063 |"))
      << text;
  EXPECT_TRUE(has(text, "| ml-1m | 6,034 (printed 3,125) | 3,125 (printed 6,034) |")) << text;
  EXPECT_TRUE(has(text, "in each other's place")) << text;
  ReportContent other = content();
  other.datasets.pop_back();
  EXPECT_FALSE(has(dataset_section(other).markdown(), "in each other's place")) << "only said where it is so";
  other.datasets[0].dataset = "simulated";
  EXPECT_FALSE(has(dataset_section(other).markdown(), "printed"));
  EXPECT_FALSE(published_dataset("simulated"));
}

TEST(ReportSectionsTest, SimilarityBesideThePrintedTable) {
  const std::string text = similarity_section(content()).markdown();
  EXPECT_TRUE(has(text, "| similarity | M-SDRM | M-SDRM (printed) |")) << text;
  EXPECT_TRUE(has(text, "| 0.0 to 0.1 | 98.95 % ↓ (990) | 98.88 % (90,331,367) |")) << text;
  EXPECT_TRUE(has(text, "| 0.2 to 0.3 | 0.05 % ↓ (0.5) | 0.04 % (32,636) |")) << text;
  EXPECT_TRUE(has(text, "| 0.9 to 1.0 | 0 % ✓ (0) | 0 % (0) |")) << text;
  EXPECT_TRUE(has(text, "| M-SDRM | 10 | 5.00 % (0.5) | 0 % | 90.00 % |")) << "a copy in every second run: " << text;
  ReportContent strict = content();
  strict.options.compare = false;
  EXPECT_FALSE(has(similarity_section(strict).markdown(), "(printed)")) << "another D";
  EXPECT_FALSE(has(similarity_section(strict).markdown(), "↓"));
}

TEST(ReportSectionsTest, ShapesOfRealAndSyntheticUsers) {
  const Section section = shape_section(content());
  EXPECT_EQ(markup_fault(section.html()), "");
  EXPECT_EQ(count_of(section.html(), "<figure>"), 2u) << "items per user, users per item";
  EXPECT_EQ(count_of(section.html(), " dashed line\" d=\"M0 4H24\""), 2u) << "the real users in both";
  const std::string text = section.markdown();
  EXPECT_TRUE(has(text, "| real | 10 | 2.70 | 2 | 2 | 3 | 6 | 90.00 % | 0 % |")) << text;
  EXPECT_TRUE(has(text, "| M-SDRM | 10.5 | 1.62 | 1 | 2 | 2 | 2 | 100.00 % | 9.52 % |")) << text;
  EXPECT_TRUE(has(text, "| real | 10 | 0.70 | 0 | 1 | 1 | 2 | 100.00 % | 40.00 % |")) << text;
}

TEST(ReportSectionsTest, CatalogueWithItsSpread) {
  const std::string text = catalogue_section(content()).markdown();
  EXPECT_TRUE(has(text, "| M-SDRM | 0.5000 ± 0.2500 (-2.6766 to 3.6766) |")) << text;
  EXPECT_TRUE(has(text, " | – |")) << "Recall-tail@10 is missing: " << text;
  EXPECT_FALSE(has(text, "fold"));
  ReportContent other = content();
  other.options.protocol = "strict, 5 folds";
  EXPECT_TRUE(
      has(catalogue_section(other).markdown(), "With folds, coverage and Gini are those of one fold's lists in each run"));
  other.cells.resize(1);
  EXPECT_TRUE(catalogue_section(other).empty());
}

TEST(ReportSectionsTest, AStrictIntervalIsNotAlwaysABootstrap) {
  ReportContent strict = content();
  strict.options.protocol = "strict";
  strict.options.compare = false;
  EXPECT_TRUE(has(main_section(strict).markdown(), "(Student's t below five folds, or five fits that vary)"));
  EXPECT_TRUE(has(comparison_legend(), "Student's t below five folds, or five fits that vary"));
}

TEST(ReportSectionsTest, EveryCutOffWithItsSpread) {
  ReportContent report = content();
  report.cells.push_back({"amazon-digital-music", "svd", "augment", "f-sdrm", "Recall@10", {0.25, std::nan("")}, {}, {}, true});
  const Section section = metric_section(report);
  EXPECT_EQ(markup_fault(section.html()), "");
  EXPECT_TRUE(has(section.markdown(), "| SVD | augment | M-SDRM | 0.5000 (± 0.2500) |")) << section.markdown();
  EXPECT_TRUE(has(section.markdown(), "| SVD | augment | F-SDRM | failed |")) << section.markdown();
}

TEST(ReportSectionsTest, GainsWithIntervalAndVerdict) {
  ReportContent report;
  for (const auto& [generator, runs] : std::vector<std::pair<std::string, std::vector<double>>>{
           {"multivae++", {0.38, 0.39, 0.40}}, {"f-sdrm", {0.1, 0.1, 0.1}}, {"m-sdrm", {0.389, 0.40, 0.408}}}) {
    report.cells.push_back({"ml-100k", "svd", "augment", generator, "Recall@10", runs, {}});
  }
  const Section section = gain_section(report);
  EXPECT_EQ(markup_fault(section.html()), "");
  EXPECT_TRUE(has(section.html(), "<td class=\"reproduced\">2.3 % ✓<small>1.6 to 3.0</small><small>printed 2.40</small></td>"))
      << section.html();
  EXPECT_TRUE(has(section.markdown(), "| augment | better of two | 1 | 2.3 % ✓ (1.6 to 3.0, printed 6.81, of these 2.40) |"))
      << section.markdown();
  EXPECT_TRUE(has(section.markdown(), "| augment | M-SDRM | 1 | 2.3 % (1.6 to 3.0) |")) << section.markdown();
  EXPECT_TRUE(has(section.markdown(), "| ml-100k (SVD, augment) | 2.3 % ✓ (1.6 to 3.0, printed 2.40) |"))
      << "tables 7 and 8 are of the better of the two: " << section.markdown();
  report.options.compare = false;
  EXPECT_FALSE(has(gain_section(report).markdown(), "printed 2.40"));
  EXPECT_TRUE(has(gain_section(report).markdown(), "2.3 % (1.6 to 3.0)")) << gain_section(report).markdown();
}

TEST(ReportSectionsTest, EpochsWithoutAnEvaluationAreNoPoints) {
  ReportContent report;
  report.curves = {{"d", "svd", "diffrec_fit", 1, {0, 1, 2, 3}, {4, 3, 2, 1}, {std::nan(""), 0.25, std::nan(""), 0.75}}};
  const Section section = training_section(report);
  EXPECT_EQ(markup_fault(section.html()), "");
  EXPECT_EQ(count_of(section.html(), "h0"), 4u + 2u) << "losses and the two evaluations";
  const std::string metric = section.html().substr(section.html().find(": selection metric"));
  const std::string line = metric.substr(metric.find(" line\" d=\"") + 9);
  EXPECT_EQ(count_of(line.substr(0, line.find("/>")), "M") + count_of(line.substr(0, line.find("/>")), "L"), 2u)
      << "one unbroken line through both: " << line;
  EXPECT_TRUE(has(section.markdown(), "| SVD | diffrec_fit | 1 | 4.0 | 4.0000 | 1.0000 | Recall@20 0.7500 |"))
      << section.markdown();
}

TEST(ReportSectionsTest, LongCurvesAreDrawnByFewerPointsToTheirEnd) {
  TrainingCurve curve = {"d", "svd", "sdrm_fit", 1, std::vector<double>(1000), std::vector<double>(1000), {}};
  std::iota(curve.epoch.begin(), curve.epoch.end(), 1.0);
  std::iota(curve.loss.begin(), curve.loss.end(), 1.0);
  ReportContent report;
  report.curves = {curve};
  const std::string page = training_section(report).html();
  const std::string line = page.substr(page.find(" line\" d=\"") + 9);
  const std::string path = line.substr(0, line.find("/>"));
  EXPECT_LE(count_of(path, "L"), 120u);
  EXPECT_GE(count_of(path, "L"), 45u);
  EXPECT_NE(path.find("L460 12"), std::string::npos) << "epoch 1000: " << path;
  EXPECT_TRUE(has(training_section(report).markdown(), "| 1000.0 | 1.0000 | 1000.0000 |")) << "the table has all of it";
}

TrainingCurve fit_of(const std::string& recommender, const std::string& generator, int run, std::vector<double> metric) {
  TrainingCurve curve = {"d", recommender, "recommender_fit", run, {}, {}, std::move(metric)};
  for (std::size_t epoch = 0; epoch < curve.metric.size(); ++epoch) {
    curve.epoch.push_back(static_cast<double>(epoch + 1));
    curve.loss.push_back(8.0 / static_cast<double>(epoch + 1));
  }
  curve.metric_name = recommender == "mlp" ? "RMSE" : "validation loss";
  curve.generator = generator;
  if (generator != "original") curve.setting = "augment";
  return curve;
}

TEST(ReportSectionsTest, RecommendersTrainings) {
  ReportContent report;
  EXPECT_TRUE(recommender_training_section(report).empty());
  for (const int run : {1, 2}) {
    report.recommender_curves.push_back(fit_of("mlp", "original", run, {0.5, 0.25}));
    report.recommender_curves.push_back(fit_of("mlp", "m-sdrm", run, {0.75, 0.25 * run, 0.5, 0.5}));
    report.recommender_curves.push_back(fit_of("neumf", "m-sdrm", run, {0.5}));
  }
  const Section section = recommender_training_section(report);
  EXPECT_EQ(markup_fault(section.html()), "");
  const std::string text = section.markdown();
  EXPECT_TRUE(has(text, "| Original | – | 2 | 2.0 | 8.0000 | 4.0000 | RMSE 0.2500 |")) << text;
  EXPECT_TRUE(has(text, "| M-SDRM | augment | 2 | 4.0 | 8.0000 | 2.0000 | RMSE 0.3750 |")) << "the lowest of each run: " << text;
  EXPECT_TRUE(has(text, "| M-SDRM | augment | 2 | 1.0 | 8.0000 | 8.0000 | validation loss 0.5000 |")) << text;
  EXPECT_EQ(count_of(section.html(), "<figure>"), 2u) << "MLP's loss and validation; an epoch alone is no curve";
  EXPECT_EQ(count_of(section.html(), "<li>"), 4u) << "run 1, the original users and M-SDRM's";
  EXPECT_EQ(count_of(section.html(), " dashed line\" d=\"M0 4H24\""), 2u) << "the original ones";

  report.recommender_curves.push_back(fit_of("mlp", "ctgan", 1, {0.5, 0.25}));
  EXPECT_EQ(count_of(recommender_training_section(report).html(), "<figure>"), 4u) << "the other generators by themselves";
  report.recommender_curves = {fit_of("mlp", "original", 1, {0.5, 0.25})};
  EXPECT_EQ(count_of(recommender_training_section(report).html(), "<figure>"), 2u) << "without any generator";
  report.recommender_curves.push_back(fit_of("mlp", "f-sdrm", 1, {0.5, 0.25}));
  report.recommender_curves.back().metric_name = "Recall@10";
  const std::string mixed = recommender_training_section(report).html();
  EXPECT_EQ(count_of(mixed, "<li>"), 3u) << "both losses, one metric: an error and a Recall share no axis";
}

TEST(ReportSectionsTest, TrainingNamesTheMetricThatChose) {
  ReportContent report;
  for (const char* stage : {"vae_fit", "multivae_fit", "codigem_fit"}) {
    report.curves.push_back({"d", "svd", stage, 1, {0, 1}, {2, 1}, {0.25, 0.5}});
  }
  const Section section = training_section(report);
  for (const char* shown : {"Recall@10 0.5000", "NDCG@100 0.5000", "Recall@50 0.5000"}) {
    EXPECT_TRUE(has(section.markdown(), shown)) << section.markdown();
  }
  EXPECT_EQ(count_of(section.html(), ">NDCG@100<"), 1u) << "the axis";
}

TEST(ReportSectionsTest, AGainOverNothingLeavesItsPlaceEmpty) {
  ReportContent report;
  report.options.compare = false;
  const auto add = [&](const char* dataset, const char* metric, double vae, double sdrm) {
    report.cells.push_back({dataset, "svd", "augment", "multivae++", metric, {vae}, {}});
    report.cells.push_back({dataset, "svd", "augment", "f-sdrm", metric, {sdrm}, {}});
    report.cells.push_back({dataset, "svd", "augment", "m-sdrm", metric, {0}, {}});
  };
  for (const char* metric : {"Recall@1", "Recall@3"}) add("a", metric, 0.5, 1);
  add("b", "Recall@1", 0, 1);
  add("b", "Recall@3", 0.5, 0.75);
  const std::string text = gain_section(report).markdown();
  EXPECT_TRUE(has(text, "| a (SVD, augment) | 100.0 % | 100.0 % |")) << text;
  EXPECT_TRUE(has(text, "| b (SVD, augment) | – | 50.0 % |")) << text;
  EXPECT_TRUE(has(text, "| augment | better of two | 1 | 100.0 % | 75.0 % |")) << text;
}

TEST(ReportSectionsTest, MarkdownHoldsWhatThePageShows) {
  const ReportContent report = content();
  const std::string text = markdown_report(report), page = html_report(report);
  EXPECT_EQ(markup_fault(page), "");
  for (const Section& section : report_sections(report)) {
    EXPECT_TRUE(has(page, "<h2 id=\"" + section.id() + "\">")) << section.id();
    EXPECT_TRUE(has(text, section.markdown())) << section.id();
  }
  EXPECT_TRUE(has(text, "| SVD | vae_fit | 2 | 2.0 | 3.5000 | 1.5000 | Recall@10 0.6250 |")) << text;
  EXPECT_FALSE(has(text, "nan"));
  EXPECT_EQ(markdown_report(report), text);
}

TEST(CsvFilesTest, Similarity) {
  ReportContent report = content();
  report.synthetic.at(0).pairs_interval[0] = {900, 1079.5};
  const std::string text = similarity_csv(report.datasets, report.synthetic, report.options);
  EXPECT_EQ(
      text.rfind("dataset,recommender,generator,runs,low,high,pairs,pairs_percent,nearest,nearest_percent,published_pairs,pairs_"
                 "ci_low,pairs_ci_high\n"
                 "amazon-digital-music,svd,m-sdrm,2,0.0,0.1,989.5000000000,98.9500000000,0.0000000000,0.0000000000,90331367,"
                 "900.0000000000,1079.5000000000\n"
                 "amazon-digital-music,svd,m-sdrm,2,0.1,0.2,10.0000000000,1.0000000000,9.0000000000,90.0000000000,989059,"
                 "0.0000000000,0.0000000000\n",
                 0),
      0u)
      << text;
  EXPECT_TRUE(has(text, "\namazon-digital-music,svd,m-sdrm,2,1.0,1.0,,,0.5000000000,5.0000000000,,,\n")) << text;
  EXPECT_EQ(count_of(text, "\n"), 12u);
  EXPECT_FALSE(has(similarity_csv({}, report.synthetic, {.compare = false}), "90331367"));
}

TEST(CsvFilesTest, Shapes) {
  ReportContent report = content();
  report.datasets.pop_back();
  EXPECT_EQ(shapes_csv(report.datasets, report.synthetic),
            "dataset,recommender,generator,kind,size,count\n"
            "amazon-digital-music,,original,items_per_user,2,6.0000000000\n"
            "amazon-digital-music,,original,items_per_user,3,3.0000000000\n"
            "amazon-digital-music,,original,items_per_user,6,1.0000000000\n"
            "amazon-digital-music,,original,users_per_item,0,4.0000000000\n"
            "amazon-digital-music,,original,users_per_item,1,5.0000000000\n"
            "amazon-digital-music,,original,users_per_item,2,1.0000000000\n"
            "amazon-digital-music,svd,m-sdrm,items_per_user,0,1.0000000000\n"
            "amazon-digital-music,svd,m-sdrm,items_per_user,1,2.0000000000\n"
            "amazon-digital-music,svd,m-sdrm,items_per_user,2,7.5000000000\n"
            "amazon-digital-music,svd,m-sdrm,users_per_item,0,3.0000000000\n"
            "amazon-digital-music,svd,m-sdrm,users_per_item,1,7.0000000000\n");
}

TEST(CsvFilesTest, ImprovementsThenTheirMeans) {
  const std::vector<Improvement> some = {{"ml-100k", "svd", "augment", "Recall@10", 2, 2.4, {-1, 0, 1, 0}},
                                         {"mine, too", "svd", "augment", "Recall@10", 5, {}}};
  EXPECT_EQ(improvements_csv(some),
            "dataset,recommender,setting,metric,of,percent,published_percent,combinations,published_percent_of_these,ci_low,ci_"
            "high\n"
            "ml-100k,svd,augment,Recall@10,better of two,2.0000000000,2.4,1,2.4,0.7007717364,3.2992282636\n"
            "\"mine, too\",svd,augment,Recall@10,better of two,5.0000000000,,1,,,\n"
            ",,augment,Recall@10,better of two,3.5000000000,,2,,,\n"
            ",,augment,Recall@k,better of two,3.5000000000,,2,,,\n")
      << "the paper has only one of the two";
  const std::string one = improvements_csv(std::span(some).first(1));
  EXPECT_TRUE(has(one, ",,augment,Recall@10,better of two,2.0000000000,5.36,1,2.4000000000,0.7"))
      << "all of the paper's, and these of them: " << one;
}

TEST(CsvFilesTest, Comparisons) {
  std::vector<Comparison> some = {
      {"ml-100k", "svd", "augment", "f-sdrm", "original", "Recall@10", {-0.001, 0.02}, {0.0125, 0.005, 12.5, 0.08, 95, 5}, 0.04},
      {"ml-100k", "svd", "augment", "f-sdrm", "original", "Recall@20", {-0.02, -0.01}, {-0.015, 0.002, 94, 0.002, 95, 1}, 0.001}};
  some[0].overlap = some[0].test;
  some[0].overlap->p_two_sided = 0.2;
  correct_for_number(some);
  EXPECT_EQ(comparisons_csv(some),
            "dataset,recommender,setting,generator,baseline,metric,difference,ci_low,ci_high,standard_error,degrees,p_these_fits,"
            "p_two_sided,p_holm,p_holm_these_fits,p_overlap,p_holm_overlap,users,fits\n"
            "ml-100k,svd,augment,f-sdrm,original,Recall@10,0.0125000000,-0.0010000000,0.0200000000,0.0050000000,"
            "12.5000000000,0.0400000000,0.0800000000,0.0800000000,0.0400000000,0.2000000000,0.2000000000,95,5\n"
            "ml-100k,svd,augment,f-sdrm,original,Recall@20,-0.0150000000,-0.0200000000,-0.0100000000,0.0020000000,"
            "94.0000000000,0.0010000000,0.0020000000,,,,,95,1\n");
}

}  // namespace
}  // namespace tapestry::recsys
