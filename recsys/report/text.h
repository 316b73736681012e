#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "recsys/metrics/statistics.h"

namespace tapestry::recsys {

/// Fixed notation without a locale; empty for NaN and infinities, no minus before zero.
std::string fixed(double value, int decimals);
/// The same with + before what is not negative.
std::string with_sign(double value, int decimals);
/// The shortest digits that give the number back: printed figures look as they were printed.
std::string shortest(double value);
/// A count, or a mean of counts: whole, "91,355,364"; with one decimal where it is not whole and below 100. Empty for NaN.
std::string count_text(double value);
/// "98.88 %"; "< 0.01 %" for what is more than nothing but would read 0.00, "0 %" for nothing. Empty for NaN.
std::string percent_text(double percent);

/// "0.3920 to 0.3930", or `without` where an end is NaN.
std::string interval_text(const Interval& interval, const std::string& without = "");

/// A p-value with four decimals, "< 0.0001" for less: no p is 0. Empty for NaN.
std::string p_text(double p);

/// The text with what is not UTF-8 in it replaced by U+FFFD: a command may hold any bytes, a report may not.
std::string repaired_utf8(const std::string& text);

/// "a, b and c".
std::string and_joined(const std::vector<std::string>& names);

/// A CSV field, quoted when it has to be.
std::string csv_field(const std::string& text);
/// Such fields with commas between them and the end of the line.
std::string csv_line(std::span<const std::string> fields);
inline std::string csv_line(std::initializer_list<std::string> fields) {
  return csv_line(std::span(fields.begin(), fields.size()));
}

/// Lines of cells, the first of them headings, as a Markdown table: the first `text_columns` columns flush left, the others
/// right.
std::string markdown(const std::vector<std::vector<std::string>>& lines, std::size_t text_columns);
/// The same in aligned columns for a terminal.
std::string aligned(const std::vector<std::vector<std::string>>& lines, std::size_t text_columns);

}  // namespace tapestry::recsys
