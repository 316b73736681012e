#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <locale>
#include <nlohmann/json.hpp>
#include <sstream>

#include "recsys/generators/make_generators.h"
#include "recsys/metrics/ranking.h"
#include "recsys/report/headline.h"
#include "recsys/report/published.h"
#include "recsys/report/sections.h"
#include "recsys/report/table.h"
#include "recsys/report/text.h"
#include "tensor/error.h"
#include "tests/recsys/recommenders/exact_svd.h"

namespace tapestry::recsys {
namespace {

const std::vector<std::string> kSettings = {"augment", "replace"}, kRecommenders = {"SVD", "MLP", "NeuMF"},
                               kGenerators = {"Original", "CTGAN",      "TVAE",   "CODIGEM", "DiffRec",
                                              "MultiVAE", "MultiVAE++", "F-SDRM", "M-SDRM"},
                               kDatasets = {"amazon-luxury-beauty", "ml-100k", "amazon-digital-music", "ml-1m"};

struct Totals {
  int count = 0;
  double mean = 0, std = 0;
};

Totals totals(const std::string& setting, const std::string& recommender) {
  Totals sum;
  for (const std::string& dataset : kDatasets) {
    for (const std::string& generator : kGenerators) {
      for (const std::string& metric : metric_names()) {
        const auto figure = published_figure(setting, recommender, dataset, generator, metric);
        if (!figure) continue;
        ++sum.count;
        sum.mean += figure->mean;
        sum.std += figure->std;
      }
    }
  }
  return sum;
}

TEST(PublishedTest, HasAll432PrintedFiguresWithTheSumsOfTheTables) {
  // Sums over the paper's tables, taken apart from this program.
  const struct {
    const char *setting, *recommender;
    double mean, std;
  } expected[] = {{"augment", "SVD", 19.8128, 0.3010}, {"augment", "MLP", 18.4562, 0.4822}, {"augment", "NeuMF", 6.7264, 0.6579},
                  {"replace", "SVD", 17.9736, 0.4660}, {"replace", "MLP", 15.7605, 0.6780}, {"replace", "NeuMF", 6.0399, 0.7970}};
  int count = 0;
  for (const auto& row : expected) {
    const Totals sum = totals(row.setting, row.recommender);
    EXPECT_FALSE(!(std::abs(sum.mean - row.mean) <= 1e-9)) << row.setting << " " << row.recommender << " " << sum.mean;
    EXPECT_FALSE(!(std::abs(sum.std - row.std) <= 1e-9)) << row.setting << " " << row.recommender << " " << sum.std;
    count += sum.count;
  }
  EXPECT_EQ(count, 432);
}

TEST(PublishedTest, SingleFiguresByEitherSetOfNames) {
  const auto figure = published_figure("augment", "svd", "amazon-luxury-beauty", "f-sdrm", "Recall@10");
  ASSERT_TRUE(figure);
  EXPECT_EQ(figure->mean, 0.325);
  EXPECT_EQ(figure->std, 0.012);
  EXPECT_EQ(published_figure("augment", "SVD", "ml-1m", "MultiVAE++", "NDCG@10")->mean, 0.3946);
  EXPECT_EQ(published_figure("augment", "neumf", "ml-1m", "original", "Recall@10")->mean, 0.0113);
  EXPECT_EQ(published_figure("augment", "mlp", "amazon-luxury-beauty", "original", "Recall@10")->std, 0.006);
  EXPECT_FALSE(published_figure("augment", "svd", "ml-1m", "m-sdrm", "Recall@5"));
  EXPECT_FALSE(published_figure("augment", "svd", "simulated", "m-sdrm", "Recall@10"));
  EXPECT_FALSE(published_figure("augment", "svd", "ml-1m", "acvae", "Recall@10"));
  EXPECT_FALSE(published_figure("augment", "", "ml-1m", "m-sdrm", "Recall@10"));
  EXPECT_FALSE(published_figure("mixed", "svd", "ml-1m", "m-sdrm", "Recall@10"));
}

TEST(PublishedTest, NamesOfTheCommandLineAreThePapersInLowerCase) {
  EXPECT_EQ(paper_recommender("neumf"), "NeuMF");
  EXPECT_EQ(paper_generator("multivae++"), "MultiVAE++");
  EXPECT_EQ(paper_generator("multivae"), "MultiVAE");
  EXPECT_FALSE(paper_generator("acvae"));
  EXPECT_FALSE(paper_recommender("svd "));
}

TEST(PublishedTest, ExactSvdValuesAgreeWithThePrintedOnes) {
  const std::vector<std::string> metrics = metric_names();
  for (const std::string& dataset : kDatasets) {
    for (std::size_t m = 0; m < metrics.size(); ++m) {
      for (const std::string& setting : kSettings) {
        const auto printed = published_figure(setting, "svd", dataset, "original", metrics[m]);
        if (printed) {
          EXPECT_EQ(printed->mean, tests::exact_svd_original().at(dataset)[m]) << dataset << " " << metrics[m];
        }
      }
    }
  }
}

std::vector<Cell> sample_cells() {
  return {{"ml-100k", "svd", "augment", "original", "Recall@10", {0.37155, 0.37155}, {}},
          {"ml-100k", "svd", "augment", "m-sdrm", "Recall@10", {0.39, 0.40, 0.41}, {}},
          {"ml-100k", "svd", "augment", "m-sdrm", "Recall@1", {0.5}, {}},
          {"mine, too", "svd", "replace", "f-sdrm", "NDCG@10", {0.25, 0.75}, Interval{0.125, 0.875}}};
}

TEST(TableTest, CsvHasTheAgreedColumnsAndEmptyFieldsWhereNothingExists) {
  EXPECT_EQ(results_csv(sample_cells()),
            "dataset,recommender,setting,generator,metric,runs,mean,std,ci_low,ci_high,published_mean,published_std\n"
            "ml-100k,svd,augment,original,Recall@10,2,0.3715500000,0.0000000000,0.3715500000,0.3715500000,0.3716,0\n"
            "ml-100k,svd,augment,m-sdrm,Recall@10,3,0.4000000000,0.0081649658,0.3751586229,0.4248413771,0.3971,0.004\n"
            "ml-100k,svd,augment,m-sdrm,Recall@1,1,0.5000000000,0.0000000000,,,,\n"
            "\"mine, too\",svd,replace,f-sdrm,NDCG@10,2,0.5000000000,0.2500000000,0.1250000000,0.8750000000,,\n");
}

TEST(TableTest, JsonHasTheRunsAndNullWhereNothingExists) {
  const auto json = nlohmann::json::parse(results_json(sample_cells(), {.protocol = "strict"}));
  EXPECT_EQ(json["protocol"], "strict");
  ASSERT_EQ(json["results"].size(), 4u);
  const auto& cell = json["results"][1];
  EXPECT_EQ(cell["values"], (std::vector<double>{0.39, 0.40, 0.41}));
  EXPECT_EQ(cell["runs"], 3);
  EXPECT_EQ(cell["published_mean"], 0.3971);
  EXPECT_TRUE(json["results"][2]["ci_low"].is_null());
  EXPECT_TRUE(json["results"][2]["published_std"].is_null());
  const std::string text = results_json(sample_cells());
  EXPECT_LT(text.find("\"dataset\""), text.find("\"recommender\""));
  EXPECT_LT(text.find("\"metric\""), text.find("\"runs\""));
}

TEST(TableTest, PrintedValueIsInsideWhenItsRoundingAllows) {
  const auto inside = [](std::vector<double> runs, const char* metric = "Recall@10") {
    return summarise({"ml-100k", "svd", "augment", "original", metric, std::move(runs), {}}).inside();
  };
  EXPECT_EQ(inside({0.37155, 0.37155}), true);  // printed .3716
  EXPECT_EQ(inside({0.37165, 0.37165}), true);
  EXPECT_EQ(inside({0.37154, 0.37154}), false);
  EXPECT_EQ(inside({0.3717, 0.3717}), false);
  EXPECT_EQ(inside({0.36, 0.38}), true);
  EXPECT_EQ(inside({0.3716}), std::nullopt);
  EXPECT_EQ(inside({0.5, 0.6}, "Recall@1"), std::nullopt);
}

TEST(TableTest, MarkdownShowsDifferenceAndVerdict) {
  const std::string text = markdown_table(sample_cells());
  EXPECT_EQ(text.find("Protocol `published`"), 0u) << text;
  EXPECT_NE(
      text.find("| ml-100k | svd | augment | m-sdrm | Recall@10 | 3 | 0.4000 ± 0.0082 | 0.3752 to 0.4248 | 0.3971 ± 0.004 | "
                "+0.0029 | reproduced |"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("| Recall@1 | 1 | 0.5000 ± 0.0000 | – | – | – | – |"), std::string::npos) << text;
  EXPECT_NE(text.find("| 0.3716 ± 0.000 | +0.0000 | reproduced |"), std::string::npos) << "no negative zero: " << text;
}

TEST(TableTest, TerminalTableIsAlignedAndShowsTheMetricsAtTen) {
  const std::string text = terminal_table(sample_cells());
  EXPECT_EQ(text.find("Recall@1 "), std::string::npos);
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  std::size_t column = 0;
  for (int row = 0; std::getline(lines, line); ++row) {
    if (row == 0) column = line.find("metric");
    if (row == 4) {
      EXPECT_EQ(line, "2 of 2 printed figures reproduced, 0 within 3 sd, 0 above, 0 below.");
    } else if (row == 5) {
      EXPECT_EQ(line.find("Half of our figures lie within "), 0U) << line;
    } else if (row == 6) {
      EXPECT_NE(line.find("cannot answer"), std::string::npos) << line;
    }
    if (row >= 4) continue;
    EXPECT_EQ(line.find("@10") != std::string::npos, row > 0) << line;
    EXPECT_EQ(line.find(row == 0 ? "metric" : row < 3 ? "Recall@10" : "NDCG@10"), column) << text;
  }
  const std::vector<Cell> others = {{"d", "svd", "augment", "original", "Coverage", {0.5}, {}}};
  EXPECT_NE(terminal_table(others).find("Coverage"), std::string::npos);
}

TEST(ComparisonTest, TablesAndJson) {
  std::vector<Comparison> comparisons = {
      {"ml-100k", "svd", "augment", "f-sdrm", "original", "Recall@10", {-0.001, 0.02}, {0.0123, 0.005, 90, 0.08, 95, 5}, 0.04},
      {"ml-100k",
       "svd",
       "augment",
       "f-sdrm",
       "original",
       "Recall@20",
       {-0.02, -0.01},
       {-0.0151, 0.005, 90, 0.0021, 95, 5},
       0.001}};
  correct_for_number(comparisons);
  const std::string table = comparison_table(comparisons);
  EXPECT_NE(table.find("| ml-100k | svd | augment | f-sdrm | original | Recall@10 | +0.0123 | -0.0010 to 0.0200 | 0.0400 | "
                       "0.0800 | 0.0800 | no difference shown | 95 |"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("| -0.0151 | -0.0200 to -0.0100 | 0.0010 | 0.0021 | – | – | 95 |"), std::string::npos)
      << "Recall@20 is not in the family: " << table;
  const std::string lines = comparison_lines(comparisons);
  EXPECT_NE(lines.find("+0.0123"), std::string::npos);
  EXPECT_EQ(lines.find("Recall@20"), std::string::npos) << "the terminal shows k = 10";
  EXPECT_EQ(comparison_table({}) + comparison_lines({}), "");
  EXPECT_EQ(table.find("overlap |"), std::string::npos) << "without folds there is no such column";
  comparisons[0].overlap = comparisons[0].test;
  comparisons[0].overlap->p_two_sided = 0.21;
  EXPECT_NE(comparison_table(comparisons).find("| 0.0400 | 0.0800 | 0.2100 | 0.0800 | no difference shown | 95 |"),
            std::string::npos)
      << comparison_table(comparisons);
  comparisons[0].p_holm_these_fits = 0.06;
  const auto json = nlohmann::json::parse(results_json(sample_cells(), {}, comparisons));
  EXPECT_EQ(json["comparisons"][0]["p_holm_these_fits"], 0.06);
  EXPECT_EQ(json["comparisons"][1]["p_two_sided"], 0.0021);
  EXPECT_EQ(json["comparisons"][0]["p_holm"], 0.08);
  EXPECT_EQ(json["comparisons"][0]["p_overlap"], 0.21);
  EXPECT_TRUE(json["comparisons"][0]["p_holm_overlap"].is_null()) << "not corrected yet";
  EXPECT_TRUE(json["comparisons"][1]["p_holm"].is_null());
  EXPECT_EQ(json["comparisons"][0]["baseline"], "original");
  EXPECT_EQ(json["comparisons"][0]["difference"], 0.0123);
  EXPECT_EQ(json["comparisons"][0]["standard_error"], 0.005);
  EXPECT_EQ(json["comparisons"][0]["degrees"], 90);
  EXPECT_EQ(json["comparisons"][0]["p_these_fits"], 0.04);
  EXPECT_EQ(json["comparisons"][0]["users"], 95);
  EXPECT_EQ(json["comparisons"][0]["fits"], 5);
  EXPECT_FALSE(nlohmann::json::parse(results_json(sample_cells())).contains("comparisons"));
}

TEST(TableTest, ComparisonCanBeLeftOut) {
  const ReportOptions strict{.protocol = "strict", .compare = false};
  EXPECT_EQ(results_csv(sample_cells(), strict).find("0.3971"), std::string::npos);
  EXPECT_EQ(markdown_table(sample_cells(), strict).find("0.3971"), std::string::npos);
  EXPECT_NE(markdown_table(sample_cells(), strict).find("strict"), std::string::npos);
}

/// Writes 1234.5 as 1.234,5.
class Commas : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(TableTest, IsAPureFunctionOfItsCellsInAnyLocale) {
  std::vector<Cell> cells = sample_cells();
  cells[1].runs.assign(1000, 1234.5);
  const std::string csv = results_csv(cells), json = results_json(cells), markdown = markdown_table(cells);
  const std::locale before = std::locale::global(std::locale(std::locale(), new Commas));
  EXPECT_EQ(results_csv(cells), csv);
  EXPECT_EQ(results_json(cells), json);
  EXPECT_EQ(markdown_table(cells), markdown);
  std::locale::global(before);
}

TEST(TableTest, NanRunsLeaveFieldsEmpty) {
  const std::vector<Cell> cells = {{"d", "svd", "augment", "x", "Recall@1", {0.5, std::nan("")}, {}}};
  EXPECT_NE(results_csv(cells).find("d,svd,augment,x,Recall@1,2,,,,,,\n"), std::string::npos) << results_csv(cells);
  EXPECT_TRUE(nlohmann::json::parse(results_json(cells))["results"][0]["mean"].is_null());
}

TEST(Text, BytesThatAreNoTextAreReplaced) {
  EXPECT_EQ(repaired_utf8("--out r\xc3\xa9s\xff\"\n"), "--out r\xc3\xa9s\xef\xbf\xbd\"\n");
}

TEST(TableTest, AFailedFigureIsCalledSo) {
  const std::vector<Cell> cells = {{"ml-100k", "svd", "augment", "f-sdrm", "Recall@10", {0.5, std::nan("")}, {}, {}, true}};
  for (const std::string& text : {markdown_table(cells), terminal_table(cells)}) {
    EXPECT_NE(text.find("failed"), std::string::npos) << text;
    EXPECT_EQ(text.find("nan"), std::string::npos) << text;
    EXPECT_NE(text.find("0.3924 ± 0.005"), std::string::npos) << "the paper printed one: " << text;
  }
}

TEST(TableTest, AFigureOfNobodyIsNoFailure) {
  const double nan = std::nan("");
  const std::vector<Cell> cells = {{"d", "svd", "augment", "original", "Recall-mid@10", {nan}, {}},
                                   {"d", "svd", "augment", "original", "Recall@10", {nan, nan}, {}},
                                   {"d", "svd", "augment", "f-sdrm", "Recall-mid@10", {1, nan}, Interval{1, 1}, 1.0},
                                   {"d", "svd", "augment", "m-sdrm", "Recall-mid@10", {1, nan}, {}, {}, true}};
  const std::string text = markdown_table(cells);
  EXPECT_NE(text.find("| original | Recall-mid@10 | 1 | – | – |"), std::string::npos) << text;
  EXPECT_NE(text.find("| original | Recall@10 | 2 | – | – |"), std::string::npos) << text;
  EXPECT_NE(text.find("| f-sdrm | Recall-mid@10 | 2 | 1.0000 | 1.0000 to 1.0000 |"), std::string::npos) << "a fold of nobody";
  EXPECT_NE(text.find("| m-sdrm | Recall-mid@10 | 2 | failed | – |"), std::string::npos) << text;
}

TEST(TableTest, DataThatAreNotThePapersStandBesideNothing) {
  const std::vector<Cell> cells = {{"ml-100k", "svd", "augment", "f-sdrm", "Recall@10", {0.5, 0.51}, {}},
                                   {"ml-1m", "svd", "augment", "f-sdrm", "Recall@10", {0.5, 0.51}, {}}};
  ReportOptions options;
  options.other_data = {"ml-100k"};
  EXPECT_FALSE(summarise(cells[0], options).published);
  EXPECT_TRUE(summarise(cells[1], options).published);
  const std::vector<std::string> answer = published_answer(cells, options);
  EXPECT_EQ(answer[0], "0 of 1 printed figures reproduced, 0 within 3 sd, 1 above, 0 below.");
  EXPECT_NE(answer[1].find("The content of ml-100k is not that of the paper's"), std::string::npos) << answer[1];
}

TEST(Report, KnowsTheSdrmFamilyAsTheGeneratorsDo) {
  for (const std::vector<std::string>& names : {known_generator_names(), unprinted_generator_names()}) {
    for (const std::string& name : names) EXPECT_EQ(is_sdrm_family(name), SdrmFamily::has(name)) << name;
  }
  EXPECT_FALSE(is_sdrm_family("original") || SdrmFamily::has("original"));
}

TEST(Report, NeuMfsNdcgIsComparedInTheFormThatWasPrinted) {
  const auto published = [](const char* recommender, const char* metric) {
    return summarise({"ml-100k", recommender, "augment", "original", metric, {0.1, 0.2}, {}}).published;
  };
  ASSERT_TRUE(published("neumf", "NDCG-k@10") && published("neumf", "Recall@10") && published("mlp", "NDCG@10"));
  EXPECT_EQ(published("neumf", "NDCG-k@10")->mean, .096);
  EXPECT_EQ(published("neumf", "Recall@10")->mean, .1006);
  EXPECT_EQ(published("mlp", "NDCG@10")->mean, .3788);
  EXPECT_FALSE(published("neumf", "NDCG@10") || published("mlp", "NDCG-k@10") || published("neumf", "NDCG-k@5"));

  // Whoever reads a report is told which form stands where.
  ReportContent content;
  const auto says = [&](Section (*section)(const ReportContent&), const char* what) {
    return section(content).markdown().find(what) != std::string::npos;
  };
  const auto add = [&](const char* recommender, const char* metric, double value) {
    for (const char* generator : {"multivae++", "f-sdrm", "m-sdrm"}) {
      content.cells.push_back({"ml-100k", recommender, "augment", generator, metric, {value, 1.01 * value}, {}});
    }
  };
  const char *table = "NeuMF's NDCG@10 is here in the form in which it was printed", *every = "NDCG-k@k is that in which NeuMF's",
             *gains = "NeuMF's gains in NDCG are of the form in which its NDCG was printed";
  add("mlp", "NDCG@10", 0.3);
  EXPECT_FALSE(says(main_section, table) || says(metric_section, every) || says(gain_section, gains));
  add("neumf", "NDCG@10", 0.2);
  add("neumf", "NDCG-k@10", 0.1);
  EXPECT_TRUE(says(main_section, table) && says(metric_section, every) && says(gain_section, gains));
  EXPECT_TRUE(says(main_section, "| 0.1005 ± 0.0005 ")) << main_section(content).markdown();
  content.options.compare = false;
  EXPECT_TRUE(says(main_section, table) && says(metric_section, every));
  EXPECT_FALSE(says(gain_section, gains)) << "then both forms have gains of their own";
}

}  // namespace
}  // namespace tapestry::recsys
