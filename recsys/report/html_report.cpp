#include "recsys/report/html_report.h"

#include <utility>

#include "recsys/report/html_page.h"
#include "recsys/report/sections.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// The remark on a warning's ground, the answer's paragraphs, the first in larger letters, the details folded away.
std::string headline_html(const Headline& headline) {
  std::string text = headline.remark.empty() ? "" : "<p class=\"headline below\">" + escape_html(headline.remark) + "</p>\n";
  const char* style = " class=\"headline\"";
  for (const std::string& paragraph : headline.answer) {
    text += concat("<p", std::exchange(style, ""), ">", escape_html(paragraph), "</p>\n");
  }
  if (headline.details.empty()) return text;
  text += "<details><summary>Each comparison on Recall@10 in words</summary>\n<ul>\n";
  for (const std::string& detail : headline.details) text += "<li>" + escape_html(detail) + "</li>\n";
  return text + "</ul>\n</details>\n";
}

}  // namespace

Section failure_section(const ReportContent& content) {
  Section section("failed", "What failed");
  if (content.failures.empty()) return section;
  std::vector<std::pair<std::string, std::string>> reasons;
  for (const Failure& one : content.failures) reasons.emplace_back(one.unit, one.reason);
  section.facts({"unit", "reason"}, reasons);
  return section;
}

Section origin_section(const ReportContent& content) {
  Section section("origin", "How every number was made");
  if (content.origin.empty()) return section;
  section.facts({"what", "value"}, content.origin);
  return section;
}

std::string html_report(const ReportContent& content) {
  const std::string title = report_title(content);
  const std::vector<Section> sections = report_sections(content);
  std::string body = "<header>\n<h1>" + escape_html(title) + "</h1>\n" + headline_html(content.headline);
  if (!sections.empty()) {
    body += "<nav><ul>\n";
    for (const Section& section : sections) body += "<li><a href=\"#" + section.id() + "\">" + section.id() + "</a></li>\n";
    body += "</ul></nav>\n";
  }
  body += "</header>\n<main>\n";
  for (const Section& section : sections) body += section.html();
  return html_page(title, body + "</main>\n");
}

std::string markdown_report(const ReportContent& content) {
  std::string text = "# " + report_title(content) + "\n\n" + headline_markdown(content.headline);
  for (const Section& section : report_sections(content)) text += section.markdown();
  return text;
}

}  // namespace tapestry::recsys
