#include "recsys/data/ratings.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "recsys/data/field_reader.h"

namespace tapestry::recsys {
namespace {

bool is_integer(std::string_view id) {
  if (id.starts_with('-')) id.remove_prefix(1);
  return !id.empty() && std::all_of(id.begin(), id.end(), [](char digit) { return digit >= '0' && digit <= '9'; });
}

/// Compares integers of any length: hashed ids do not fit 64 bits.
bool numerically_less(std::string_view a, std::string_view b) {
  const bool a_negative = a.starts_with('-');
  const bool b_negative = b.starts_with('-');
  if (a_negative != b_negative) return a_negative;
  if (a_negative) std::swap(a, b);
  const auto magnitude = [](std::string_view id) { return id.substr(std::min(id.find_first_not_of("-0"), id.size())); };
  const std::string_view x = magnitude(a);
  const std::string_view y = magnitude(b);
  if (x.size() != y.size()) return x.size() < y.size();
  return x != y ? x < y : a < b;
}

/// Gives ids numbers in the order they come, and at the end their places in ascending order.
class IdTable {
 public:
  std::int32_t number_of(std::string_view id) {
    // Files are mostly sorted by user: the id of the line before is the likeliest.
    if (last_ >= 0 && ids_[static_cast<std::size_t>(last_)] == id) return last_;
    last_ = numbers_.try_emplace(id, static_cast<std::int32_t>(ids_.size())).first->second;
    if (static_cast<std::size_t>(last_) == ids_.size()) ids_.push_back(id);
    return last_;
  }

  /// Replaces numbers by places in the sorted list of ids, which is returned.
  std::vector<std::string> sort(std::vector<std::int32_t>& numbers) const {
    std::vector<std::int32_t> order(ids_.size());
    std::iota(order.begin(), order.end(), 0);
    const auto id = [&](std::int32_t number) { return ids_[static_cast<std::size_t>(number)]; };
    if (std::all_of(ids_.begin(), ids_.end(), is_integer)) {
      std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return numerically_less(id(a), id(b)); });
    } else {
      std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return id(a) < id(b); });
    }
    std::vector<std::string> sorted;
    std::vector<std::int32_t> place(ids_.size());
    for (const std::int32_t number : order) {
      place[static_cast<std::size_t>(number)] = static_cast<std::int32_t>(sorted.size());
      sorted.emplace_back(id(number));
    }
    for (std::int32_t& number : numbers) number = place[static_cast<std::size_t>(number)];
    return sorted;
  }

 private:
  std::unordered_map<std::string_view, std::int32_t> numbers_;
  std::vector<std::string_view> ids_;
  std::int32_t last_ = -1;
};

struct Layout {
  FieldReader reader;
  std::vector<Column> columns;  ///< user, item, rating
};

Layout open_ratings(const std::filesystem::path& file, const RatingsOptions& options) {
  const std::vector<Column> fixed = {{0, "user"}, {1, "item"}, {2, "rating"}};
  if (file.extension() == ".data") return {FieldReader(file, "\t", "'user<TAB>item<TAB>rating<TAB>time'", 4), fixed};
  if (file.extension() == ".dat") return {FieldReader(file, "::", "'user::item::rating::time'", 4), fixed};
  const std::vector<std::string> names = {options.user_column, options.item_column, options.rating_column};
  FieldReader reader(file, ",", "'" + names[0] + "," + names[1] + "," + names[2] + "'");
  std::vector<Column> columns = reader.read_header(names);
  return {std::move(reader), std::move(columns)};
}

}  // namespace

Ratings read_ratings(const std::filesystem::path& file, const RatingsOptions& options) {
  Layout layout = open_ratings(file, options);
  FieldReader& reader = layout.reader;
  Ratings ratings;
  ratings.file = reader.file();
  IdTable users;
  IdTable items;
  const auto number_of = [&](IdTable& table, const Column& column) {
    const std::string_view id = reader.text(column);
    if (options.integer_ids && !is_integer(id)) reader.fail_field(column, "an integer id");
    if (id.empty()) reader.fail_field(column, "an id");
    return table.number_of(id);
  };
  while (reader.next()) {
    ratings.users.push_back(number_of(users, layout.columns[0]));
    ratings.items.push_back(number_of(items, layout.columns[1]));
    ratings.values.push_back(reader.number(layout.columns[2], options.lowest, options.highest));
  }
  if (ratings.values.empty()) reader.fail_line("no ratings below the header");
  ratings.user_ids = users.sort(ratings.users);
  ratings.item_ids = items.sort(ratings.items);
  return ratings;
}

}  // namespace tapestry::recsys
