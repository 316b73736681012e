#include "tests/recsys/data/data_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace tapestry::recsys::tests {

std::string read_file(const std::filesystem::path& file) {
  std::ostringstream content;
  content << std::ifstream(file, std::ios::binary).rdbuf();
  return content.str();
}

std::string error_of(ErrorKind kind, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.kind(), kind) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

std::optional<std::filesystem::path> real_data(const std::string& dataset, const std::vector<std::string>& files) {
  const char* folder = std::getenv("TAPESTRY_DATA");
  if (folder == nullptr) return std::nullopt;
  const std::filesystem::path path = folder;
  const bool all = std::all_of(files.begin(), files.end(),
                               [&](const std::string& file) { return std::filesystem::exists(path / dataset / file); });
  return all ? std::optional(path) : std::nullopt;
}

std::string listing(const CsrMatrix& matrix) {
  std::ostringstream text;
  std::size_t at = 0;
  for (std::int64_t row = 0; row < matrix.rows(); ++row) {
    for (const std::int32_t column : matrix.row(row)) {
      const float value = matrix.has_values() ? matrix.values().span<float>()[at] : 1.0f;
      text << (at++ > 0 ? " " : "") << row << ":" << column << "=" << value;
    }
  }
  return text.str();
}

void expect_same_content(const Dataset& actual, const Dataset& expected) {
  EXPECT_EQ(actual.stored.rows(), expected.stored.rows());
  EXPECT_EQ(actual.stored.cols(), expected.stored.cols());
  // Not EXPECT_EQ: on failure it would print megabytes.
  EXPECT_TRUE(listing(actual.stored) == listing(expected.stored)) << "the matrices differ";
  EXPECT_TRUE(actual.parts == expected.parts) << "the splits differ";
  EXPECT_TRUE(listing(actual.holdout) == listing(expected.holdout)) << "the hold-outs differ";
  EXPECT_TRUE(listing(actual.holdout_likes) == listing(expected.holdout_likes)) << "the hold-outs of likes differ";
  EXPECT_EQ(actual.sha256, expected.sha256);
}

}  // namespace tapestry::recsys::tests
