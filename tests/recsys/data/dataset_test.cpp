#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "recsys/data/load_dataset.h"
#include "recsys/data/prepared.h"
#include "recsys/data/preprocess.h"
#include "recsys/data/simulated.h"
#include "recsys/data/split.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::recsys {
namespace {

using tests::error_of;
using tests::expect_same_content;
using tests::listing;
using tests::read_file;
using tests::real_data;
using tests::TempFolder;

void expect_contains(const std::string& text, const std::string& part) { EXPECT_NE(text.find(part), std::string::npos) << text; }

/// A right prepared data set of four users and three items, in the folder `at` ("" or one with its slash) of another.
void put_prepared_in(const TempFolder& folder, const std::string& at) {
  folder.write(at + "interactions.csv", "user,item,liked\n0,0,1\n0,1,1\n1,0,0\n2,2,1\n2,0,0\n3,1,1\n3,2,0\n");
  folder.write(at + "split.csv", "user,part\n0,train\n1,train\n2,test\n3,valid\n");
  folder.write(at + "holdout.csv", "user,item\n3,2\n");
  folder.write(at + "holdout_neumf.csv", "user,item\n3,1\n");
}

/// The same with one file replaced.
TempFolder& put_prepared(TempFolder& folder, const std::string& name = "", std::string_view content = "") {
  put_prepared_in(folder, "");
  if (!name.empty()) folder.write(name, content);
  return folder;
}

std::string refusal(const std::string& name, std::string_view content) {
  TempFolder folder;
  put_prepared(folder, name, content);
  return error_of(ErrorKind::kData, [&] { read_prepared(folder.path(), "mine"); });
}

TEST(Prepared, ReadsTheFourFiles) {
  TempFolder folder;
  const Dataset dataset = read_prepared(put_prepared(folder).path(), "mine");
  EXPECT_EQ(dataset.name, "mine");
  EXPECT_EQ(dataset.stored.rows(), 4);
  EXPECT_EQ(dataset.stored.cols(), 3);
  EXPECT_EQ(listing(dataset.stored), "0:0=1 0:1=1 1:0=0 2:0=0 2:2=1 3:1=1 3:2=0");
  EXPECT_EQ(listing(dataset.holdout), "3:2=1");
  EXPECT_EQ(listing(dataset.holdout_likes), "3:1=1");
  EXPECT_EQ(dataset.parts, (std::vector{Part::kTrain, Part::kTrain, Part::kTest, Part::kValid}));
  EXPECT_EQ(dataset.user_ids, (std::vector<std::string>{"0", "1", "2", "3"}));
  EXPECT_EQ(listing(likes(dataset.stored)), "0:0=1 0:1=1 2:2=1 3:1=1");
  EXPECT_EQ(listing(pattern(dataset.stored)), "0:0=1 0:1=1 1:0=1 2:0=1 2:2=1 3:1=1 3:2=1");
  EXPECT_FALSE(pattern(dataset.stored).has_values());
}

TEST(Prepared, EveryValidUserHasSomethingHeldOut) {
  TempFolder folder;
  put_prepared(folder, "split.csv", "user,part\n0,train\n1,train\n2,valid\n3,valid\n");
  expect_contains(error_of(ErrorKind::kData, [&] { read_prepared(folder.path(), "mine"); }),
                  "holdout.csv: nothing of valid user 2 is held out");
  // One who dislikes everything has no like to hold out.
  put_prepared(folder, "split.csv", "user,part\n0,train\n1,valid\n2,train\n3,valid\n");
  folder.write("holdout.csv", "user,item\n1,0\n3,2\n");
  EXPECT_EQ(listing(read_prepared(folder.path(), "mine").holdout_likes), "3:1=1");
}

TEST(Prepared, SomethingIsLeftOfEveryUserWithTwoEntries) {
  expect_contains(refusal("holdout.csv", "user,item\n3,1\n3,2\n"),
                  "holdout.csv: all 2 entries of user 3 are held out, expected an item at least that is not");
  TempFolder folder;
  put_prepared(folder, "interactions.csv", "user,item,liked\n0,0,1\n1,0,0\n2,2,1\n3,1,1\n3,2,1\n");
  folder.write("holdout_neumf.csv", "user,item\n3,1\n3,2\n");
  expect_contains(error_of(ErrorKind::kData, [&] { read_prepared(folder.path(), "mine"); }),
                  "holdout_neumf.csv: all 2 entries of user 3 are held out, expected a liked item at least that is not");
}

/// The lines of a file behind its header.
std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::istringstream in(read_file(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  lines.erase(lines.begin());
  return lines;
}

std::string user_of(const std::string& line) { return line.substr(0, line.find(',')); }

TEST(Prepared, AHoldoutCutAmongItsLastUsersLinesIsRefused) {
  SimulationConfig config;
  config.users = 60;
  config.items = 50;
  const Dataset whole = simulate_dataset(config);
  const TempFolder folder;
  for (const char* name : {"holdout.csv", "holdout_neumf.csv"}) {
    write_dataset(whole, folder.path());
    const std::vector<std::string> lines = lines_of(folder.path() / name);
    std::size_t missing = lines.size() - 1;  // of the last user who keeps something
    while (missing > 0 && user_of(lines[missing - 1]) != user_of(lines[missing])) --missing;
    ASSERT_GT(missing, 0U) << name;
    std::string cut = "user,item\n", one_each = cut;
    for (std::size_t n = 0; n < lines.size(); ++n) cut += n == missing ? "" : lines[n] + "\n";
    folder.write(name, cut);
    const std::string text = error_of(ErrorKind::kData, [&] { read_prepared(folder.path(), "simulated"); });
    expect_contains(text, concat(name, ": only "));
    expect_contains(text,
                    concat(" entries held out for user ", user_of(lines[missing]), ", and all of everybody else's: the file "));
    // Another hold-out, one entry of everybody, is nobody's mistake; the digest tells it from the published one.
    for (std::size_t n = 0; n < lines.size(); ++n) {
      if (n == 0 || user_of(lines[n]) != user_of(lines[n - 1])) one_each += lines[n] + "\n";
    }
    folder.write(name, one_each);
    EXPECT_NE(read_prepared(folder.path(), "simulated").sha256, whole.sha256) << name;
  }
}

TEST(Prepared, IdsThatAreListedButCannotBeReadAreNamed) {
  TempFolder folder;
  put_prepared(folder);
  for (const char* target : {"user_ids.csv", "not mounted"}) {
    std::filesystem::create_symlink(target, folder.path() / "user_ids.csv");
    expect_contains(error_of(ErrorKind::kData, [&] { read_prepared(folder.path(), "mine"); }),
                    concat("user_ids.csv: a link to ", target, ", which cannot be followed: "));
    std::filesystem::remove(folder.path() / "user_ids.csv");
  }
}

TEST(Prepared, AcceptsForeignLineEnds) {
  TempFolder folder;
  put_prepared(folder, "split.csv", "\xEF\xBB\xBFuser,part\r\n0,train\r\n1,train\r\n2,test\r\n3,valid");
  EXPECT_EQ(read_prepared(folder.path(), "mine").parts.size(), 4u);
}

TEST(Prepared, NamesTheMistakeInInteractions) {
  const std::string header = "user,item,liked\n";
  expect_contains(refusal("interactions.csv", "user,item\n0,0\n"), "interactions.csv:1: no column liked");
  expect_contains(refusal("interactions.csv", "user,item,liked,item\n0,0,1,1\n"), "interactions.csv:1: column item comes twice");
  expect_contains(refusal("interactions.csv", header), "interactions.csv:1: no interactions below the header");
  expect_contains(refusal("interactions.csv", header + "0,0,1\n4,0,1\n"),
                  "interactions.csv:3: column 1 (user): found '4', expected an index from 0 to 3");
  expect_contains(refusal("interactions.csv", header + "0,-1,1\n"), "column 2 (item): found '-1'");
  expect_contains(refusal("interactions.csv", header + "0,99999999999999,1\n"), "column 2 (item): found '99999999999999'");
  expect_contains(refusal("interactions.csv", header + "0,0,2\n"),
                  "column 3 (liked): found '2', expected 0 (disliked) or 1 (liked)");
  expect_contains(refusal("interactions.csv", header + "0,0,1\n1,0,1\n2,1,1\n3,0,1\n1,0,0\n"),
                  "interactions.csv:6: user 1 and item 0 were given on line 3 already");
  expect_contains(refusal("interactions.csv", header + "0,0,1\n1,0,1\n3,1,1\n"), "user 2 of split.csv is left with no item");
  expect_contains(refusal("interactions.csv", header + "0,0,1\n1,0,1\n2,2,1\n3,0,1\n"), "item 1 has no entry but item 2 has");
  expect_contains(refusal("interactions.csv", header + "0,0,1\n1,0,1\n2,2000000000,1\n3,0,1\n"),
                  "interactions.csv:4: item index 2000000000 in a file of 4 entries");
}

TEST(Prepared, NamesTheMistakeInSplitAndHoldouts) {
  expect_contains(refusal("split.csv", "user,part\n0,train\n2,train\n"),
                  "split.csv:3: column 1 (user): found '2', expected user 1");
  expect_contains(refusal("split.csv", "user,part\n0,dev\n"),
                  "split.csv:2: column 2 (part): found 'dev', expected train, test or valid");
  expect_contains(refusal("split.csv", "user,part\n"), "split.csv:1: no users");
  expect_contains(refusal("holdout.csv", "user,item\n2,0\n"), "holdout.csv:2: column 1 (user): found '2', expected a valid user");
  expect_contains(refusal("holdout.csv", "user,item\n3,0\n"),
                  "holdout.csv:2: column 2 (item): found '0', expected an item of user 3");
  expect_contains(refusal("holdout.csv", "user,item\n3,2\n3,2\n"),
                  "holdout.csv:3: column 2 (item): found '2', expected an item not yet");
  expect_contains(refusal("holdout.csv", "user,item\n"),
                  "holdout.csv: nothing of valid user 3 is held out, expected an item at least");
  expect_contains(refusal("holdout.csv", ""), "holdout.csv: the file is empty");
  expect_contains(refusal("holdout_neumf.csv", "user,item\n3,2\n"),
                  "holdout_neumf.csv:2: column 2 (item): found '2', expected a liked item");
  expect_contains(refusal("holdout_neumf.csv", "user,item\n"),
                  "holdout_neumf.csv: nothing of valid user 3 is held out, expected a liked item");
  expect_contains(refusal("user_ids.csv", "user,id\n0,a\n"), "user_ids.csv: 1 ids, expected 4");
}

TEST(Prepared, WhatIsWrittenIsRead) {
  SimulationConfig config;
  config.users = 60;
  config.items = 50;
  Dataset written = simulate_dataset(config);
  written.item_ids[0] = "The \"one\", really";
  const TempFolder folder;
  write_dataset(written, folder.path() / "new" / "folder");
  const Dataset read = read_prepared(folder.path() / "new" / "folder", "simulated");
  expect_same_content(read, written);
  EXPECT_EQ(read.user_ids, written.user_ids);
  EXPECT_EQ(read.item_ids, written.item_ids);
}

TEST(Prepared, AnInterruptedWriteLeavesAnIncompleteFolder) {
  SimulationConfig config;
  config.users = 60;
  config.items = 50;
  const Dataset dataset = simulate_dataset(config);
  const TempFolder folder;
  write_dataset(dataset, folder.path());
  // A folder in the place of holdout.csv stops the second write in its middle.
  std::filesystem::remove(folder.path() / "holdout.csv");
  std::filesystem::create_directories(folder.path() / "holdout.csv" / "in the way");
  error_of(ErrorKind::kData, [&] { write_dataset(dataset, folder.path()); });
  EXPECT_FALSE(is_prepared(folder.path()));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "interactions.csv"));
  const std::filesystem::path file = folder.write("a file", "");
  expect_contains(error_of(ErrorKind::kData, [&] { write_dataset(dataset, file / "x"); }), "a file/x: cannot be made");
}

