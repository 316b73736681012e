#include "recsys/report/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

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

std::string with_sign(double value, int decimals) {
  const std::string digits = fixed(value, decimals);
  return (digits.empty() || digits[0] == '-' ? "" : "+") + digits;
}

std::string shortest(double value) {
  std::array<char, 64> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

std::string count_text(double value) {
  if (!std::isfinite(value)) return "";
  if (value < 100 && value != std::floor(value)) return fixed(value, 1);
  std::string text = fixed(value, 0);
  const std::size_t first = text[0] == '-' ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) text.insert(at -= 3, ",");
  return text;
}

std::string percent_text(double percent) {
  if (!std::isfinite(percent)) return "";
  if (percent == 0) return "0 %";
  return percent > 0 && percent < 0.005 ? "< 0.01 %" : fixed(percent, 2) + " %";
}

std::string interval_text(const Interval& interval, const std::string& without) {
  if (!std::isfinite(interval.low) || !std::isfinite(interval.high)) return without;
  return fixed(interval.low, 4) + " to " + fixed(interval.high, 4);
}

std::string p_text(double p) { return p < 0.00005 ? "< 0.0001" : fixed(p, 4); }

std::string repaired_utf8(const std::string& text) {
  const std::string json = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(json).get<std::string>();
}

std::string and_joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  }
  return text;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string csv_line(std::span<const std::string> fields) {
  std::string text;
  for (std::size_t i = 0; i < fields.size(); ++i) text += (i > 0 ? "," : "") + csv_field(fields[i]);
  return text + "\n";
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
