#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/error.h"

namespace tapestry::recsys {

/// A column of a text file: where it is (from 0) and what error messages call it.
struct Column {
  std::size_t index = 0;
  std::string name;
};

/// Whether the folder lists such a name: also that of a link which leads nowhere, or of a file that may not be looked at. What is
/// listed is not passed over for absent; reading it says what is wrong.
bool is_listed(const std::filesystem::path& path);

/// Lines of separated fields from a file that is read whole. A UTF-8 byte-order mark, CRLF line ends, a missing last newline and
/// blank lines at the end are accepted. With the separator "," a field may stand in double quotes, a quote inside it doubled.
/// Every mistake throws Error(kData) with the file, the line, the column, what was found there and what was expected.
class FieldReader {
 public:
  /// `layout` shows a right line and is quoted in messages. `field_count` is the number of fields of every line; 0 when a header
  /// will tell. Throws when the file is absent, unreadable or holds nothing.
  FieldReader(const std::filesystem::path& file, std::string separator, std::string layout, std::size_t field_count = 0);

  /// Reads the first line as the header and finds the named columns in it. Throws when one is missing or comes twice.
  std::vector<Column> read_header(std::span<const std::string> names);

  /// Moves to the next line. False behind the last one.
  bool next();

  /// Fields of the current line, which stay valid as long as this reader. `column.index` is below the field count.
  std::string_view text(const Column& column) const { return fields_[column.index]; }
  /// A number in [lowest, highest].
  float number(const Column& column, float lowest, float highest) const;
  /// An integer in [0, bound).
  std::int32_t index(const Column& column, std::int64_t bound) const;

  /// Throws Error(kData): "file:line: column 3 (rating): found 'x', expected <expected>".
  [[noreturn]] void fail_field(const Column& column, std::string_view expected) const;
  /// Throws Error(kData): "file:line: <problem>".
  template <typename... Parts>
  [[noreturn]] void fail_line(const Parts&... problem) const {
    fail(ErrorKind::kData, file_, ":", line_, ": ", problem...);
  }
  const std::string& file() const { return file_; }

 private:
  void split(char* begin, char* end);
  char* split_quoted(char* at, char* end);

  std::string file_;
  std::string separator_;
  std::string layout_;
  std::size_t field_count_;
  std::string content_;
  std::size_t at_ = 0;  ///< where the next line begins in content_
  std::int64_t line_ = 0;
  std::vector<std::string_view> fields_;
};

}  // namespace tapestry::recsys