TEST(LoadDataset, ListsTheNamesItKnows) {
  const std::string text = error_of(ErrorKind::kUsage, [] { load_dataset("", "netflix"); });
  for (const std::string& name : known_datasets()) expect_contains(text, name);
  expect_contains(text, "'netflix'");
  error_of(ErrorKind::kUsage, [] { dataset_available("", "netflix"); });
}

TEST(LoadDataset, SaysWhereItLooked) {
  TempFolder folder;
  const std::string missing = error_of(ErrorKind::kData, [&] { load_dataset(folder.path(), "ml-100k"); });
  for (const char* part :
       {"/ml-100k (no such folder)", "u.data", "ratings.dat", "ratings.csv", "interactions.csv", "make data"}) {
    expect_contains(missing, part);
  }
  folder.write("ml-100k/interactions.csv", "user,item,liked\n");
  folder.write("ml-100k/holdout.csv", "user,item\n");
  expect_contains(error_of(ErrorKind::kData, [&] { load_dataset(folder.path(), "ml-100k"); }), "without split.csv");
  EXPECT_FALSE(dataset_available(folder.path(), "ml-100k"));
  EXPECT_TRUE(dataset_available(folder.path(), "simulated"));
  EXPECT_EQ(load_dataset(folder.path(), "simulated").source, "simulated, seed 1");
}

