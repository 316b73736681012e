#include "recsys/data/preprocess.h"

#include <gtest/gtest.h>

#include "recsys/data/split.h"
#include "tests/recsys/data/data_support.h"
#include "tests/support/misuse.h"

namespace tapestry::recsys {
namespace {

using Ids = std::vector<std::string>;
using tests::error_of;
using tests::listing;
using tests::TempFolder;

Ratings ratings_of(const std::string& lines) {
  const TempFolder folder;
  return read_ratings(folder.write("ratings.csv", "userId,movieId,rating\n" + lines));
}

PreprocessOptions at_least(std::int64_t likes) {
  PreprocessOptions options;
  options.min_likes = likes;
  return options;
}

// Likes: user 1: items 5, 6; user 2: 5, 6; user 3: 5; user 10: 7, 8. Items 5: three, 6: two, 7 and 8: one each.
constexpr const char* kLines =
    "10,7,5\n10,8,4\n10,5,1\n"
    "2,6,4\n2,5,3.5\n2,7,2\n"
    "1,5,5\n1,6,4\n"
    "3,5,4\n3,6,3\n";

TEST(Preprocess, KeepsUsersAndItemsWithEnoughLikesOnRawCounts) {
  const Preprocessed result = preprocess(ratings_of(kLines), at_least(2));
  // User 3 has one like; items 7 and 8 have one. User 10 keeps its two likes as counted on the raw data, and of its entries only
  // the dislike of item 5 is left: an explicit zero.
  EXPECT_EQ(result.user_ids, (Ids{"1", "2", "10"}));
  EXPECT_EQ(result.item_ids, (Ids{"5", "6"}));
  EXPECT_EQ(listing(result.stored), "0:0=1 0:1=1 1:0=1 1:1=1 2:0=0");
  EXPECT_EQ(result.repeated, 0);
  EXPECT_EQ(result.emptied_users, 0);
}

TEST(Preprocess, ARatingOfThreeIsADislike) {
  EXPECT_EQ(listing(preprocess(ratings_of("1,1,3\n1,2,3.5\n2,1,4\n2,2,3\n"), at_least(1)).stored), "0:0=0 0:1=1 1:0=1 1:1=0");
}

TEST(Preprocess, TheLastOfSeveralRatingsCounts) {
  const Preprocessed result = preprocess(ratings_of("1,1,5\n1,2,1\n2,1,4\n2,2,4\n1,2,5\n2,2,4\n1,1,2\n"), at_least(1));
  EXPECT_EQ(listing(result.stored), "0:0=0 0:1=1 1:0=1 1:1=1");
  EXPECT_EQ(result.repeated, 3);
  // A rating that was replaced is not counted as a like either: item 1 has none left but user 2's.
  EXPECT_EQ(preprocess(ratings_of("1,1,5\n1,2,1\n2,1,4\n2,2,4\n1,2,5\n2,2,4\n1,1,2\n"), at_least(2)).item_ids, (Ids{"2"}));
}

TEST(Preprocess, DropsAUserLeftWithNoItem) {
  // User 3 has two likes, of items that nobody else likes.
  const Preprocessed result = preprocess(ratings_of("1,1,5\n1,2,5\n2,1,5\n2,2,5\n3,8,5\n3,9,5\n"), at_least(2));
  EXPECT_EQ(result.user_ids, (Ids{"1", "2"}));
  EXPECT_EQ(result.item_ids, (Ids{"1", "2"}));
  EXPECT_EQ(result.emptied_users, 1);
}

TEST(Preprocess, DropsAnItemLeftWithNoUser) {
  // Item 9 has two likes, of users with one like each; user 3's three likes keep items 1 and 2 company.
  const Preprocessed result = preprocess(ratings_of("1,1,5\n1,2,5\n3,1,5\n3,2,5\n7,9,5\n8,9,5\n"), at_least(2));
  EXPECT_EQ(result.item_ids, (Ids{"1", "2"}));
  EXPECT_EQ(result.stored.cols(), 2);
}

TEST(Preprocess, DropsAUserWithoutLikesAndAnItemNeverLiked) {
  const Preprocessed result = preprocess(ratings_of("1,1,5\n1,2,1\n2,1,1\n2,2,1\n"), at_least(1));
  EXPECT_EQ(result.user_ids, (Ids{"1"}));
  EXPECT_EQ(result.item_ids, (Ids{"1"}));
}

TEST(Preprocess, SaysWhenNobodyIsLeft) {
  const std::string text = error_of(ErrorKind::kData, [] { preprocess(ratings_of(kLines)); });
  EXPECT_NE(text.find("ratings.csv: no user is left of 4"), std::string::npos) << text;
  EXPECT_NE(text.find("at least 5 ratings above 3"), std::string::npos) << text;
}

TEST(Split, HasTheSizesOfTheFourDataSets) {
  const auto expect_sizes = [](std::int64_t users, std::int64_t train, std::int64_t test, std::int64_t valid) {
    const GroupSizes sizes = group_sizes(users);
    EXPECT_EQ(sizes.train, train);
    EXPECT_EQ(sizes.test, test);
    EXPECT_EQ(sizes.valid, valid);
  };
  expect_sizes(1344, 940, 268, 136);
  expect_sizes(10621, 7434, 2124, 1063);
  expect_sizes(938, 656, 187, 95);
  expect_sizes(6034, 4223, 1206, 605);
  expect_sizes(10, 7, 2, 1);
  expect_sizes(1, 0, 0, 1);
}

TEST(Split, IsContiguous) {
  const std::vector<Part> parts = contiguous_parts(11);
  for (std::size_t user = 0; user < 11; ++user) {
    EXPECT_EQ(parts[user], user < 7 ? Part::kTrain : user < 9 ? Part::kTest : Part::kValid) << user;
  }
}

TEST(Split, DrawsFromRowsTheFrontOfAShuffleOfEach) {
  const CsrMatrix rows = CsrMatrix::from_rows(9, {{1, 3, 5, 8}, {0, 2, 4}, {}, {6, 7}});
  std::vector<std::uint32_t> bounds;
  const auto lowest = [&](std::uint32_t bound) {  // place n - 1 with place 0, for n = 4, 3, 2: 0 1 2 3 becomes 1 2 3 0
    bounds.push_back(bound);
    return 0U;
  };
  const std::vector<std::int64_t> counts = {3, 0, 0, 1};
  const auto count_of = [&](std::int64_t row) { return counts[static_cast<std::size_t>(row)]; };
  const CsrMatrix drawn = draw_from_rows(rows, count_of, lowest);
  EXPECT_EQ(listing(drawn), listing(CsrMatrix::from_rows(9, {{3, 5, 8}, {}, {}, {7}})));
  EXPECT_EQ(bounds, (std::vector<std::uint32_t>{4, 3, 2, 2})) << "a row of which nothing is wanted draws nothing";
}

TEST(Split, DrawsNoMoreFromARowThanItHas) {
  const CsrMatrix rows = CsrMatrix::from_rows(9, {{1, 3}, {0}});
  const auto draw = [&](std::int64_t count) {
    return draw_from_rows(
        rows, [&](std::int64_t row) { return row == 1 ? count : 0; }, [](std::uint32_t) { return 0U; });
  };
  EXPECT_EQ(listing(draw(1)), listing(CsrMatrix::from_rows(9, {{}, {0}})));
  tapestry::tests::expect_misuse([&] { draw(2); }, {"draw_from_rows", "2 entries of row 1", "has 1"});
  tapestry::tests::expect_misuse([&] { draw(-1); }, {"draw_from_rows", "-1 entries"});
}

// The first ceil(0.2 n) positions after numpy.random.seed(123) and one numpy.random.shuffle(numpy.arange(n)) per user with
// n = 10, 1, 2, 7, 25, 64, as NumPy 2.4.6 gives them.
TEST(Holdout, IsTheOneNumPyDraws) {
  const std::vector<std::int64_t> counts = {10, 1, 2, 7, 25, 64};
  const std::vector<std::vector<std::int32_t>> drawn = {
      {0, 4}, {0}, {0}, {3, 4}, {5, 6, 9, 10, 12}, {2, 4, 8, 23, 29, 37, 44, 45, 47, 48, 49, 50, 52}};
  std::vector<std::vector<std::int32_t>> rows;
  std::vector<std::vector<std::int32_t>> expected;
  std::vector<Part> parts;
  for (std::size_t user = 0; user < counts.size(); ++user) {
    // Between the valid users stands one of train, who must not draw. Columns are 2 n + 1, so that positions and columns differ.
    rows.push_back({1, 3});
    expected.emplace_back();
    parts.push_back(Part::kTrain);
    rows.emplace_back();
    for (std::int32_t n = 0; n < counts[user]; ++n) rows.back().push_back(2 * n + 1);
    expected.emplace_back();
    for (const std::int32_t n : drawn[user]) expected.back().push_back(2 * n + 1);
    parts.push_back(Part::kValid);
  }
  const CsrMatrix holdout = published_holdout(CsrMatrix::from_rows(130, rows), parts);
  EXPECT_EQ(listing(holdout), listing(CsrMatrix::from_rows(130, expected)));
}

TEST(Holdout, TakesAFifthRoundedUp) {
  EXPECT_EQ(heldout_count(0), 0);
  EXPECT_EQ(heldout_count(1), 1);
  EXPECT_EQ(heldout_count(5), 1);
  EXPECT_EQ(heldout_count(6), 2);
  EXPECT_EQ(heldout_count(100), 20);
}

}  // namespace
}  // namespace tapestry::recsys
