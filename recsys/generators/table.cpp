#include "recsys/generators/table.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include "tensor/error.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

constexpr std::array<int, 3> kValues = {-1, 0, 1};
/// Cells of drawn users that wait to be looked at: 64 MiB.
constexpr std::int64_t kWaiting = 1 << 24;

/// The values of one column, one place for each of kValues.
struct ValueCounts {
  std::array<std::int32_t, 3> count = {};
  std::array<std::int32_t, 3> first_row = {};
};

bool contains(std::span<const std::int32_t> sorted, std::int32_t item) {
  return std::binary_search(sorted.begin(), sorted.end(), item);
}

std::span<const std::int32_t> row_of(const CsrMatrix& matrix, std::int64_t row) {
  return matrix.offsets().defined() ? matrix.row(row) : std::span<const std::int32_t>();
}

void check_rows(const Interactions& rows) {
  const bool dislikes = rows.dislikes.offsets().defined();
  check(rows.likes.rows() > 0 && rows.likes.cols() > 0, "TableEncoding: a table of ", rows.likes.rows(), " rows and ",
        rows.likes.cols(), " items");
  check(!dislikes || (rows.dislikes.rows() == rows.likes.rows() && rows.dislikes.cols() == rows.likes.cols()),
        "TableEncoding: likes [", rows.likes.rows(), ", ", rows.likes.cols(), "] and dislikes [", rows.dislikes.rows(), ", ",
        rows.dislikes.cols(), "]");
}

/// How often and from which row on each value occurs in every item's column.
std::vector<ValueCounts> count_values(const Interactions& rows, TableKind kind) {
  const auto n = static_cast<std::int32_t>(rows.likes.rows());
  std::vector<ValueCounts> all(static_cast<std::size_t>(rows.likes.cols()));
  std::vector<std::int32_t> rated(all.size(), 0);  // rows before the first unrated one, while they follow each other
  const auto add = [&](std::int32_t item, std::size_t place, std::int32_t row) {
    ValueCounts& column = all[static_cast<std::size_t>(item)];
    if (column.count[place]++ == 0) column.first_row[place] = row;
    if (rated[static_cast<std::size_t>(item)] == row) ++rated[static_cast<std::size_t>(item)];
  };
  for (std::int32_t row = 0; row < n; ++row) {
    for (const std::int32_t item : rows.likes.row(row)) add(item, 2, row);
    if (kind == TableKind::kBinary) continue;
    for (const std::int32_t item : row_of(rows.dislikes, row)) {
      check(!contains(rows.likes.row(row), item), "TableEncoding: row ", row, " both likes and dislikes item ", item);
      add(item, 0, row);
    }
  }
  for (std::size_t item = 0; item < all.size(); ++item) {
    all[item].count[1] = n - all[item].count[0] - all[item].count[2];
    all[item].first_row[1] = rated[item];
  }
  return all;
}

Tensor as_tensor(const std::vector<std::int32_t>& values) {
  return Tensor::from<std::int32_t>(values, {static_cast<std::int64_t>(values.size())});
}

std::vector<std::int32_t> as_vector(const Tensor& tensor) {
  const std::span<const std::int32_t> values = tensor.span<std::int32_t>();
  return {values.begin(), values.end()};
}

}  // namespace

TableEncoding::TableEncoding(const Interactions& rows, TableKind kind) : rows_(rows.likes.rows()) {
  check_rows(rows);
  const std::vector<ValueCounts> columns = count_values(rows, kind);
  // Places of kValues that occur in each column, the commonest first, of equally common ones the earliest.
  std::vector<std::vector<std::size_t>> places(columns.size());
  for (std::size_t item = 0; item < columns.size(); ++item) {
    const ValueCounts& column = columns[item];
    for (std::size_t place = 0; place < kValues.size(); ++place) {
      if (column.count[place] > 0) places[item].push_back(place);
    }
    std::sort(places[item].begin(), places[item].end(), [&](std::size_t a, std::size_t b) {
      return column.count[a] != column.count[b] ? column.count[a] > column.count[b] : column.first_row[a] < column.first_row[b];
    });
  }
  items_.resize(columns.size());
  std::iota(items_.begin(), items_.end(), 0);
  const auto many = [&](std::int32_t item) { return places[static_cast<std::size_t>(item)].size(); };
  std::stable_sort(items_.begin(), items_.end(), [&](std::int32_t a, std::int32_t b) { return many(a) > many(b); });
  const auto with = [&](std::size_t least) {
    return std::count_if(items_.begin(), items_.end(), [&](std::int32_t item) { return many(item) >= least; });
  };
  planes_ = {static_cast<std::int64_t>(items_.size()), with(2), with(3)};

  for (std::size_t k = 0; k < 3; ++k) {  // plane by plane
    for (const std::int32_t item : items_) {
      const std::vector<std::size_t>& own = places[static_cast<std::size_t>(item)];
      if (own.size() <= k) break;
      const ValueCounts& column = columns[static_cast<std::size_t>(item)];
      values_.push_back(kValues[own[k]]);
      counts_.push_back(column.count[own[k]]);
      const auto earlier = [&](std::size_t place) { return column.first_row[place] < column.first_row[own[k]]; };
      appearance_.push_back(static_cast<std::int32_t>(std::count_if(own.begin(), own.end(), earlier)));
    }
  }
  index_columns();
}

