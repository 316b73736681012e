// recsys/report/section.h: what a part of the report says on the page it says in Markdown too.
#include "recsys/report/section.h"

#include <gtest/gtest.h>

#include "tests/recsys/report/markup_support.h"
#include "tests/support/text.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::has;
using tests::markup_fault;

TEST(SectionTest, SaysTheSameInBothForms) {
  Section section("some", "A & B");
  EXPECT_TRUE(section.empty());
  section.paragraph("1 < 2 | *");
  section.fold("more", true, [&] {
    section.heading("h");
    section.table({{{"a"}, {"b"}}, {{"x", "below"}, {"1", "", "within"}}}, 1);
  });
  EXPECT_EQ(markup_fault(section.html()), "") << section.html();
  EXPECT_TRUE(has(section.html(), "<h2 id=\"some\">A &amp; B</h2>"));
  EXPECT_TRUE(has(section.html(), "<p>1 &lt; 2 | *</p>"));
  EXPECT_TRUE(has(section.html(), "<details open><summary>more</summary>"));
  EXPECT_TRUE(has(section.html(), "x<small>below</small></th><td class=\"within\">1</td>")) << section.html();
  EXPECT_EQ(section.markdown(),
            "## A & B\n\n1 &lt; 2 \\| \\*\n\n### more\n\n#### h\n\n| a | b |\n|---|---:|\n| x (below) | 1 |\n\n");
}

TEST(SectionTest, MarkdownShowsWhatLooksLikeMarkup) {
  const auto shown = [](const std::string& text) {
    Section section("some", "title");
    section.paragraph(text);
    const std::string all = section.markdown(), heading = "## title\n\n";
    return all.substr(heading.size(), all.size() - heading.size() - 2);
  };
  EXPECT_EQ(shown("--only '*_svd_*'"), "--only '\\*\\_svd\\_\\*'") << "else in italics";
  EXPECT_EQ(shown("_a_"), "\\_a\\_");
  EXPECT_EQ(shown("a__b"), "a\\_\\_b");
  EXPECT_EQ(shown("vae_fit, ml-100k_svd_augment_run-1"), "vae_fit, ml-100k_svd_augment_run-1") << "within words it is none";
  EXPECT_EQ(shown("see [this](that)"), "see \\[this](that)") << "else a link";
  EXPECT_EQ(shown("in [0, 1)"), "in [0, 1)");
}

}  // namespace
}  // namespace tapestry::recsys
