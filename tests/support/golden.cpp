#include "tests/support/golden.h"

#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <string_view>

#include "tests/support/compare.h"

namespace tapestry::tests {
namespace {

/// Hands out the lines that are not comments and the words of each, remembering where it is for the error messages.
class Lines {
 public:
  explicit Lines(const std::string& path) : path_(path), file_(path) {
    if (!file_) fail(ErrorKind::kData, path, ": cannot be opened; expected a golden file (tests/golden/README.md)");
  }

  bool next_line() {
    while (std::getline(file_, line_)) {
      ++number_;
      position_ = 0;
      if (line_.empty() || line_[0] != '#') return true;
    }
    if (file_.bad()) fail(ErrorKind::kData, path_, ": reading failed after line ", number_);
    return false;
  }

  /// The next word of the line, or an empty view at its end.
  std::string_view next_word() {
    begin_ = std::min(line_.find_first_not_of(' ', position_), line_.size());
    position_ = std::min(line_.find(' ', begin_), line_.size());
    return std::string_view(line_).substr(begin_, position_ - begin_);
  }

  /// The next word as a T; `expected` says what should have stood there.
  template <typename T>
  T next_number(std::string_view expected) {
    const std::string_view word = next_word();
    T value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    const bool finite = std::isfinite(static_cast<double>(value));
    if (word.empty() || error != std::errc() || end != word.data() + word.size() || !finite) refuse(expected);
    return value;
  }

  void expect_end() {
    if (!next_word().empty()) refuse("the end of the line");
  }

  [[noreturn]] void refuse(std::string_view expected) const {
    const std::string found =
        begin_ < line_.size() ? "'" + line_.substr(begin_, position_ - begin_) + "'" : "the end of the line";
    fail(ErrorKind::kData, path_, ":", number_, ":", begin_ + 1, ": expected ", expected, ", found ", found);
  }

  [[noreturn]] void refuse_end_of_file(const std::string& name, std::int64_t row, std::int64_t rows) const {
    fail(ErrorKind::kData, path_, ": ends after line ", number_, "; expected row ", row + 1, " of ", rows, " of tensor ", name);
  }

 private:
  std::string path_;
  std::ifstream file_;
  std::string line_;
  std::size_t begin_ = 0;
  std::size_t position_ = 0;
  std::int64_t number_ = 0;
};

Shape read_shape(Lines& lines) {
  const auto rank = lines.next_number<int>("a rank from 0 to 4");
  if (rank < 0 || rank > Shape::kMaxRank) lines.refuse("a rank from 0 to 4");
  // Far above any golden file, and small enough for the number of elements to stay an int64.
  constexpr std::int64_t kMaxSize = 10'000;
  std::int64_t sizes[Shape::kMaxRank] = {};
  for (int dim = 0; dim < rank; ++dim) {
    sizes[dim] = lines.next_number<std::int64_t>("a dimension");
    if (sizes[dim] < 1 || sizes[dim] > kMaxSize) lines.refuse("a dimension from 1 to 10000");
  }
  lines.expect_end();
  switch (rank) {
    case 0:
      return {};
    case 1:
      return {sizes[0]};
    case 2:
      return {sizes[0], sizes[1]};
    case 3:
      return {sizes[0], sizes[1], sizes[2]};
    default:
      return {sizes[0], sizes[1], sizes[2], sizes[3]};
  }
}

std::vector<double> read_rows(Lines& lines, const std::string& name, const Shape& shape) {
  std::vector<double> values;
  const std::string expected = concat(shape.cols(), " finite numbers in each row of tensor ", name);
  for (std::int64_t row = 0; row < shape.rows(); ++row) {
    if (!lines.next_line()) lines.refuse_end_of_file(name, row, shape.rows());
    for (std::int64_t col = 0; col < shape.cols(); ++col) values.push_back(lines.next_number<double>(expected));
    lines.expect_end();
  }
  return values;
}

/// `value` as a T; false if T cannot hold it exactly and T is an integer type. Floats are rounded.
template <typename T>
bool convert(double value, T& converted) {
  if constexpr (std::numeric_limits<T>::is_integer) {
    // 2^53: beyond it a double no longer tells neighbouring integers apart.
    constexpr double kLimit = sizeof(T) == 4 ? 2147483647.0 : 9007199254740992.0;
    if (!(std::abs(value) <= kLimit) || value != std::floor(value)) return false;
  }
  converted = static_cast<T>(value);
  return true;
}

template <typename T>
Tensor make_tensor(const std::string& path, const std::string& name, const std::vector<double>& values, const Shape& shape) {
  std::vector<T> converted(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    check(convert(values[i], converted[i]), path, ": element ", i, " of ", name, " is ", values[i], ", not of type ",
          kDTypeOf<T>);
  }
  return Tensor::from<T>(std::span<const T>(converted), shape);
}

}  // namespace

Golden::Golden(const std::string& path) : path_(path) {
  Lines lines(path);
  while (lines.next_line()) {
    if (lines.next_word() != "tensor") lines.refuse("'tensor NAME RANK SIZES...'");
    const std::string name(lines.next_word());
    if (name.empty()) lines.refuse("a tensor's name");
    if (has(name)) lines.refuse("a name that has not been used before");
    const Shape shape = read_shape(lines);
    entries_[name] = {shape, read_rows(lines, name, shape)};
  }
  if (entries_.empty()) fail(ErrorKind::kData, path, ": holds no tensor");
}

const Golden::Entry& Golden::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    std::string known;
    for (const auto& [other, entry] : entries_) known += (known.empty() ? "" : ", ") + other;
    fail(ErrorKind::kMisuse, path_, ": no tensor is named '", name, "'; there are ", known);
  }
  return found->second;
}

