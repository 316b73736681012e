#include "recsys/data/field_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>

namespace tapestry::recsys {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// A piece of a file that is safe to print on one line.
std::string sample(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string shown(text.substr(0, kLongest));
  for (char& character : shown) {
    if (static_cast<unsigned char>(character) < 0x20 || character == 0x7f) character = '?';
  }
  return "'" + shown + (text.size() > kLongest ? "...'" : "'");
}

std::string read_whole(const std::filesystem::path& path, const std::string& layout) {
  std::error_code error, ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    if (std::filesystem::is_symlink(path, ignored)) {
      fail(ErrorKind::kData, path.string(), ": a link to ", std::filesystem::read_symlink(path, ignored).string(),
           ", which cannot be followed: ", error.message());
    }
    if (status.type() == std::filesystem::file_type::not_found) fail(ErrorKind::kData, path.string(), ": no such file");
    fail(ErrorKind::kData, path.string(), ": cannot be looked at: ", error.message());
  }
  if (!std::filesystem::is_regular_file(status)) fail(ErrorKind::kData, path.string(), ": not a regular file");
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = in ? static_cast<std::streamoff>(in.tellg()) : -1;
  if (size < 0) fail(ErrorKind::kData, path.string(), ": cannot be opened for reading");
  std::string content(static_cast<std::size_t>(size), '\0');
  in.seekg(0);
  if (!in.read(content.data(), size)) fail(ErrorKind::kData, path.string(), ": reading failed");
  if (content.find_first_not_of("\r\n", content.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0) == std::string::npos) {
    fail(ErrorKind::kData, path.string(), ": the file is empty, expected lines like ", layout);
  }
  return content;
}

}  // namespace

bool is_listed(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::symlink_status(path, ignored).type() != std::filesystem::file_type::not_found;
}

FieldReader::FieldReader(const std::filesystem::path& file, std::string separator, std::string layout, std::size_t field_count)
    : file_(file.string()),
      separator_(std::move(separator)),
      layout_(std::move(layout)),
      field_count_(field_count),
      content_(read_whole(file, layout_)) {
  if (content_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
}

std::vector<Column> FieldReader::read_header(std::span<const std::string> names) {
  next();
  field_count_ = fields_.size();
  std::vector<Column> columns;
  for (const std::string& name : names) {
    const auto found = std::find(fields_.begin(), fields_.end(), name);
    if (found == fields_.end()) {
      std::string header;
      for (const std::string_view field : fields_) header.append(header.empty() ? "" : ",").append(field);
      fail_line("no column ", name, " in the header ", sample(header), ", expected a header like ", layout_);
    }
    const auto again = std::find(found + 1, fields_.end(), name);
    if (again != fields_.end()) {
      fail_line("column ", name, " comes twice in the header, as column ", found - fields_.begin() + 1, " and column ",
                again - fields_.begin() + 1, ", expected it once");
    }
    columns.push_back({static_cast<std::size_t>(found - fields_.begin()), name});
  }
  return columns;
}

bool FieldReader::next() {
  if (at_ >= content_.size()) return false;
  ++line_;
  char* begin = content_.data() + at_;
  char* const file_end = content_.data() + content_.size();
  auto* end = static_cast<char*>(std::memchr(begin, '\n', static_cast<std::size_t>(file_end - begin)));
  if (end == nullptr) end = file_end;
  at_ = static_cast<std::size_t>(end - content_.data()) + 1;
  if (end > begin && end[-1] == '\r') --end;
  if (begin == end) {
    if (content_.find_first_not_of("\r\n", std::min(at_, content_.size())) == std::string::npos) return false;
    fail_line("an empty line, expected ", layout_);
  }
  fields_.clear();
  split(begin, end);
  if (field_count_ != 0 && fields_.size() != field_count_) {
    fail_line("found ", fields_.size(), fields_.size() == 1 ? " field" : " fields", " in ",
              sample({begin, static_cast<std::size_t>(end - begin)}), ", expected ", field_count_, " like ", layout_);
  }
  return true;
}

void FieldReader::split(char* begin, char* end) {
  const bool quotes = separator_ == ",";
  for (char* at = begin;;) {
    char* field_end;
    if (quotes && at < end && *at == '"') {
      field_end = split_quoted(at, end);
    } else {
      field_end = std::search(at, end, separator_.begin(), separator_.end());
      fields_.emplace_back(at, static_cast<std::size_t>(field_end - at));
    }
    if (field_end == end) return;
    at = field_end + separator_.size();
  }
}

/// Takes a field in quotes, which begins at `at`, and moves its text together over doubled quotes. Returns the field's end.
char* FieldReader::split_quoted(char* at, char* end) {
  char* const text = at;
  char* to = text;
  bool closed = false;
  for (++at; at < end && !closed; ++at) {
    if (*at == '"' && (at + 1 == end || at[1] != '"')) {
      closed = true;
    } else {
      if (*at == '"') ++at;
      *to++ = *at;
    }
  }
  if (!closed || (at < end && *at != separator_.front())) {
    fail_line("column ", fields_.size() + 1, ": a field in quotes does not end before the next '", separator_,
              "' or the end of the line");
  }
  fields_.emplace_back(text, static_cast<std::size_t>(to - text));
  return at;
}

float FieldReader::number(const Column& column, float lowest, float highest) const {
  const std::string_view field = text(column);
  float value = 0;
  const auto [rest, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  const bool whole = error == std::errc() && rest == field.data() + field.size();
  // Written so that "nan", which from_chars reads, is out of range.
  if (!whole || !(value >= lowest && value <= highest)) fail_field(column, concat("a number from ", lowest, " to ", highest));
  return value;
}

std::int32_t FieldReader::index(const Column& column, std::int64_t bound) const {
  const std::string_view field = text(column);
  std::int32_t value = 0;
  const auto [rest, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || rest != field.data() + field.size() || value < 0 || value >= bound) {
    fail_field(column, concat("an index from 0 to ", bound - 1));
  }
  return value;
}

void FieldReader::fail_field(const Column& column, std::string_view expected) const {
  fail_line("column ", column.index + 1, " (", column.name, "): found ", sample(text(column)), ", expected ", expected);
}

}  // namespace tapestry::recsys
