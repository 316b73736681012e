// The charts and the page: every tag closed in order, texts escaped, what has to be shown is there and nothing else.
#include "recsys/report/html_report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "recsys/metrics/ranking.h"
#include "recsys/report/html_page.h"
#include "recsys/report/svg_chart.h"
#include "recsys/report/training_curve.h"
#include "tensor/error.h"
#include "tests/recsys/report/markup_support.h"

namespace tapestry::recsys {
namespace {

using tests::count_of;
using tests::markup_fault;

TEST(MarkupFaultTest, FindsFaults) {
  EXPECT_EQ(markup_fault("<p a=\"1\">x<br/></p>"), "");
  EXPECT_NE(markup_fault("<p><b></p></b>"), "");
  EXPECT_NE(markup_fault("<p>"), "");
  EXPECT_NE(markup_fault("<p a=\"1></p>"), "");
  EXPECT_NE(markup_fault("<p id=\"a\"></p><p id=\"a\"></p>"), "");
}

TEST(SvgChartTest, RoundTicksCoverTheRange) {
  EXPECT_EQ(round_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(round_ticks(3, 17, 3), (std::vector<double>{0, 5, 10, 15, 20}));
  EXPECT_EQ(round_ticks(-1.5, 1.5, 3), (std::vector<double>{-2, -1, 0, 1, 2}));
  EXPECT_EQ(round_ticks(4, 4, 5), (std::vector<double>{4}));
  EXPECT_EQ(round_ticks(0.3, std::nextafter(0.3, 1), 5), (std::vector<double>{0.3}));
  for (const double low : {-7.3, 0.0004, 123.0}) {
    const std::vector<double> ticks = round_ticks(low, low + 0.37, 5);
    EXPECT_TRUE(ticks.front() <= low + 1e-9 && ticks.back() >= low + 0.37 - 1e-9);
    EXPECT_TRUE(ticks.size() >= 3 && ticks.size() <= 9) << ticks.size();
  }
}

TEST(SvgChartTest, PointsStandWhereTheirValuesSay) {
  // Linear, both axes 0 to 10: the corners of the drawing area are (66, 252) and (460, 12).
  const std::vector<Series> series = {{"a", {0, 10}, {0, 10}}};
  const std::string text = line_chart({.title = "t", .x_label = "x", .y_label = "y"}, series);
  EXPECT_EQ(markup_fault(text), "") << text;
  EXPECT_NE(text.find("d=\"M66 252L460 12\""), std::string::npos) << text;
  // Logarithmic: 10 lies in the middle of 1 and 100.
  const std::vector<Series> powers = {{"a", {1, 10, 100}, {1, 10, 100}}};
  const std::string logs = line_chart(
      {.title = "t", .x_label = "x", .y_label = "y", .x_scale = Scale::kLogarithmic, .y_scale = Scale::kLogarithmic}, powers);
  EXPECT_NE(logs.find("M66 252L263 132L460 12"), std::string::npos) << logs;
}

TEST(SvgChartTest, NumbersOfManyFiguresHaveRoom) {
  // A figure is up to 8 wide: 0.03175 ends at x = 74 and begins right of 18, where the axis' name stands; 10000 ends within 480.
  const std::vector<Series> series = {{"a", {1, 10000}, {0.0317, 0.0318}}};
  const std::string text = line_chart({.title = "t", .x_label = "x", .y_label = "y", .x_scale = Scale::kLogarithmic}, series);
  EXPECT_NE(text.find(R"(x="74" y="136">0.03175)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(x="456" y="270">10000<)"), std::string::npos) << text;
  EXPECT_NE(text.find("d=\"M80 252L456 "), std::string::npos) << "lines and axes agree: " << text;
}

TEST(SvgChartTest, MoreLinesThanColoursDifferInTheirStrokes) {
  std::vector<Series> runs;
  for (int run = 1; run <= 20; ++run) runs.push_back({"run " + std::to_string(run), {0, 1}, {0, run * 1.0}});
  const std::string text = line_chart({.title = "t"}, runs);
  std::set<std::string> styles;
  for (std::size_t at = text.find("<path class=\"c"); at != std::string::npos; at = text.find("<path class=\"c", at + 1)) {
    styles.insert(text.substr(at, text.find(" line\"", at) - at));
  }
  EXPECT_EQ(styles.size(), runs.size()) << "curve and legend alike, and no two curves";
}

TEST(SvgChartTest, WhatCannotBeDrawnIsLeftOut) {
  const double nan = std::nan("");
  const std::vector<Series> broken = {{"a <b>", {1, 2, 3, 4}, {1, nan, 3, 4}}, {"nothing", {1}, {nan}}};
  const std::string text = line_chart({.title = "a & b", .x_label = "x", .y_label = "y"}, broken);
  EXPECT_EQ(markup_fault(text), "") << text;
  EXPECT_EQ(text.find("nan"), std::string::npos) << text;
  EXPECT_EQ(text.find("nothing"), std::string::npos);
  EXPECT_NE(text.find("a &lt;b&gt;"), std::string::npos);
  EXPECT_NE(text.find("a &amp; b"), std::string::npos);
  EXPECT_EQ(count_of(text, "h0"), 3u);
  const std::string line = text.substr(text.find(" line\" d=\""));
  EXPECT_EQ(count_of(line.substr(0, line.find("/>")), "M"), 2u) << "the missing point breaks the line: " << text;
  EXPECT_NE(line_chart({.title = "t"}, std::vector<Series>{{"a", {0}, {nan}}}).find("Nothing to draw"), std::string::npos);
  const std::string flat = line_chart({.title = "t"}, std::vector<Series>{{"a", {5, 5}, {2, 2}}});
  EXPECT_THROW(line_chart({.title = "t"}, std::vector<Series>{{"a", {1, 2}, {1}}}), Error);
  EXPECT_EQ(flat.find("nan") + flat.find("inf"), 2 * std::string::npos) << "one value has no extent: " << flat;
}

TEST(TrainingCurveTest, HasNoMorePointsThanCanBeSeenAndItsLast) {
  const auto points = [](std::size_t epochs) {
    TrainingCurve curve;
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
      curve.epoch.push_back(static_cast<double>(epoch));
      curve.loss.push_back(1.0 / static_cast<double>(epoch + 1));
    }
    const Series line = loss_line(curve, "loss");
    EXPECT_EQ(line.x.size(), line.y.size());
    return line.x;
  };
  EXPECT_EQ(points(60).size(), 60u) << "as many as there are";
  EXPECT_EQ(points(61).size(), 31u) << "every second";
  EXPECT_EQ(points(62).size(), 32u) << "and the last, which is none of them";
  EXPECT_EQ(points(62).back(), 61);
  EXPECT_TRUE(points(0).empty());
}

ReportContent content() {
  ReportContent report;
  const auto add = [&](const char* generator, double value) {
    for (const std::string& metric : metric_names()) {
      report.cells.push_back({"ml-100k", "svd", "augment", generator, metric, {value, value + 0.001}, {}});
    }
  };
  add("original", 0.3716);
  add("multivae++", 0.3870);
  add("f-sdrm", 0.3920);
  add("m-sdrm", 0.4971);
  report.curves = {{"ml-100k", "svd", "vae_fit", 1, {0, 1, 2}, {3, 2, 1}, {0.1, 0.2, 0.3}}};
  report.times = {{"ml-100k", "svd", "vae_fit", 2, 30}};
  report.origin = {{"command", "reproduce --data <dir> & more"}};
  return report;
}

TEST(HtmlReportTest, IsOneWellFormedPageWithoutAnythingFromOutside) {
  const std::string page = html_report(content());
  EXPECT_EQ(markup_fault(page), "");
  EXPECT_EQ(page.rfind("<!DOCTYPE html>", 0), 0u);
  for (const char* outside : {"http:", "https:", "<script", "<link", "@import", "url("}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
  EXPECT_NE(page.find("reproduce --data &lt;dir&gt; &amp; more"), std::string::npos);
  EXPECT_EQ(page.find("nan"), std::string::npos);
  EXPECT_EQ(html_report(content()), page) << "a function of its content";
}

TEST(HtmlReportTest, NamesWithLongValuesStandInNoTableThatScrolls) {
  ReportContent report = content();
  report.failures = {{"ml-100k_svd_augment_ctgan_run-1", "its loss is <nan>"}};
  const std::string page = html_report(report);
  EXPECT_NE(page.find("<dt>command</dt><dd>reproduce --data &lt;dir&gt; &amp; more</dd>"), std::string::npos);
  EXPECT_NE(page.find("<dt>ml-100k_svd_augment_ctgan_run-1</dt><dd>its loss is &lt;nan&gt;</dd>"), std::string::npos);
  const std::string text = markdown_report(report);
  EXPECT_NE(text.find("| command | reproduce --data &lt;dir> & more |"), std::string::npos) << text;
  EXPECT_NE(text.find("| ml-100k_svd_augment_ctgan_run-1 | its loss is &lt;nan> |"), std::string::npos) << text;
}

TEST(HtmlReportTest, WhatIsNotComputedHasThePrintedFigureAlone) {
  ReportContent report = content();
  for (const std::string& metric : metric_names()) {
    report.cells.push_back({"amazon-luxury-beauty", "svd", "augment", "original", metric, {0.3, 0.3}, {}});
  }
  EXPECT_NE(html_report(report).find("<td>–<small>printed 0.3249 ± 0.004</small></td>"), std::string::npos) << "M-SDRM there";
  report.datasets = {{.dataset = "amazon-luxury-beauty", .users = 1000, .shape = {}}};
  EXPECT_NE(html_report(report).find("printed 1,344"), std::string::npos);
  report.options.other_data = {"amazon-luxury-beauty"};
  EXPECT_EQ(html_report(report).find("printed 1,344"), std::string::npos);
  EXPECT_EQ(html_report(report).find("–<small>"), std::string::npos) << "other data have no printed figures";
}

TEST(HtmlReportTest, ShowsOursOverThePrintedWithItsVerdict) {
  const std::string page = html_report(content());
  EXPECT_NE(page.find("<td class=\"above\">0.4976 ± 0.0005 ↑<small>printed 0.3971 ± 0.004</small></td>"), std::string::npos);
  EXPECT_NE(page.find("<td class=\"reproduced\">0.3925 ± 0.0005 ✓<small>printed 0.3924 ± 0.005</small></td>"), std::string::npos);
  EXPECT_NE(page.find("Gain over MultiVAE++, Recall@k"), std::string::npos);
  EXPECT_NE(page.find("augment, printed"), std::string::npos);
  EXPECT_NE(page.find("ml-100k, SVD, vae_fit: loss"), std::string::npos);
  for (const char* id : {"tables", "gain", "training", "all", "times", "origin"}) {
    EXPECT_EQ(count_of(page, std::string("href=\"#") + id + "\""), 1u) << id;
    EXPECT_EQ(count_of(page, std::string(" id=\"") + id + "\""), 1u) << id;
  }
  EXPECT_EQ(page.find("href=\"#comparisons\""), std::string::npos) << "there are none";
}

TEST(HtmlReportTest, StrictShowsIntervalsAndComparisonsAndNoPrintedFigure) {
  ReportContent report = content();
  report.options = {.protocol = "strict", .compare = false};
  report.options.quick = true;
  report.headline = {{"Synthetic data does not help < here."}, {"On ml-100k: worse."}, "Quick."};
  report.comparisons = {
      {"ml-100k", "svd", "augment", "f-sdrm", "original", "Recall@10", {0.01, 0.02}, {0.015, 0, 0.001, 95, false}}};
  const std::string page = html_report(report);
  EXPECT_EQ(markup_fault(page), "");
  EXPECT_EQ(page.find("printed 0."), std::string::npos);
  EXPECT_EQ(page.find("augment, printed"), std::string::npos);
  EXPECT_NE(
      page.find("<p class=\"headline below\">Quick.</p>\n<p class=\"headline\">Synthetic data does not help &lt; here.</p>"),
      std::string::npos)
      << "the warning comes first";
  EXPECT_NE(page.find("<li>On ml-100k: worse.</li>"), std::string::npos);
  EXPECT_NE(page.find("0.0100 to 0.0200"), std::string::npos);
}

TEST(HtmlReportTest, EmptyAndFailedContentStillMakeAPage) {
  EXPECT_EQ(markup_fault(html_report({})), "");
  ReportContent report = content();
  for (Cell& cell : report.cells) cell.runs = {std::nan("")};
  EXPECT_EQ(markdown_report(report).find("| failed |"), std::string::npos) << "nobody holds anything out: nothing failed";
  for (Cell& cell : report.cells) cell.failed = true;
  const std::string page = html_report(report);
  EXPECT_EQ(markup_fault(page), "");
  EXPECT_NE(page.find(">failed<"), std::string::npos);
  EXPECT_NE(page.find("<td>failed<small>printed 0.3924 ± 0.005</small></td>"), std::string::npos) << "the paper's did not fail";
}

TEST(HtmlReportTest, ThirdsThatNobodyHoldsOutAreNoFailure) {
  ReportContent report;
  const double nan = std::nan("");
  report.cells = {{"d", "svd", "augment", "original", "Recall-head@10", {0.5}, {}},
                  {"d", "svd", "augment", "original", "Recall-mid@10", {nan}, {}},
                  {"d", "svd", "augment", "original", "Recall-tail@10", {1, nan}, Interval{1, 1}, 1.0}};
  const std::string text = markdown_report(report);
  EXPECT_NE(text.find("| Original | – | – | – | 0.5000 | – | 1.0000 (1.0000 to 1.0000) |"), std::string::npos) << text;
  report.cells[1].failed = true;
  EXPECT_NE(markdown_report(report).find("| 0.5000 | failed | 1.0000 "), std::string::npos);
}

}  // namespace
}  // namespace tapestry::recsys
