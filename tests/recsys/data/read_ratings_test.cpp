#include <gtest/gtest.h>

#include <sstream>

#include "recsys/data/ratings.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::recsys {
namespace {

using tests::error_of;
using tests::TempFolder;

/// "user/item/rating" for every line, raw ids put back.
std::string listing(const Ratings& ratings) {
  std::ostringstream text;
  for (std::size_t n = 0; n < ratings.values.size(); ++n) {
    text << (n > 0 ? " " : "") << ratings.user_ids[static_cast<std::size_t>(ratings.users[n])] << "/"
         << ratings.item_ids[static_cast<std::size_t>(ratings.items[n])] << "/" << ratings.values[n];
  }
  return text.str();
}

std::string read(const std::string& name, std::string_view content, const RatingsOptions& options = {}) {
  const TempFolder folder;
  return listing(read_ratings(folder.write(name, content), options));
}

std::string refusal(const std::string& name, std::string_view content, const RatingsOptions& options = {}) {
  const TempFolder folder;
  const std::filesystem::path file = folder.write(name, content);
  const std::string text = error_of(ErrorKind::kData, [&] { read_ratings(file, options); });
  EXPECT_NE(text.find(file.string()), std::string::npos) << text;
  return text;
}

void expect_contains(const std::string& text, const std::string& part) { EXPECT_NE(text.find(part), std::string::npos) << text; }

TEST(ReadRatings, ReadsTheThreeFormats) {
  EXPECT_EQ(read("u.data", "196\t242\t3\t881250949\n22\t377\t1\t878887116\n"), "196/242/3 22/377/1");
  EXPECT_EQ(read("ratings.dat", "1::1193::5::978300760\n2::661::3::978302109\n"), "1/1193/5 2/661/3");
  EXPECT_EQ(read("ratings.csv", "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n7,1029,0.5,1260759179\n"),
            "1/31/2.5 7/1029/0.5");
  EXPECT_EQ(read("u.data", "1\t2\t0\t0\n1\t3\t5\t0\n"), "1/2/0 1/3/5") << "both ends of the range";
}

TEST(ReadRatings, FindsColumnsByNameInAnyOrder) {
  EXPECT_EQ(read("ratings.csv", "rating,userId,x,movieId\n4,1,?,2\n"), "1/2/4");
  RatingsOptions options;
  options.user_column = "reviewer";
  options.item_column = "product";
  options.rating_column = "stars";
  options.integer_ids = false;
  EXPECT_EQ(read("mine.csv", "product,reviewer,stars\nB01,anna,5\n\"B,\"\"02\",bob,1\n", options), "anna/B01/5 bob/B,\"02/1");
}

TEST(ReadRatings, AcceptsForeignLineEnds) {
  const std::string expected = "1/2/3 4/5/1";
  EXPECT_EQ(read("ratings.csv", "userId,movieId,rating\r\n1,2,3\r\n4,5,1\r\n"), expected);
  EXPECT_EQ(read("ratings.csv", "\xEF\xBB\xBFuserId,movieId,rating\n1,2,3\n4,5,1\n"), expected);
  EXPECT_EQ(read("ratings.csv", "userId,movieId,rating\n1,2,3\n4,5,1"), expected) << "no last newline";
  EXPECT_EQ(read("ratings.csv", "userId,movieId,rating\n1,2,3\n4,5,1\n\n\r\n"), expected) << "empty lines at the end";
  EXPECT_EQ(read("u.data",
                 "\xEF\xBB\xBF"
                 "1\t2\t3\t0\r\n4\t5\t1\t0"),
            expected);
}

TEST(ReadRatings, SortsIdsByNumberOrElseByText) {
  const TempFolder folder;
  const auto ids = [&](std::string_view content, bool integers) {
    RatingsOptions options;
    options.integer_ids = integers;
    return read_ratings(folder.write("ratings.csv", content), options).user_ids;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(ids("userId,movieId,rating\n10,1,3\n9,1,3\n-3,1,3\n-20,1,3\n", true), (Ids{"-20", "-3", "9", "10"}));
  EXPECT_EQ(ids("userId,movieId,rating\n99999999999999999999999,1,3\n18446744073709551615,1,3\n7,1,3\n", true),
            (Ids{"7", "18446744073709551615", "99999999999999999999999"}));
  EXPECT_EQ(ids("userId,movieId,rating\n10,1,3\n9,1,3\nx,1,3\n", false), (Ids{"10", "9", "x"}));
}

TEST(ReadRatings, NamesTheFileThatIsMissingOrEmpty) {
  const TempFolder folder;
  expect_contains(error_of(ErrorKind::kData, [&] { read_ratings(folder.path() / "u.data"); }), "u.data: no such file");
  expect_contains(error_of(ErrorKind::kData, [&] { read_ratings(folder.path()); }), "not a regular file");
  std::filesystem::create_symlink("not mounted", folder.path() / "ratings.dat");
  expect_contains(error_of(ErrorKind::kData, [&] { read_ratings(folder.path() / "ratings.dat"); }),
                  "ratings.dat: a link to not mounted, which cannot be followed: ");
  expect_contains(refusal("u.data", ""), "the file is empty, expected lines like 'user<TAB>item<TAB>rating<TAB>time'");
  expect_contains(refusal("u.data", "\xEF\xBB\xBF\r\n\n"), "the file is empty");
  expect_contains(refusal("ratings.csv", "userId,movieId,rating\n"), "ratings.csv:1: no ratings below the header");
}

TEST(ReadRatings, NamesTheColumnThatIsMissing) {
  expect_contains(refusal("ratings.csv", "userId,film,rating\n1,2,3\n"),
                  "ratings.csv:1: no column movieId in the header 'userId,film,rating'");
}

TEST(ReadRatings, NamesTheColumnThatComesTwice) {
  expect_contains(refusal("ratings.csv", "userId,movieId,rating,rating\n1,2,3,5\n"),
                  "ratings.csv:1: column rating comes twice in the header, as column 3 and column 4, expected it once");
  EXPECT_EQ(read("ratings.csv", "userId,movieId,x,rating,x\n1,2,?,3,?\n"), "1/2/3") << "nobody looks at the others";
}

TEST(ReadRatings, NamesLineAndColumnOfABadField) {
  expect_contains(refusal("u.data", "1\t2\t3\t0\n1\t3\tx\t0\n"),
                  "u.data:2: column 3 (rating): found 'x', expected a number from 0 to 5");
  expect_contains(refusal("u.data", "1\t2\t3\t0\n1\t3\t7\t0\n"), "u.data:2: column 3 (rating): found '7'");
  expect_contains(refusal("u.data", "1\t2\t-1\t0\n"), "found '-1'");
  expect_contains(refusal("u.data", "1\t2\tnan\t0\n"), "found 'nan'");
  expect_contains(refusal("u.data", "1\t2\t3.5stars\t0\n"), "found '3.5stars'");
  expect_contains(refusal("u.data", "1\t2\t\t0\n"), "found ''");
  expect_contains(refusal("ratings.dat", "1::x::3::0\n"), "ratings.dat:1: column 2 (item): found 'x', expected an integer id");
  expect_contains(refusal("ratings.csv", "rating,userId,movieId\n3,one,2\n"), "ratings.csv:2: column 2 (userId): found 'one'");
  RatingsOptions texts;
  texts.integer_ids = false;
  expect_contains(refusal("ratings.csv", "userId,movieId,rating\n,2,3\n", texts), "column 1 (userId): found '', expected an id");
}

TEST(ReadRatings, NamesTheLineWithTooFewOrTooManyFields) {
  expect_contains(refusal("u.data", "1\t2\t3\t0\n1\t3\t3\n"), "u.data:2: found 3 fields in '1?3?3', expected 4 like");
  expect_contains(refusal("u.data", "1,2,3,0\n"), "u.data:1: found 1 field ");
  expect_contains(refusal("ratings.csv", "userId,movieId,rating\n1,2,3,4\n"), "ratings.csv:2: found 4 fields");
  expect_contains(refusal("u.data", "1\t2\t3\t0\n\n1\t3\t3\t0\n"), "u.data:2: an empty line");
}

TEST(ReadRatings, RefusesAQuoteThatDoesNotEnd) {
  for (const char* line : {"\"1,2,3", "\"1\"x,2,3", "1,2,\"3\"\""}) {
    expect_contains(refusal("ratings.csv", concat("userId,movieId,rating\n", line, "\n")), "ratings.csv:2: column");
  }
  EXPECT_EQ(read("ratings.csv", "\"userId\",\"movieId\",\"rating\"\n\"1\",\"2\",\"3\"\n"), "1/2/3");
}

TEST(ReadRatings, PrintsOnlyAPieceOfABinaryField) {
  const std::string text = refusal("u.data", "1\t2\t" + std::string(100000, 'y') + "\x1b\t0\n");
  EXPECT_LT(text.size(), 300u);
  expect_contains(refusal("u.data", "1\t2\t\x1b[31m\t0\n"), "found '?[31m'");
}

}  // namespace
}  // namespace tapestry::recsys