TEST(LoadDataset, NothingThatIsInTheWayIsPassedOver) {
  const TempFolder folder;
  const auto expect_refused = [&](const std::string& part) {
    EXPECT_TRUE(dataset_available(folder.path(), "ml-100k")) << part;
    expect_contains(error_of(ErrorKind::kData, [&] { load_dataset(folder.path(), "ml-100k"); }), part);
  };
  const std::filesystem::path place = folder.write("ml-100k", "not a folder");
  expect_refused("/ml-100k, which is not a folder; ");
  std::filesystem::remove(place);
  std::filesystem::create_symlink("not mounted", place);
  expect_refused("/ml-100k, a link to not mounted, which cannot be followed (");
  std::filesystem::remove(place);
  folder.write("ml-100k/ratings.dat", "1::1::5::0\n");
  std::filesystem::create_symlink("not mounted", place / "u.data");
  expect_refused("/u.data: a link to not mounted, which cannot be followed: ");
  std::filesystem::remove(place / "u.data");
  // Prepared files likewise, in a folder that has raw ratings as well.
  put_prepared_in(folder, "ml-100k/");
  std::filesystem::remove(place / "split.csv");
  std::filesystem::create_symlink("not mounted", place / "split.csv");
  expect_refused("/split.csv: a link to not mounted, which cannot be followed: ");
}

