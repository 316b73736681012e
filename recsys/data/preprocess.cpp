#include "recsys/data/preprocess.h"

#include <algorithm>

#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

struct Entry {
  std::int32_t item;
  float value;  ///< 1 liked, 0 disliked
};

using Rows = std::vector<std::vector<Entry>>;

/// The ratings by user, each user's items ascending and each only once, with the last line's rating. Returns how many lines a
/// later one replaced.
std::int64_t group_by_user(const Ratings& ratings, float like_above, Rows& rows) {
  rows.resize(ratings.user_ids.size());
  for (std::size_t n = 0; n < ratings.values.size(); ++n) {
    rows[static_cast<std::size_t>(ratings.users[n])].push_back({ratings.items[n], ratings.values[n] > like_above ? 1.0f : 0.0f});
  }
  std::int64_t repeated = 0;
  for (std::vector<Entry>& row : rows) {
    std::stable_sort(row.begin(), row.end(), [](const Entry& a, const Entry& b) { return a.item < b.item; });
    std::size_t kept = 0;
    for (std::size_t at = 0; at < row.size(); ++at) {
      const bool last_line = at + 1 == row.size() || row[at + 1].item != row[at].item;
      if (last_line) row[kept++] = row[at];
    }
    repeated += static_cast<std::int64_t>(row.size() - kept);
    row.resize(kept);
  }
  return repeated;
}

std::vector<bool> at_least(const std::vector<std::int64_t>& counts, std::int64_t least) {
  std::vector<bool> kept(counts.size());
  std::transform(counts.begin(), counts.end(), kept.begin(), [&](std::int64_t count) { return count >= least; });
  return kept;
}

}  // namespace

Preprocessed preprocess(const Ratings& ratings, const PreprocessOptions& options) {
  Preprocessed result;
  Rows rows;
  result.repeated = group_by_user(ratings, options.like_above, rows);

  std::vector<std::int64_t> user_likes(ratings.user_ids.size());
  std::vector<std::int64_t> item_likes(ratings.item_ids.size());
  for (std::size_t user = 0; user < rows.size(); ++user) {
    for (const Entry& entry : rows[user]) {
      user_likes[user] += entry.value > 0;
      item_likes[static_cast<std::size_t>(entry.item)] += entry.value > 0;
    }
  }
  const std::vector<bool> user_kept = at_least(user_likes, options.min_likes);
  const std::vector<bool> item_kept = at_least(item_likes, options.min_likes);

  std::vector<bool> item_used(item_kept.size());
  for (std::size_t user = 0; user < rows.size(); ++user) {
    if (!user_kept[user]) {
      rows[user].clear();
      continue;
    }
    std::erase_if(rows[user], [&](const Entry& entry) { return !item_kept[static_cast<std::size_t>(entry.item)]; });
    result.emptied_users += rows[user].empty();
    for (const Entry& entry : rows[user]) item_used[static_cast<std::size_t>(entry.item)] = true;
  }

  std::vector<std::int32_t> item_index(item_used.size());
  for (std::size_t item = 0; item < item_used.size(); ++item) {
    item_index[item] = static_cast<std::int32_t>(result.item_ids.size());
    if (item_used[item]) result.item_ids.push_back(ratings.item_ids[item]);
  }
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (std::size_t user = 0; user < rows.size(); ++user) {
    if (rows[user].empty()) continue;
    for (const Entry& entry : rows[user]) {
      columns.push_back(item_index[static_cast<std::size_t>(entry.item)]);
      values.push_back(entry.value);
    }
    offsets.push_back(static_cast<std::int64_t>(columns.size()));
    result.user_ids.push_back(ratings.user_ids[user]);
  }
  if (result.user_ids.empty()) {
    fail(ErrorKind::kData, ratings.file, ": no user is left of ", rows.size(), ": kept are users and items with at least ",
         options.min_likes, " ratings above ", options.like_above, ", and there are too few of them");
  }
  result.stored = CsrMatrix::from(static_cast<std::int64_t>(result.user_ids.size()),
                                  static_cast<std::int64_t>(result.item_ids.size()), offsets, columns, values);
  return result;
}

}  // namespace tapestry::recsys
