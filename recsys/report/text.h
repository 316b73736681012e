#pragma once

#include <string>
#include <vector>

namespace tapestry::recsys {

/// Fixed notation without a locale; empty for NaN and infinities, no minus before zero.
std::string fixed(double value, int decimals);

/// Lines of cells, the first of them headings, as a Markdown table: the first `text_columns` columns flush left, the others
/// right.
std::string markdown(const std::vector<std::vector<std::string>>& lines, std::size_t text_columns);
/// The same in aligned columns for a terminal.
std::string aligned(const std::vector<std::vector<std::string>>& lines, std::size_t text_columns);

}  // namespace tapestry::recsys
