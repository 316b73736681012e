#include "recsys/data/protocol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "recsys/data/load_dataset.h"
#include "recsys/data/prepared.h"
#include "recsys/data/simulated.h"
#include "recsys/data/split.h"
#include "tensor/random.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::recsys {
namespace {

using tests::error_of;
using tests::listing;
using tests::real_data;

/// Rows of (item, liked) as a data set.
Dataset dataset_of(const std::vector<std::vector<std::pair<std::int32_t, float>>>& rows, std::int64_t items) {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (const auto& row : rows) {
    for (const auto& [item, liked] : row) {
      columns.push_back(item);
      values.push_back(liked);
    }
    offsets.push_back(static_cast<std::int64_t>(columns.size()));
  }
  Dataset dataset;
  dataset.name = "mine";
  dataset.stored = CsrMatrix::from(static_cast<std::int64_t>(rows.size()), items, offsets, columns, values);
  complete_dataset(dataset);
  return dataset;
}

/// `users` users who like items 0..3 and dislike 4, 5 of six items; user 0 likes nothing.
Dataset small_dataset(std::int64_t users) {
  std::vector<std::vector<std::pair<std::int32_t, float>>> rows;
  for (std::int64_t user = 0; user < users; ++user) {
    const float liked = user == 0 ? 0.0f : 1.0f;
    rows.push_back({{0, liked}, {1, liked}, {2, liked}, {3, liked}, {4, 0}, {5, 0}});
  }
  return dataset_of(rows, 6);
}

/// Checks that input and held-out items of each row are disjoint and make up `whole`, with ceil(0.2 n) held out.
void expect_split_of(const HeldOut& split, const CsrMatrix& whole) {
  ASSERT_EQ(split.input.rows(), whole.rows());
  ASSERT_EQ(split.heldout.rows(), whole.rows());
  for (std::int64_t row = 0; row < whole.rows(); ++row) {
    std::vector<std::int32_t> both;
    const auto input = split.input.row(row);
    const auto heldout = split.heldout.row(row);
    std::merge(input.begin(), input.end(), heldout.begin(), heldout.end(), std::back_inserter(both));
    ASSERT_TRUE(std::ranges::equal(both, whole.row(row))) << "row " << row;
    ASSERT_EQ(static_cast<std::int64_t>(heldout.size()), heldout_count(whole.row_nnz(row))) << "row " << row;
  }
}

TEST(Protocol, IsFoundByName) {
  EXPECT_EQ(parse_protocol("published"), ProtocolName::kPublished);
  EXPECT_EQ(parse_protocol("strict"), ProtocolName::kStrict);
  EXPECT_STREQ(to_string(ProtocolName::kPublished), "published");
  EXPECT_STREQ(to_string(ProtocolName::kStrict), "strict");
  const std::string text = error_of(ErrorKind::kUsage, [] { parse_protocol("loose"); });
  EXPECT_NE(text.find("'loose', there are: published, strict"), std::string::npos) << text;
}

TEST(PublishedProtocol, TrainsOnLikesAndReportsAllEntries) {
  const Dataset dataset = small_dataset(10);  // seven train, two test, one valid
  const ProtocolData data = make_protocol(dataset, ProtocolName::kPublished, 5);
  EXPECT_EQ(data.name, ProtocolName::kPublished);
  EXPECT_EQ(data.train.rows(), 9);
  EXPECT_EQ(data.train.cols(), 6);
  EXPECT_FALSE(data.train.has_values());
  EXPECT_EQ(data.train.row_nnz(0), 0) << "user 0 likes nothing";
  EXPECT_EQ(listing(data.train.slice_rows(8, 9)), "0:0=1 0:1=1 0:2=1 0:3=1");
  EXPECT_EQ(listing(data.train_dislikes.slice_rows(8, 9)), "0:4=1 0:5=1");
  EXPECT_EQ(data.train_dislikes.row_nnz(0), 6);
  EXPECT_EQ(listing(data.train_known.likes), listing(data.train));
  EXPECT_EQ(listing(data.train_known.dislikes), listing(data.train_dislikes));
  EXPECT_EQ(data.synthetic_rows, 9);
  EXPECT_EQ(data.density, 1.0) << "explicit zeros count";
  EXPECT_EQ(data.evaluation_users, (std::vector<std::int32_t>{9}));
  EXPECT_EQ(data.left_out_users, 0);
  expect_split_of(data.evaluation, pattern(dataset.stored).slice_rows(9, 10));
  EXPECT_EQ(listing(data.evaluation.heldout), listing(dataset.holdout.slice_rows(9, 10)));
  EXPECT_EQ(listing(data.generator), listing(concat_rows(std::vector{data.train, data.evaluation.input})));
}

TEST(PublishedProtocol, FollowsThePartsWhereverTheyStand) {
  Dataset dataset = small_dataset(10);
  std::swap(dataset.parts[2], dataset.parts[9]);
  dataset.holdout = published_holdout(dataset.stored, dataset.parts);
  const ProtocolData data = make_protocol(dataset, ProtocolName::kPublished, 5);
  EXPECT_EQ(data.evaluation_users, (std::vector<std::int32_t>{2}));
  EXPECT_EQ(data.train.rows(), 9);
}

TEST(PublishedProtocol, SelectionIsANewSplitEveryEpochWithoutTinyUsers) {
  const Dataset simulated = simulate_dataset();
  const ProtocolData data = make_protocol(simulated, ProtocolName::kPublished, 5);
  const CsrMatrix whole = pattern(simulated.stored).gather_rows(data.evaluation_users);
  std::set<std::string> seen;
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (const std::uint64_t seed : {1, 2}) {
      const HeldOut split = data.selection(seed, epoch);
      expect_split_of(split, whole);
      seen.insert(listing(split.heldout));
      EXPECT_EQ(listing(data.selection(seed, epoch).heldout), listing(split.heldout)) << "the same again";
    }
  }
  EXPECT_EQ(seen.size(), 6u);
  EXPECT_FALSE(seen.contains(listing(data.evaluation.heldout)));

