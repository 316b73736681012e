#include "recsys/report/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace tapestry::recsys {
namespace {

/// Characters on the screen: bytes that continue a UTF-8 sequence take no room.
std::size_t screen_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "";
  std::array<char, 400> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals).ptr;
  const std::string text(buffer.data(), end);
  const bool negative_zero = text[0] == '-' && text.find_first_not_of("-0.") == std::string::npos;
  return negative_zero ? text.substr(1) : text;
}

std::string markdown(const std::vector<std::vector<std::string>>& lines, std::size_t text_columns) {
  std::string text;
  for (std::size_t line = 0; line < lines.size(); ++line) {
    text += "|";
    for (const std::string& cell : lines[line]) text += " " + cell + " |";
    text += "\n";
    if (line > 0) continue;
    text += "|";
    for (std::size_t c = 0; c < lines[0].size(); ++c) text += c < text_columns ? "---|" : "---:|";
    text += "\n";
  }
  return text;
}

std::string aligned(const std::vector<std::vector<std::string>>& lines, std::size_t text_columns) {
  std::vector<std::size_t> widths(lines.front().size());
  for (const std::vector<std::string>& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], screen_width(line[c]));
  }
  std::string text;
  for (const std::vector<std::string>& cells : lines) {
    std::string line;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const std::string padding(widths[c] - screen_width(cells[c]), ' ');
      line += (c > 0 ? "  " : "") + (c < text_columns ? cells[c] + padding : padding + cells[c]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace tapestry::recsys