void TableEncoding::index_columns() {
  columns_.resize(items_.size());
  for (std::size_t column = 0; column < items_.size(); ++column) {
    columns_[static_cast<std::size_t>(items_[column])] = static_cast<std::int64_t>(column);
    if (values_[column] != 0 && category_count(static_cast<std::int64_t>(column)) > 1) {
      unlisted_.push_back(static_cast<std::int64_t>(column));
    }
  }
}

TableEncoding::Parts TableEncoding::parts() const {
  const auto width = [](std::int64_t columns) { return static_cast<std::int32_t>(columns); };
  return {as_tensor({width(planes_.columns), width(planes_.two), width(planes_.three)}), as_tensor(items_), as_tensor(values_),
          as_tensor(appearance_), as_tensor(counts_)};
}

TableEncoding TableEncoding::from_parts(const Parts& parts, const std::string& path) {
  const auto expect = [&](bool legal, const char* what) {
    if (!legal) fail(ErrorKind::kData, path, ": ", what);
  };
  const std::vector<std::int32_t> widths = as_vector(parts.widths);
  expect(widths.size() == 3 && widths[0] > 0 && widths[2] >= 0 && widths[2] <= widths[1] && widths[1] <= widths[0],
         "the widths of the table's planes are none");
  TableEncoding table;
  table.planes_ = {widths[0], widths[1], widths[2]};
  table.items_ = as_vector(parts.items);
  table.values_ = as_vector(parts.values);
  table.appearance_ = as_vector(parts.appearance);
  table.counts_ = as_vector(parts.counts);
  const auto categories = static_cast<std::size_t>(table.planes_.categories());
  expect(table.items_.size() == static_cast<std::size_t>(widths[0]) && table.values_.size() == categories &&
             table.appearance_.size() == categories && table.counts_.size() == categories,
         "the parts of the table do not fit together");
  std::vector<std::int32_t> sorted = table.items_;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    expect(sorted[i] == static_cast<std::int32_t>(i), "the columns of the table are not its items");
  }
  for (std::int64_t column = 0; column < table.items(); ++column) {
    std::int64_t rows = 0;
    for (std::int64_t k = 0; k < table.category_count(column); ++k) {
      expect(table.count(column, k) > 0 && std::abs(table.value(column, k)) <= 1 &&
                 table.category_of(column, table.value(column, k)) == k && table.appearance(column, k) >= 0 &&
                 table.appearance(column, k) < table.category_count(column),
             "a category of the table is none");
      for (std::int64_t other = 0; other < k; ++other) {
        expect(table.appearance(column, other) != table.appearance(column, k), "two categories of a column appeared at once");
      }
      rows += table.count(column, k);
    }
    if (column == 0) table.rows_ = rows;
    expect(rows == table.rows_, "the columns of the table differ in their number of rows");
  }
  table.index_columns();
  return table;
}

std::int64_t TableEncoding::category_of(std::int64_t column, int wanted) const {
  for (std::int64_t k = 0; k < category_count(column); ++k) {
    if (value(column, k) == wanted) return k;
  }
  return -1;
}

std::int64_t TableEncoding::category_at(std::int64_t column, std::int64_t place) const {
  std::int64_t k = 0;
  while (appearance(column, k) != place) ++k;
  return k;
}