  // Of 30 users three are valid, the first of them with one entry: reported, but not asked for selection.
  std::vector<std::vector<std::pair<std::int32_t, float>>> rows(30, {{0, 1}, {1, 1}, {2, 0}});
  rows[27] = {{1, 0}};
  const ProtocolData tiny = make_protocol(dataset_of(rows, 3), ProtocolName::kPublished, 5);
  EXPECT_EQ(tiny.evaluation.input.rows(), 3);
  EXPECT_EQ(tiny.evaluation.input.row_nnz(0), 0);
  EXPECT_EQ(tiny.evaluation.heldout.row_nnz(0), 1);
  EXPECT_EQ(tiny.selection(1, 0).input.rows(), 2);
}

TEST(PublishedProtocol, SelectionDrawsEveryEntryAlikeOften) {
  const ProtocolData data = make_protocol(small_dataset(10), ProtocolName::kPublished, 5);
  std::vector<int> drawn(6);
  constexpr int kEpochs = 6000;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const HeldOut split = data.selection(3, epoch);
    for (const std::int32_t item : split.heldout.row(0)) ++drawn[static_cast<std::size_t>(item)];
  }
  // Two of six each time: 2000 expected, standard deviation 37.
  for (const int count : drawn) EXPECT_NEAR(count, kEpochs / 3, 185);
}

TEST(StrictProtocol, DrawsDisjointGroupsAndUsesLikesOnly) {
  const Dataset dataset = simulate_dataset();
  const ProtocolData data = make_protocol(dataset, ProtocolName::kStrict, 5);
  const GroupSizes sizes = group_sizes(dataset.stored.rows());
  const CsrMatrix liked = likes(dataset.stored);
  EXPECT_EQ(data.name, ProtocolName::kStrict);
  EXPECT_EQ(data.train.rows(), sizes.train);
  EXPECT_EQ(data.synthetic_rows, sizes.train);
  EXPECT_EQ(data.left_out_users + static_cast<std::int64_t>(data.evaluation_users.size()), sizes.valid);
  EXPECT_EQ(listing(data.generator), listing(data.train));
  EXPECT_EQ(data.density, static_cast<double>(data.train.nnz()) / static_cast<double>(data.train.rows() * data.train.cols()));
  expect_split_of(data.evaluation, liked.gather_rows(data.evaluation_users));

  // Every user's likes are found in exactly one group, since with this many items no two users like the same ones.
  const HeldOut selection = data.selection(1, 1);
  std::multiset<std::vector<std::int32_t>> groups;
  const auto add = [&](std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
    std::vector<std::int32_t> row;
    std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(row));
    groups.insert(row);
  };
  for (std::int64_t row = 0; row < data.train.rows(); ++row) add(data.train.row(row), {});
  for (std::int64_t row = 0; row < selection.input.rows(); ++row) add(selection.input.row(row), selection.heldout.row(row));
  for (std::int64_t row = 0; row < data.evaluation.input.rows(); ++row)
    add(data.evaluation.input.row(row), data.evaluation.heldout.row(row));
  std::multiset<std::vector<std::int32_t>> users;
  for (std::int64_t user = 0; user < liked.rows(); ++user) users.insert({liked.row(user).begin(), liked.row(user).end()});
  EXPECT_EQ(data.left_out_users, 0);
  EXPECT_TRUE(groups == users);
}

