#include "recsys/report/html_report.h"

#include "recsys/report/html_page.h"
#include "recsys/report/sections.h"
#include "recsys/report/svg_chart.h"

namespace tapestry::recsys {
namespace {

/// The answer's paragraphs, the first in larger letters (on a warning's ground when it warns), the details folded away.
std::string headline_html(const ReportContent& content) {
  std::string text;
  const std::vector<std::string>& answer = content.headline.answer;
  const std::size_t large = content.options.quick ? 2 : 1;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const std::string style = content.options.quick && i == 0 ? " class=\"headline below\""
                              : i < large                     ? " class=\"headline\""
                                                              : "";
    text += "<p" + style + ">" + escape_html(answer[i]) + "</p>\n";
  }
  if (content.headline.details.empty()) return text;
  text += "<details><summary>Each comparison on Recall@10 in words</summary>\n<ul>\n";
  for (const std::string& detail : content.headline.details) text += "<li>" + escape_html(detail) + "</li>\n";
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
  std::string body = "<header>\n<h1>" + escape_html(title) + "</h1>\n" + headline_html(content);
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
