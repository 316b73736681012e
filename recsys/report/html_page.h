#pragma once

#include <string>
#include <utility>
#include <vector>

/// The pieces of a page that stands alone: no script, no network, readable on a telephone, on paper, light and dark.
namespace tapestry::recsys {

/// A cell of a table: its markup (already escaped) and a class of the style sheet, or none.
struct HtmlCell {
  std::string markup;
  std::string style = {};
};

/// A table that scrolls by itself where the page is narrower. The first row holds the headings; the first `text_columns` columns
/// are flush left.
std::string html_table(const std::vector<std::vector<HtmlCell>>& rows, std::size_t text_columns);

/// Names and what they stand for, plain text: side by side, on a telephone one below the other. Long words break.
std::string html_facts(const std::vector<std::pair<std::string, std::string>>& facts);

/// A document with its style sheet. `title` is plain text, `body` markup.
std::string html_page(const std::string& title, const std::string& body);

}  // namespace tapestry::recsys