/// Ratings in which 20 users like about two thirds of 8 items and dislike the rest, as u.data.
std::string small_ratings() {
  std::string lines;
  for (int user = 1; user <= 20; ++user) {
    for (int item = 1; item <= 8; ++item) lines += concat(user, "\t", item, "\t", (user + item) % 3 == 0 ? 2 : 5, "\t0\n");
  }
  return lines;
}

TEST(LoadDataset, RawAndPreparedFilesGiveTheSame) {
  const TempFolder folder;
  folder.write("ml-100k/u.data", small_ratings());
  EXPECT_TRUE(dataset_available(folder.path(), "ml-100k"));
  const Dataset raw = load_dataset(folder.path(), "ml-100k");
  EXPECT_EQ(raw.source, "raw ratings u.data");
  EXPECT_EQ(raw.user_ids.front(), "1");
  EXPECT_EQ(raw.stored.rows(), 20);
  EXPECT_EQ(raw.holdout.row_nnz(19), 2);
  write_dataset(raw, folder.path() / "ml-100k");
  const Dataset prepared = load_dataset(folder.path(), "ml-100k");
  expect_contains(prepared.source, "prepared");
  expect_same_content(prepared, raw);
  std::filesystem::remove(folder.path() / "ml-100k" / "split.csv");
  EXPECT_EQ(load_dataset(folder.path(), "ml-100k").source, "raw ratings u.data") << "prepared files that are not complete";
}

TEST(LoadDataset, OfSeveralRawFilesTheFirstIsTaken) {
  const TempFolder folder;
  std::string csv = "userId,movieId,rating,timestamp\n", dat;
  for (char character : small_ratings()) {
    csv += character == '\t' ? "," : std::string(1, character);
    dat += character == '\t' ? "::" : std::string(1, character);
  }
  folder.write("ml-1m/ratings.csv", csv);
  EXPECT_EQ(load_dataset(folder.path(), "ml-1m").source, "raw ratings ratings.csv");
  folder.write("ml-1m/ratings.dat", dat);
  EXPECT_EQ(load_dataset(folder.path(), "ml-1m").source, "raw ratings ratings.dat");
  folder.write("ml-1m/u.data", small_ratings());
  EXPECT_EQ(load_dataset(folder.path(), "ml-1m").source, "raw ratings u.data");
}

TEST(LoadDataset, NamesInItsSourceWhatItDropped) {
  const TempFolder folder;
  std::string lines = small_ratings() + "1\t1\t5\t9\n";
  for (int item = 100; item < 105; ++item) lines += concat("99\t", item, "\t5\t0\n");
  folder.write("ml-100k/u.data", lines);
  const Dataset dataset = load_dataset(folder.path(), "ml-100k");
  EXPECT_EQ(dataset.source,
            "raw ratings u.data, 1 line replaced by a later one about the same user and item, 1 user dropped who was "
            "left with no item");
}