CsrMatrix TableEncoding::encode(const Interactions& rows) const {
  check_rows(rows);
  check(rows.likes.cols() == items(), "TableEncoding::encode: rows of ", rows.likes.cols(), " items in a table of ", items());
  const bool has_dislikes = std::find(values_.begin(), values_.end(), -1) != values_.end();
  std::vector<std::vector<std::int32_t>> marks(static_cast<std::size_t>(rows.likes.rows()));
  for (std::int64_t row = 0; row < rows.likes.rows(); ++row) {
    const auto add = [&](std::int64_t j, int wanted) {
      const std::int64_t k = category_of(j, wanted);
      check(k >= 0, "TableEncoding::encode: row ", row, " has value ", wanted, " at item ", item(j),
            ", which the fit has not seen there");
      if (k > 0) marks[static_cast<std::size_t>(row)].push_back(static_cast<std::int32_t>(mark(j, k)));
    };
    const std::span<const std::int32_t> likes = rows.likes.row(row);
    const std::span<const std::int32_t> dislikes = has_dislikes ? row_of(rows.dislikes, row) : std::span<const std::int32_t>();
    for (const std::int32_t item : likes) add(column(item), 1);
    for (const std::int32_t item : dislikes) add(column(item), -1);
    for (const std::int64_t j : unlisted_) {
      if (!contains(likes, item(j)) && !contains(dislikes, item(j))) add(j, 0);
    }
  }
  return CsrMatrix::from_rows(planes_.differences(), marks);
}

CategoryTable TableEncoding::meaning(Device device) const {
  return {as_tensor(values_).to(device), as_tensor(appearance_).to(device), as_tensor(items_).to(device)};
}

DrawnUsers::DrawnUsers(const TableEncoding& table, std::int64_t rows, Device device)
    : table_(table),
      meaning_(table.meaning(device)),
      room_(std::max<std::int64_t>(1, std::min(rows, kWaiting / table.items()))) {}

void DrawnUsers::add(const Tensor& values) {
  check(values.cols() == table_.items(), "DrawnUsers::add: values ", values.shape(), " for ", table_.items(), " items");
  if (!waiting_.defined()) waiting_ = Tensor::empty({room_, table_.items()}, values.dtype(), values.device());
  for (std::int64_t begin = 0; begin < values.rows();) {
    if (used_ == room_) collect();
    const std::int64_t count = std::min(values.rows() - begin, room_ - used_);
    copy_into(waiting_.slice_rows(used_, used_ + count), values.slice_rows(begin, begin + count));
    used_ += count;
    begin += count;
  }
}

void DrawnUsers::collect() {
  if (used_ == 0) return;
  const Tensor values = waiting_.slice_rows(0, std::exchange(used_, 0));
  if (first_not_finite(values) != values.numel()) {
    fail(ErrorKind::kFit, "a score of a drawn user is no finite number: the model that gave it has diverged");
  }
  constexpr double kMark = 0.5;  // values are 1, -1 and 0
  likes_.push_back(ones_at_least(values, 1, kMark).to(Device::kCpu));
  dislikes_.push_back(ones_at_least(values, -1, kMark).to(Device::kCpu));
}

Interactions DrawnUsers::take(bool dislikes) {
  collect();
  const std::int64_t rows = std::accumulate(likes_.begin(), likes_.end(), std::int64_t{0},
                                            [](std::int64_t sum, const CsrMatrix& part) { return sum + part.rows(); });
  const CsrMatrix none = no_entries(rows, table_.items());
  return {likes_.empty() ? none : concat_rows(likes_), dislikes && !likes_.empty() ? concat_rows(dislikes_) : none};
}

CsrMatrix draw_dislikes(const CsrMatrix& likes, std::uint64_t seed) {
  RandomSequence random({seed, Purpose::kNegatives, 0});
  std::vector<std::vector<std::int32_t>> rows(static_cast<std::size_t>(likes.rows()));
  std::vector<std::int32_t> others;
  for (std::int64_t row = 0; row < likes.rows(); ++row) {
    others.clear();
    for (std::int32_t item = 0; item < likes.cols(); ++item) {
      if (!contains(likes.row(row), item)) others.push_back(item);
    }
    const std::size_t count = std::min(others.size(), likes.row(row).size());
    for (std::size_t n = 0; n < count; ++n) {  // the front of a shuffle
      std::swap(others[n], others[n + random.below(static_cast<std::uint32_t>(others.size() - n))]);
    }
    std::vector<std::int32_t>& drawn = rows[static_cast<std::size_t>(row)];
    drawn.assign(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(count));
    std::sort(drawn.begin(), drawn.end());
  }
  return CsrMatrix::from_rows(likes.cols(), rows);
}

}  // namespace tapestry::recsys