TEST(StrictProtocol, SelectionIsOneSplitAndTheSeedDrawsTheGroups) {
  const Dataset dataset = simulate_dataset();
  const ProtocolData data = make_protocol(dataset, ProtocolName::kStrict, 5);
  EXPECT_EQ(listing(data.selection(1, 0).heldout), listing(data.selection(2, 9).heldout));
  const ProtocolData again = make_protocol(dataset, ProtocolName::kStrict, 5);
  EXPECT_EQ(again.evaluation_users, data.evaluation_users);
  EXPECT_EQ(listing(again.evaluation.heldout), listing(data.evaluation.heldout));
  EXPECT_NE(make_protocol(dataset, ProtocolName::kStrict, 6).evaluation_users, data.evaluation_users);
}

/// Users who are all alike: with 20 likes and 21 dislikes.
Dataset alike_dataset() {
  std::vector<std::pair<std::int32_t, float>> row;
  for (std::int32_t item = 0; item < 41; ++item) row.emplace_back(item, item < 20 ? 1.0f : 0.0f);
  return dataset_of(std::vector(60, row), 41);
}

TEST(StrictProtocol, EveryDrawHasAStreamOfItsOwn) {
  // Of users who are all alike the same stream draws the same entries.
  const Dataset dataset = alike_dataset();
  std::set<std::string> heldout, dislikes;
  for (int fold = 0; fold < 3; ++fold) {
    const ProtocolData data = make_protocol(dataset, ProtocolName::kStrict, 5, {fold, 3});
    for (const LikesView* view : {&data.evaluation_likes, &data.selection_likes}) {
      heldout.insert(listing(view->likes.heldout.slice_rows(0, 5)));
      dislikes.insert(listing(view->dislikes.slice_rows(0, 5)));
    }
  }
  EXPECT_EQ(heldout.size(), 6U) << "of three folds, each with users to report and users to select on";
  EXPECT_EQ(dislikes.size(), 6U);
}

/// Places [begin, end) of 0..n-1 in the order that a stream draws, ascending.
std::vector<std::int32_t> drawn(std::int64_t n, std::ptrdiff_t begin, std::ptrdiff_t end, const RandomStream& stream) {
  RandomSequence random(stream);
  const std::vector<std::int32_t> order = shuffled(n, [&](std::uint32_t bound) { return random.below(bound); });
  std::vector<std::int32_t> some(order.begin() + begin, order.begin() + end);
  std::sort(some.begin(), some.end());
  return some;
}

/// Whether the first user's row holds what the stream draws first: `count` of `n` entries from item `first` on.
void expect_drawn(const CsrMatrix& rows, std::int32_t first, std::int64_t n, std::ptrdiff_t count, const RandomStream& stream) {
  std::vector<std::int32_t> items = drawn(n, 0, count, stream);
  for (std::int32_t& item : items) item += first;
  EXPECT_TRUE(std::ranges::equal(rows.row(0), items)) << "step " << stream.step;
}

TEST(PublishedProtocol, HalvesOfDislikesHaveStreamsBehindTheGroups) {
  const Dataset dataset = alike_dataset();
  const ProtocolData data = make_protocol(dataset, ProtocolName::kPublished, 5, {}, {Deviation::kSelectionLeak});
  // Step 0 draws the strict protocol's groups.
  expect_drawn(data.evaluation_likes.dislikes, 20, 21, 11, {5, Purpose::kSplit, 1});
  expect_drawn(data.selection_likes.dislikes, 20, 21, 11, {5, Purpose::kSplit, 2});
}

TEST(PublishedProtocol, SelectionIsDrawnFromTheFitsSeedAndItsEpoch) {
  const Dataset dataset = alike_dataset();
  const ProtocolData data = make_protocol(dataset, ProtocolName::kPublished, 5);
  expect_drawn(data.selection(7, 3).heldout, 0, 41, 9, {7, Purpose::kHoldout, 3});
  const ProtocolData apart = make_protocol(dataset, ProtocolName::kPublished, 5, {}, {Deviation::kSelectionLeak});
  expect_drawn(apart.selection(7, 3).heldout, 0, 20, 4, {5, Purpose::kHoldout, 0});
}

