#include "recsys/data/prepared.h"

#include <algorithm>
#include <limits>
#include <span>

#include "recsys/data/field_reader.h"
#include "recsys/data/split.h"
#include "tensor/atomic_file.h"

namespace tapestry::recsys {
namespace {

constexpr std::array<const char*, 3> kPartNames = {"train", "test", "valid"};
constexpr std::int64_t kMostItems = std::numeric_limits<std::int32_t>::max();

/// A CSV file whose header has the columns named.
struct Table {
  Table(const std::filesystem::path& file, const std::vector<std::string>& names, const std::string& layout)
      : reader(file, ",", layout), columns(reader.read_header(names)) {}

  FieldReader reader;
  std::vector<Column> columns;
};

std::vector<Part> read_parts(const std::filesystem::path& file) {
  Table table(file, {"user", "part"}, "'user,part'");
  std::vector<Part> parts;
  while (table.reader.next()) {
    const auto expected = static_cast<std::int64_t>(parts.size());
    if (table.reader.index(table.columns[0], kMostItems) != expected) {
      table.reader.fail_field(table.columns[0], concat("user ", expected, ": each user is listed once, in order from 0"));
    }
    const auto* const part = std::find(kPartNames.begin(), kPartNames.end(), table.reader.text(table.columns[1]));
    if (part == kPartNames.end()) table.reader.fail_field(table.columns[1], "train, test or valid");
    parts.push_back(static_cast<Part>(part - kPartNames.begin()));
  }
  if (parts.empty()) table.reader.fail_line("no users below the header");
  return parts;
}

struct Entry {
  std::int32_t item;
  std::int32_t line;  ///< in the file, for messages
  float liked;
};

/// Sorts each user's entries by item. Throws when an item comes twice.
void sort_entries(const std::string& file, std::vector<std::vector<Entry>>& rows) {
  for (std::size_t user = 0; user < rows.size(); ++user) {
    std::stable_sort(rows[user].begin(), rows[user].end(), [](const Entry& a, const Entry& b) { return a.item < b.item; });
    for (std::size_t at = 1; at < rows[user].size(); ++at) {
      const Entry& first = rows[user][at - 1];
      const Entry& second = rows[user][at];
      if (first.item != second.item) continue;
      fail(ErrorKind::kData, file, ":", second.line, ": user ", user, " and item ", second.item, " were given on line ",
           first.line, " already, expected each pair once");
    }
  }
}

/// The number of items, all of which have an entry.
std::int64_t count_items(const std::string& file, const std::vector<std::vector<Entry>>& rows, std::int64_t entries) {
  std::int64_t count = 0;
  for (const std::vector<Entry>& row : rows) {
    if (row.back().item >= entries) {
      fail(ErrorKind::kData, file, ":", row.back().line, ": item index ", row.back().item, " in a file of ", entries,
           " entries, expected indices without gaps from 0");
    }
    count = std::max<std::int64_t>(count, row.back().item + 1);
  }
  std::vector<bool> used(static_cast<std::size_t>(count));
  for (const std::vector<Entry>& row : rows) {
    for (const Entry& entry : row) used[static_cast<std::size_t>(entry.item)] = true;
  }
  const auto gap = std::find(used.begin(), used.end(), false);
  if (gap != used.end()) {
    fail(ErrorKind::kData, file, ": item ", gap - used.begin(), " has no entry but item ", count - 1,
         " has, expected indices without gaps from 0");
  }
  return count;
}

CsrMatrix read_interactions(const std::filesystem::path& file, std::int64_t users) {
  Table table(file, {"user", "item", "liked"}, "'user,item,liked'");
  std::vector<std::vector<Entry>> rows(static_cast<std::size_t>(users));
  std::int32_t entries = 0;
  while (table.reader.next()) {
    const std::int32_t user = table.reader.index(table.columns[0], users);
    const std::int32_t item = table.reader.index(table.columns[1], kMostItems);
    const std::string_view liked = table.reader.text(table.columns[2]);
    if (liked != "0" && liked != "1") table.reader.fail_field(table.columns[2], "0 (disliked) or 1 (liked)");
    ++entries;
    rows[static_cast<std::size_t>(user)].push_back({item, entries + 1, liked == "1" ? 1.0f : 0.0f});
  }
  if (entries == 0) table.reader.fail_line("no interactions below the header");
  const auto empty = std::find_if(rows.begin(), rows.end(), [](const std::vector<Entry>& row) { return row.empty(); });
  if (empty != rows.end()) {
    fail(ErrorKind::kData, table.reader.file(), ": user ", empty - rows.begin(),
         " of split.csv is left with no item, expected an entry for each user");
  }
  sort_entries(table.reader.file(), rows);
  const std::int64_t items = count_items(table.reader.file(), rows, entries);

  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (const std::vector<Entry>& row : rows) {
    for (const Entry& entry : row) {
      columns.push_back(entry.item);
      values.push_back(entry.liked);
    }
    offsets.push_back(static_cast<std::int64_t>(columns.size()));
  }
  return CsrMatrix::from(users, items, offsets, columns, values);
}

/// Throws where a hold-out is the published one but for a single user, who lacks some of it: what a file looks like that was cut
/// short among a user's lines. A hold-out drawn otherwise may be of any size, which nobody can tell from a cut. That somebody
/// agrees in two entries or more keeps hold-outs of one entry each out of this, which agree where users are short.
void refuse_cut(const std::string& file, const CsrMatrix& holdout, const CsrMatrix& published) {
  std::int64_t differing = 0, cut = 0;
  bool agreed = false;
  for (std::int64_t user = 0; user < holdout.rows(); ++user) {
    const std::span<const std::int32_t> here = holdout.row(user), whole = published.row(user);
    if (std::equal(here.begin(), here.end(), whole.begin(), whole.end())) {
      agreed = agreed || whole.size() >= 2;
      continue;
    }
    ++differing;
    cut = user;
  }
  if (!agreed || differing != 1) return;
  const std::span<const std::int32_t> here = holdout.row(cut), whole = published.row(cut);
  if (!std::includes(whole.begin(), whole.end(), here.begin(), here.end())) return;
  fail(ErrorKind::kData, file, ": only ", here.size(), " of the ", whole.size(), " entries held out for user ", cut,
       ", and all of everybody else's: the file was cut short");
}

/// A hold-out: pairs of `allowed` whose users are valid.
CsrMatrix read_holdout(const std::filesystem::path& file, const CsrMatrix& allowed, const std::vector<Part>& parts,
                       const char* allowed_in_words) {
  Table table(file, {"user", "item"}, "'user,item'");
  std::vector<std::vector<std::int32_t>> rows(parts.size());
  while (table.reader.next()) {
    const std::int32_t user = table.reader.index(table.columns[0], allowed.rows());
    const std::int32_t item = table.reader.index(table.columns[1], allowed.cols());
    const auto at = static_cast<std::size_t>(user);
    if (parts[at] != Part::kValid) {
      table.reader.fail_field(table.columns[0],
                              concat("a valid user; split.csv calls this one ", kPartNames[static_cast<std::size_t>(parts[at])]));
    }
    const std::span<const std::int32_t> row = allowed.row(user);
    if (!std::binary_search(row.begin(), row.end(), item)) {
      table.reader.fail_field(table.columns[1], concat(allowed_in_words, " of user ", user, " in interactions.csv"));
    }
    if (std::find(rows[at].begin(), rows[at].end(), item) != rows[at].end()) {
      table.reader.fail_field(table.columns[1], concat("an item not yet held out for user ", user, ": each pair once"));
    }
    rows[at].push_back(item);
  }
  for (std::size_t user = 0; user < rows.size(); ++user) {
    const std::size_t all = allowed.row(static_cast<std::int64_t>(user)).size();
    // A file that was cut short must not pass for one with fewer users to report.
    if (parts[user] == Part::kValid && rows[user].empty() && all > 0) {
      fail(ErrorKind::kData, table.reader.file(), ": nothing of valid user ", user, " is held out, expected ", allowed_in_words,
           " at least");
    }
    // Who has one entry alone loses it, as in the published hold-out; of any other something is left to recommend from.
    if (all >= 2 && rows[user].size() == all) {
      fail(ErrorKind::kData, table.reader.file(), ": all ", all, " entries of user ", user, " are held out, expected ",
           allowed_in_words, " at least that is not");
    }
  }
  CsrMatrix holdout = CsrMatrix::from_rows(allowed.cols(), rows);
  refuse_cut(table.reader.file(), holdout, published_holdout(allowed, parts));
  return holdout;
}

/// Raw ids by index from `<key>_ids.csv`, or the indices themselves when there is no such file.
std::vector<std::string> read_ids(const std::filesystem::path& folder, const std::string& key, std::int64_t count) {
  std::vector<std::string> ids;
  const std::filesystem::path file = folder / (key + "_ids.csv");
  if (!is_listed(file)) {
    for (std::int64_t index = 0; index < count; ++index) ids.push_back(std::to_string(index));
    return ids;
  }
  Table table(file, {key, "id"}, "'" + key + ",id'");
  while (table.reader.next()) {
    const auto expected = static_cast<std::int64_t>(ids.size());
    if (table.reader.index(table.columns[0], count) != expected) {
      table.reader.fail_field(table.columns[0], concat(key, " ", expected, ": each is listed once, in order from 0"));
    }
    ids.emplace_back(table.reader.text(table.columns[1]));
  }
  if (static_cast<std::int64_t>(ids.size()) != count) {
    fail(ErrorKind::kData, table.reader.file(), ": ", ids.size(), " ids, expected ", count);
  }
  return ids;
}

std::string quoted(const std::string& id) {
  if (id.find_first_of(",\"") == std::string::npos) return id;
  std::string text = "\"";
  for (const char character : id) text.append(character == '"' ? 2 : 1, character);
  return text + "\"";
}

std::string ids_csv(const std::string& key, const std::vector<std::string>& ids) {
  std::string text = key + ",id\n";
  for (std::size_t index = 0; index < ids.size(); ++index) text += std::to_string(index) + "," + quoted(ids[index]) + "\n";
  return text;
}

/// One line per stored entry: user, item and, when the matrix has values, liked.
std::string pairs_csv(const CsrMatrix& matrix) {
  std::string text = matrix.has_values() ? "user,item,liked\n" : "user,item\n";
  std::size_t at = 0;
  for (std::int64_t user = 0; user < matrix.rows(); ++user) {
    for (const std::int32_t item : matrix.row(user)) {
      text += std::to_string(user) + "," + std::to_string(item);
      if (matrix.has_values()) text += matrix.values().span<float>()[at++] != 0 ? ",1" : ",0";
      text += '\n';
    }
  }
  return text;
}

}  // namespace

bool is_prepared(const std::filesystem::path& folder) {
  return std::all_of(kPreparedFiles.begin(), kPreparedFiles.end(), [&](const char* file) { return is_listed(folder / file); });
}

Dataset read_prepared(const std::filesystem::path& folder, const std::string& name) {
  Dataset dataset;
  dataset.name = name;
  dataset.source = "prepared interactions.csv, split.csv, holdout.csv, holdout_neumf.csv";
  dataset.parts = read_parts(folder / "split.csv");
  dataset.stored = read_interactions(folder / "interactions.csv", static_cast<std::int64_t>(dataset.parts.size()));
  dataset.holdout = read_holdout(folder / "holdout.csv", pattern(dataset.stored), dataset.parts, "an item");
  dataset.holdout_likes = read_holdout(folder / "holdout_neumf.csv", likes(dataset.stored), dataset.parts, "a liked item");
  dataset.user_ids = read_ids(folder, "user", dataset.stored.rows());
  dataset.item_ids = read_ids(folder, "item", dataset.stored.cols());
  dataset.sha256 = dataset_digest(dataset);
  return dataset;
}

void write_dataset(const Dataset& dataset, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ErrorKind::kData, folder.string(), ": cannot be made: ", error.message());
  std::filesystem::remove(folder / "interactions.csv", error);
  if (error) fail(ErrorKind::kData, folder.string(), ": cannot be written to: ", error.message());

  std::string split = "user,part\n";
  for (std::size_t user = 0; user < dataset.parts.size(); ++user) {
    split += std::to_string(user) + "," + kPartNames[static_cast<std::size_t>(dataset.parts[user])] + "\n";
  }
  write_file_atomically(folder / "user_ids.csv", ids_csv("user", dataset.user_ids));
  write_file_atomically(folder / "item_ids.csv", ids_csv("item", dataset.item_ids));
  write_file_atomically(folder / "split.csv", split);
  write_file_atomically(folder / "holdout.csv", pairs_csv(dataset.holdout));
  write_file_atomically(folder / "holdout_neumf.csv", pairs_csv(dataset.holdout_likes));
  write_file_atomically(folder / "interactions.csv", pairs_csv(dataset.stored));
}

}  // namespace tapestry::recsys