Tensor Golden::tensor(const std::string& name, DType dtype) const {
  const Entry& found = entry(name);
  switch (dtype) {
    case DType::kFloat32:
      return make_tensor<float>(path_, name, found.values, found.shape);
    case DType::kFloat64:
      return make_tensor<double>(path_, name, found.values, found.shape);
    case DType::kInt32:
      return make_tensor<std::int32_t>(path_, name, found.values, found.shape);
    case DType::kInt64:
      return make_tensor<std::int64_t>(path_, name, found.values, found.shape);
  }
  fail(ErrorKind::kMisuse, path_, ": unknown element type asked of ", name);
}

double Golden::scalar(const std::string& name) const {
  const Entry& found = entry(name);
  check(found.values.size() == 1, path_, ": ", name, " has shape ", found.shape, ", not one element");
  return found.values[0];
}

std::vector<std::string> Golden::names_under(const std::string& prefix) const {
  std::vector<std::string> names;
  for (auto it = entries_.lower_bound(prefix); it != entries_.end() && it->first.starts_with(prefix); ++it) {
    names.push_back(it->first.substr(prefix.size()));
  }
  return names;
}

Golden golden_file(const std::string& name) { return Golden(std::string(TAPESTRY_SOURCE_DIR) + "/tests/golden/" + name); }

double golden_tolerance(DType dtype) { return dtype == DType::kFloat64 ? 1e-10 : 1e-5; }

::testing::AssertionResult matches_golden(const Golden& golden, const std::string& name, const Tensor& ours) {
  const Tensor expected = golden.tensor(name);
  if (!ours.defined()) return ::testing::AssertionFailure() << name << " is undefined";
  if (ours.numel() != expected.numel()) {
    return ::testing::AssertionFailure() << name << " has shape " << ours.shape() << ", recorded " << expected.shape();
  }
  const double error = relative_error(ours, expected);
  if (!(error <= golden_tolerance(ours.dtype()))) {
    return ::testing::AssertionFailure() << name << " (" << ours.dtype() << ") is off by " << error << " of its norm";
  }
  return ::testing::AssertionSuccess();
}

CsrMatrix rows_of(const Tensor& dense) {
  std::vector<std::vector<std::int32_t>> rows(static_cast<std::size_t>(dense.rows()));
  for (std::int64_t i = 0; i < dense.numel(); ++i) {
    if (dense.data<double>()[i] != 0) {
      rows[static_cast<std::size_t>(i / dense.cols())].push_back(static_cast<std::int32_t>(i % dense.cols()));
    }
  }
  return CsrMatrix::from_rows(dense.cols(), rows);
}

}  // namespace tapestry::tests