TEST(LoadDataset, TheDigestSeesEveryPart) {
  SimulationConfig config;
  config.users = 60;
  config.items = 50;
  const Dataset dataset = simulate_dataset(config);
  Dataset changed = dataset;
  changed.user_ids[0] = "renamed";
  EXPECT_EQ(dataset_digest(changed), dataset.sha256) << "raw ids do not matter";
  changed = dataset;
  changed.stored = dataset.stored.with_values(dataset.stored.values().clone());
  changed.stored.values().span<float>()[3] = 1 - changed.stored.values().span<float>()[3];
  EXPECT_NE(dataset_digest(changed), dataset.sha256);
  changed = dataset;
  changed.parts[0] = Part::kTest;
  EXPECT_NE(dataset_digest(changed), dataset.sha256);
  changed = dataset;
  changed.holdout = dataset.holdout_likes;
  EXPECT_NE(dataset_digest(changed), dataset.sha256);
  changed = dataset;
  changed.holdout_likes = dataset.holdout;
  EXPECT_NE(dataset_digest(changed), dataset.sha256);
}

struct Expected {
  const char* name;
  const char* raw;  ///< the raw file, nullptr where there is none
  std::int64_t users, items, stored, liked, train, test, valid;
};

class RealData : public testing::TestWithParam<Expected> {};

// The table of the evaluation protocol.
TEST_P(RealData, HasThePublishedFigures) {
  const Expected& expected = GetParam();
  const auto folder = real_data(expected.name, {kPreparedFiles.begin(), kPreparedFiles.end()});
  if (!folder) GTEST_SKIP() << "TAPESTRY_DATA names no folder with the prepared files of " << expected.name;
  const Dataset dataset = load_dataset(*folder, expected.name);
  EXPECT_EQ(dataset.stored.rows(), expected.users);
  EXPECT_EQ(dataset.stored.cols(), expected.items);
  EXPECT_EQ(dataset.stored.nnz(), expected.stored);
  EXPECT_EQ(likes(dataset.stored).nnz(), expected.liked);
  EXPECT_EQ(std::count(dataset.parts.begin(), dataset.parts.end(), Part::kTrain), expected.train);
  EXPECT_EQ(std::count(dataset.parts.begin(), dataset.parts.end(), Part::kTest), expected.test);
  EXPECT_EQ(std::count(dataset.parts.begin(), dataset.parts.end(), Part::kValid), expected.valid);

  EXPECT_EQ(dataset.sha256, paper_digest(expected.name));

  // Split and hold-outs drawn anew are the files'.
  Dataset redrawn = dataset;
  redrawn.parts.clear();
  redrawn.holdout = redrawn.holdout_likes = CsrMatrix();
  complete_dataset(redrawn);
  expect_same_content(redrawn, dataset);
}

TEST_P(RealData, RawRatingsGiveThePreparedFiles) {
  const Expected& expected = GetParam();
  if (expected.raw == nullptr) GTEST_SKIP() << expected.name << " has no raw ratings";
  std::vector<std::string> files(kPreparedFiles.begin(), kPreparedFiles.end());
  files.emplace_back(expected.raw);
  const auto folder = real_data(expected.name, files);
  if (!folder)
    GTEST_SKIP() << "TAPESTRY_DATA names no folder with " << expected.raw << " and the prepared files of " << expected.name;
  const TempFolder only_raw;
  std::filesystem::create_directories(only_raw.path() / expected.name);
  std::filesystem::create_symlink(std::filesystem::absolute(*folder / expected.name / expected.raw),
                                  only_raw.path() / expected.name / expected.raw);
  const Dataset raw = load_dataset(only_raw.path(), expected.name);
  EXPECT_EQ(raw.source, concat("raw ratings ", expected.raw));
  expect_same_content(raw, load_dataset(*folder, expected.name));

  write_dataset(raw, only_raw.path() / "written");
  for (const char* file : kPreparedFiles) {
    EXPECT_TRUE(read_file(only_raw.path() / "written" / file) == read_file(*folder / expected.name / file)) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RealData,
                         testing::Values(Expected{"amazon-luxury-beauty", nullptr, 1344, 729, 15359, 13114, 940, 268, 136},
                                         Expected{"amazon-digital-music", nullptr, 10621, 8582, 108509, 104410, 7434, 2124, 1063},
                                         Expected{"ml-100k", "u.data", 938, 1008, 95215, 54413, 656, 187, 95},
                                         Expected{"ml-1m", "ratings.csv", 6034, 3125, 994338, 574376, 4223, 1206, 605}),
                         [](const testing::TestParamInfo<Expected>& parameter) {
                           std::string name = parameter.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tapestry::recsys