TEST(PublishedProtocol, WithoutItsLeakATestUserWithOneLikeIsLearntFromAndDoesNotChoose) {
  // Of 20 users 14 are train and four test, one of whom has one like.
  std::vector<std::vector<std::pair<std::int32_t, float>>> rows(20, {{0, 1}, {1, 1}, {2, 0}});
  rows[15] = {{0, 0}, {1, 1}};
  const ProtocolData data = make_protocol(dataset_of(rows, 3), ProtocolName::kPublished, 5, {}, {Deviation::kSelectionLeak});
  EXPECT_EQ(data.selection(1, 0).input.rows(), 3);
  ASSERT_EQ(data.train_known.likes.rows(), 15);
  EXPECT_EQ(listing(data.train_known.likes.slice_rows(14, 15)), "0:1=1");
  EXPECT_EQ(listing(data.train_known.dislikes.slice_rows(14, 15)), "0:0=1");
  EXPECT_EQ(listing(data.generator.slice_rows(15, 16)), "0:1=1") << "nothing of his is held out";
  for (std::size_t user = 14; user < 18; ++user) rows[user] = rows[15];
  const std::string text = error_of(ErrorKind::kData, [&] {
    make_protocol(dataset_of(rows, 3), ProtocolName::kPublished, 5, {}, {Deviation::kSelectionLeak});
  });
  EXPECT_NE(text.find("no test user with two likes among its 20 users"), std::string::npos) << text;
}

TEST(StrictProtocol, GroupsAndHoldOutsComeFromTheStreamsOfTheExperimentsSeed) {
  const Dataset dataset = alike_dataset();
  // Of 60 users in the order drawn, 42 train, 12 test, and the last 6 are reported.
  const ProtocolData whole = make_protocol(dataset, ProtocolName::kStrict, 5);
  EXPECT_EQ(whole.evaluation_users, drawn(60, 54, 60, {5, Purpose::kSplit, 0}));
  EXPECT_EQ(whole.selection_likes.likes.input.rows(), 12);
  expect_drawn(whole.evaluation.heldout, 0, 20, 4, {5, Purpose::kHoldout, 0});
  expect_drawn(whole.selection(1, 1).heldout, 0, 20, 4, {5, Purpose::kHoldout, 1});
  expect_drawn(whole.evaluation_likes.dislikes, 20, 21, 11, {5, Purpose::kSplit, 1});
  expect_drawn(whole.selection_likes.dislikes, 20, 21, 11, {5, Purpose::kSplit, 2});
  // The second of seven folds of 60: users 8 to 16 in that order.
  const ProtocolData fold = make_protocol(dataset, ProtocolName::kStrict, 5, {1, 7});
  EXPECT_EQ(fold.evaluation_users, drawn(60, 8, 17, {5, Purpose::kSplit, 0}));
  EXPECT_EQ(fold.train.rows(), 39) << "floor(51 * 7 / 9)";
  EXPECT_EQ(fold.selection_likes.likes.input.rows(), 12);
  expect_drawn(fold.evaluation.heldout, 0, 20, 4, {5, Purpose::kHoldout, 2});
  expect_drawn(fold.selection(1, 1).heldout, 0, 20, 4, {5, Purpose::kHoldout, 3});
  expect_drawn(fold.evaluation_likes.dislikes, 20, 21, 11, {5, Purpose::kSplit, 3});
  expect_drawn(fold.selection_likes.dislikes, 20, 21, 11, {5, Purpose::kSplit, 4});
}

TEST(StrictProtocol, AFoldTrainsAndSelectsOnTheOthersInTheOrderDrawn) {
  // User u likes item u, by which he is known, and item 60.
  std::vector<std::vector<std::pair<std::int32_t, float>>> rows;
  for (std::int32_t user = 0; user < 60; ++user) rows.push_back({{user, 1}, {60, 1}});
  const ProtocolData data = make_protocol(dataset_of(rows, 61), ProtocolName::kStrict, 5, {1, 3});
  RandomSequence random({5, Purpose::kSplit, 0});
  std::vector<std::int32_t> order = shuffled(60, [&](std::uint32_t bound) { return random.below(bound); });
  order.erase(order.begin() + 20, order.begin() + 40);  // the fold
  std::vector<std::int32_t> expected(order.begin(), order.begin() + 31), train;
  std::sort(expected.begin(), expected.end());
  for (std::int64_t row = 0; row < data.train.rows(); ++row) train.push_back(data.train.row(row)[0]);
  EXPECT_EQ(train, expected);
}

