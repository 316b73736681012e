#include "recsys/report/section.h"

#include <sstream>

#include "recsys/report/html_page.h"
#include "recsys/report/svg_chart.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Whether Markdown could take the character there for markup or for the end of a cell. Names keep their underscores and
/// intervals their brackets: within a word the one is no emphasis, unclosed the other is no link.
bool is_markup(const std::string& text, std::size_t at) {
  const char c = text[at];
  if (c == '_') return at == 0 || at + 1 == text.size() || !is_alphanumeric(text[at - 1]) || !is_alphanumeric(text[at + 1]);
  if (c == '[') return text.find(']', at) != std::string::npos;
  return c == '|' || c == '*' || c == '`' || c == '\\';
}

/// The text as Markdown that shows it.
std::string escape_markdown(const std::string& text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '<') {
      escaped += "&lt;";
    } else if (is_markup(text, i)) {
      escaped += std::string("\\") + c;
    } else {
      escaped += c == '\n' ? ' ' : c;
    }
  }
  return escaped;
}

}  // namespace

void Section::paragraph(const std::string& text) {
  html_ += "<p>" + escape_html(text) + "</p>\n";
  markdown_ += escape_markdown(text) + "\n\n";
}

void Section::heading(const std::string& text) {
  html_ += "<h3>" + escape_html(text) + "</h3>\n";
  markdown_ += (depth_ > 0 ? "#### " : "### ") + escape_markdown(text) + "\n\n";
}

void Section::table(const TableRows& rows, std::size_t text_columns) {
  std::vector<std::vector<HtmlCell>> cells;
  std::vector<std::vector<std::string>> lines;
  for (const std::vector<TableCell>& row : rows) {
    cells.emplace_back();
    lines.emplace_back();
    for (const TableCell& cell : row) {
      std::string markup = escape_html(cell.text), remarks;
      std::istringstream below(cell.below);
      for (std::string remark; std::getline(below, remark);) {
        markup += "<small>" + escape_html(remark) + "</small>";
        remarks += (remarks.empty() ? "" : ", ") + remark;
      }
      cells.back().push_back({markup, cell.style});
      lines.back().push_back(escape_markdown(cell.text + (remarks.empty() ? "" : " (" + remarks + ")")));
    }
  }
  html_ += html_table(cells, text_columns);
  markdown_ += tapestry::recsys::markdown(lines, text_columns) + "\n";
}

void Section::facts(const std::pair<std::string, std::string>& headings,
                    const std::vector<std::pair<std::string, std::string>>& facts) {
  std::vector<std::vector<std::string>> lines = {{headings.first, headings.second}};
  for (const auto& [name, value] : facts) lines.push_back({escape_markdown(name), escape_markdown(value)});
  html_ += html_facts(facts);
  markdown_ += tapestry::recsys::markdown(lines, 2) + "\n";
}

void Section::charts(const std::vector<std::string>& pictures) {
  if (pictures.empty()) return;
  html_ += "<div class=\"charts\">\n";
  for (const std::string& picture : pictures) html_ += picture;
  html_ += "</div>\n";
}

void Section::fold(const std::string& summary, bool open, const std::function<void()>& body) {
  html_ += std::string(open ? "<details open>" : "<details>") + "<summary>" + escape_html(summary) + "</summary>\n";
  markdown_ += "### " + escape_markdown(summary) + "\n\n";
  ++depth_;
  body();
  --depth_;
  html_ += "</details>\n";
}

std::string Section::html() const {
  return "<section>\n<h2 id=\"" + id_ + "\">" + escape_html(title_) + "</h2>\n" + html_ + "</section>\n";
}

std::string Section::markdown() const { return "## " + escape_markdown(title_) + "\n\n" + markdown_; }

}  // namespace tapestry::recsys
