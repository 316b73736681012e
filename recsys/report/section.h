#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace tapestry::recsys {

/// A cell of a report's table, plain text: what it says, remarks below it (in brackets in Markdown), and a class of the page's
/// style sheet, or none.
struct TableCell {
  std::string text;
  std::string below = {};  ///< a line for each
  std::string style = {};
};
using TableRows = std::vector<std::vector<TableCell>>;

/// A part of the report, written as HTML and as Markdown at once, so that both say the same. All texts are plain and escaped
/// here.
class Section {
 public:
  /// `id` names it in the page's contents and links.
  Section(std::string id, std::string title) : id_(std::move(id)), title_(std::move(title)) {}

  void paragraph(const std::string& text);
  void heading(const std::string& text);
  /// The first row holds the headings; the first `text_columns` columns are flush left.
  void table(const TableRows& rows, std::size_t text_columns);
  /// Names and what they stand for, as long as it may be; `headings` are for Markdown, which has a table of them.
  void facts(const std::pair<std::string, std::string>& headings, const std::vector<std::pair<std::string, std::string>>& facts);
  /// Pictures in a grid, ready markup. Markdown goes without: put what they show into a table too.
  void charts(const std::vector<std::string>& pictures);
  /// Markup that Markdown has no use for, such as the key to the colours.
  void html_only(const std::string& markup) { html_ += markup; }
  /// What `body` writes, folded away under a line of text unless `open`; under a heading in Markdown.
  void fold(const std::string& summary, bool open, const std::function<void()>& body);

  const std::string& id() const { return id_; }
  bool empty() const { return html_.empty(); }
  std::string html() const;      ///< <section> with its heading
  std::string markdown() const;  ///< under a heading of the second level

 private:
  std::string id_, title_, html_, markdown_;
  int depth_ = 0;  ///< folds around what is written next
};

}  // namespace tapestry::recsys