TEST(StrictProtocol, LeavesOutUsersWithFewerThanTwoLikes) {
  // Half of the users have one like or none, so about half of each group is left out.
  std::vector<std::vector<std::pair<std::int32_t, float>>> rows(100, {{0, 1}, {1, 1}, {2, 0}});
  for (std::size_t user = 0; user < 50; ++user) rows[user] = {{0, user % 2 == 0 ? 1.0f : 0.0f}, {2, 0}};
  const ProtocolData data = make_protocol(dataset_of(rows, 3), ProtocolName::kStrict, 5);
  EXPECT_EQ(data.train.rows(), 70) << "trained on are all";
  EXPECT_GT(data.left_out_users, 0);
  EXPECT_EQ(data.left_out_users + data.evaluation.input.rows(), 10);
  for (const std::int32_t user : data.evaluation_users) EXPECT_GE(user, 50);
  for (std::int64_t row = 0; row < data.evaluation.input.rows(); ++row) {
    EXPECT_EQ(data.evaluation.input.row_nnz(row), 1);
    EXPECT_EQ(data.evaluation.heldout.row_nnz(row), 1);
  }
}

TEST(StrictProtocol, FoldsReportEveryUserOnce) {
  const Dataset dataset = simulate_dataset();
  const std::int64_t users = dataset.stored.rows();
  constexpr int kFolds = 3;
  std::vector<std::int32_t> reported;
  for (int fold = 0; fold < kFolds; ++fold) {
    const ProtocolData data = make_protocol(dataset, ProtocolName::kStrict, 5, {fold, kFolds});
    const auto valid = static_cast<std::int64_t>(data.evaluation_users.size()) + data.left_out_users;
    EXPECT_NEAR(static_cast<double>(valid), static_cast<double>(users) / kFolds, 1);
    EXPECT_EQ(data.train.rows(), (users - valid) * 7 / 9);
    EXPECT_EQ(data.train.rows() + data.selection(0, 0).input.rows() + valid, users)
        << "the groups are disjoint and hold everyone";
    reported.insert(reported.end(), data.evaluation_users.begin(), data.evaluation_users.end());
    expect_split_of(data.evaluation, likes(dataset.stored).gather_rows(data.evaluation_users));
  }
  std::sort(reported.begin(), reported.end());
  EXPECT_EQ(std::adjacent_find(reported.begin(), reported.end()), reported.end()) << "nobody twice";
  EXPECT_EQ(static_cast<std::int64_t>(reported.size()), users);
  EXPECT_THROW(make_protocol(dataset, ProtocolName::kStrict, 5, {kFolds, kFolds}), Error);
  EXPECT_THROW(make_protocol(dataset, ProtocolName::kPublished, 5, {0, kFolds}), Error);
}

TEST(Protocol, RefusesADataSetWithTooFewUsers) {
  const Dataset one = small_dataset(1);
  const std::string text = error_of(ErrorKind::kData, [&] { make_protocol(one, ProtocolName::kPublished, 1); });
  EXPECT_NE(text.find("data set mine: no train or test user among its 1 users"), std::string::npos) << text;
  error_of(ErrorKind::kData, [&] { make_protocol(one, ProtocolName::kStrict, 1); });
  error_of(ErrorKind::kData, [] { make_protocol(small_dataset(4), ProtocolName::kStrict, 1); });
}

TEST(PublishedProtocol, HasThePublishedRows) {
  struct Rows {
    const char* name;
    std::int64_t train;
  };
  for (const Rows& expected :
       {Rows{"amazon-luxury-beauty", 1208}, {"amazon-digital-music", 9558}, {"ml-100k", 843}, {"ml-1m", 5429}}) {
    const auto folder = real_data(expected.name, {kPreparedFiles.begin(), kPreparedFiles.end()});
    if (!folder) GTEST_SKIP() << "TAPESTRY_DATA names no folder with the prepared files of " << expected.name;
    const Dataset dataset = load_dataset(*folder, expected.name);
    const ProtocolData data = make_protocol(dataset, ProtocolName::kPublished, 1);
    EXPECT_EQ(data.train.rows(), expected.train);
    expect_split_of(data.evaluation, pattern(dataset.stored).gather_rows(data.evaluation_users));
    EXPECT_EQ(data.generator.rows(), dataset.stored.rows());
    EXPECT_EQ(data.left_out_users, 0);
  }
}

}  // namespace
}  // namespace tapestry::recsys
