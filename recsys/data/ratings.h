#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tapestry::recsys {

/// Raw ratings as a file holds them, n of them in file order, their ids replaced by positions in sorted tables.
struct Ratings {
  std::string file;                   ///< where they come from, for messages
  std::vector<std::int32_t> users;    ///< [n] positions in user_ids
  std::vector<std::int32_t> items;    ///< [n] positions in item_ids
  std::vector<float> values;          ///< [n] ratings
  std::vector<std::string> user_ids;  ///< raw ids, ascending: by number when all of them are integers, else by bytes
  std::vector<std::string> item_ids;
};

/// What a ratings file looks like beyond its separator. The defaults are MovieLens's.
struct RatingsOptions {
  std::string user_column = "userId";  ///< header names, used for CSV only
  std::string item_column = "movieId";
  std::string rating_column = "rating";
  bool integer_ids = true;  ///< refuse an id that is no integer; false for CSV files with text ids
  float lowest = 0;         ///< a rating outside [lowest, highest] is refused
  float highest = 5;
};

/// Reads `*.data` (user TAB item TAB rating TAB time, as MovieLens-100k's u.data), `*.dat` (user::item::rating::time, as
/// MovieLens-1M's ratings.dat) or, under any other name, CSV with a header. Times and further CSV columns are not looked at.
/// Ids are texts: "1" and "01" are two ids. Throws Error(kData) naming file, line and column of the first mistake.
Ratings read_ratings(const std::filesystem::path& file, const RatingsOptions& options = {});

}  // namespace tapestry::recsys
