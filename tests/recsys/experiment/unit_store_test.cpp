// recsys/experiment/unit_store.h: nothing in a results folder is lost, torn, mixed or overwritten by another configuration.
#include "recsys/experiment/unit_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "recsys/data/sha256.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::recsys {
namespace {

namespace fs = std::filesystem;
using tests::error_of;
using tests::read_file;
using tests::TempFolder;

Configuration configuration() {
  Configuration made;
  made.version = "1";
  made.protocol = "published";
  made.variant = "published";
  made.seed = 18446744073709551615U;
  made.datasets = {{"a", "abc", {{"svd", R"({"vae":{"hidden":3,"rate":0.1}})"}}}};
  return made;
}

Unit unit() {
  Unit made;
  made.key = {"a", "svd", "augment", "m-sdrm", 2};
  made.measures = {{"Recall@1", "NDCG@1", "Gini@10"},
                   {1.0 / 3.0, std::nextafter(0.1, 1.0), 0.5},
                   {{0.0, std::numeric_limits<double>::quiet_NaN(), 1e-300}, {1.0, 0.25, 2.0 / 3.0}, {}}};
  made.synthetic =
      SyntheticSummary{{{0, 3, 2}, {1, 0, 0, 4}}, {90, 8, 0, 0, 0, 0, 0, 0, 1, 1}, {0, 0, 3, 0, 0, 0, 0, 0, 1, 1}, 1};
  return made;
}

class UnitStoreTest : public testing::Test {
 protected:
  fs::path out() const { return folder_.path() / "results"; }
  UnitStore open(const Configuration& with = configuration()) {
    return {out(), with, [this](const std::string& message) { warnings_.push_back(message); }};
  }
  fs::path unit_file() const { return out() / "units" / "a_svd_augment_m-sdrm_run-2.json"; }

  TempFolder folder_;
  std::vector<std::string> warnings_;
};

TEST_F(UnitStoreTest, AUnitUnderAnothersNameIsRefused) {
  open().write(unit());
  UnitKey other = unit().key;
  other.run = 3;
  fs::copy_file(unit_file(), out() / "units" / (other.text() + ".json"));
  EXPECT_FALSE(open().read(other).has_value());
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_NE(warnings_[0].find("run-3.json: of another configuration"), std::string::npos) << warnings_[0];
}

TEST_F(UnitStoreTest, UnitsComeBackToTheLastBit) {
  UnitStore(out(), configuration(), {}).write(unit());
  UnitStore store = open();
  const std::optional<Unit> found = store.read(unit().key);
  ASSERT_TRUE(found.has_value());
  const Measures& measures = found->measures;
  EXPECT_EQ(measures.names, unit().measures.names);
  EXPECT_EQ(measures.means, unit().measures.means);
  ASSERT_EQ(measures.users.size(), 3U);
  EXPECT_TRUE(std::isnan(measures.users[0][1]));
  EXPECT_EQ(measures.users[0][2], 1e-300);
  EXPECT_EQ(measures.users[1], unit().measures.users[1]);
  EXPECT_TRUE(measures.users[2].empty());
  ASSERT_TRUE(found->synthetic.has_value());
  EXPECT_EQ(found->synthetic->shape.users_by_length, (std::vector<std::int64_t>{0, 3, 2}));
  EXPECT_EQ(found->synthetic->shape.items_by_users, (std::vector<std::int64_t>{1, 0, 0, 4}));
  EXPECT_EQ(found->synthetic->pairs, unit().synthetic->pairs);
  EXPECT_EQ(found->synthetic->nearest, unit().synthetic->nearest);
  EXPECT_EQ(found->synthetic->copies, 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(out() / "units"), {}), 1);
  UnitKey other = unit().key;
  other.run = 3;
  EXPECT_FALSE(store.has(other));
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(UnitStoreTest, DamagedUnitsCountAsMissing) {
  open().write(unit());
  const std::string good = read_file(unit_file());
  std::string flipped = good;
  flipped[flipped.find("0.25") + 2] = '3';
  for (const std::string& bad : {std::string(), good.substr(0, good.size() / 2), flipped, std::string("[]"), std::string("{}")}) {
    warnings_.clear();
    std::ofstream(unit_file(), std::ios::binary) << bad;
    UnitStore store = open();
    EXPECT_FALSE(store.has(unit().key)) << bad;
    EXPECT_FALSE(store.has(unit().key)) << "and is not named twice";
    ASSERT_EQ(warnings_.size(), 1U) << bad;
    EXPECT_NE(warnings_[0].find("a_svd_augment_m-sdrm_run-2.json: damaged, counts as not finished"), std::string::npos)
        << warnings_[0];
  }
}

TEST_F(UnitStoreTest, WhatCannotBeReadIsNotAbsent) {
  UnitStore(out(), configuration(), {}).write(unit());
  fs::remove(unit_file());
  fs::create_directory(unit_file());  // whoever runs this may read any file
  EXPECT_FALSE(open().read(unit().key));
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_NE(warnings_[0].find("run-2.json cannot be read: Is a directory, counts as not finished"), std::string::npos)
      << warnings_[0];

  fs::remove(out() / "config.json");
  fs::create_directory(out() / "config.json");
  EXPECT_NE(error_of(ErrorKind::kUsage, [&] { open(); }).find("config.json cannot be read: Is a directory"), std::string::npos);
}

TEST_F(UnitStoreTest, UnitsOfAnotherConfigurationCountAsMissing) {
  Configuration other = configuration();
  other.seed = 7;
  const fs::path elsewhere = folder_.path() / "elsewhere";
  UnitStore(elsewhere, other, {}).write(unit());
  UnitStore store = open();
  fs::copy_file(elsewhere / "units" / unit_file().filename(), unit_file());
  EXPECT_FALSE(store.has(unit().key));
  EXPECT_EQ(warnings_.size(), 1U);
}

TEST_F(UnitStoreTest, AnotherConfigurationIsRefusedAndNothingChanges) {
  open();
  const std::string before = read_file(out() / "config.json");
  const auto refused = [&](const std::string& named, const std::function<void(Configuration&)>& change) {
    Configuration other = configuration();
    change(other);
    const std::string text = error_of(ErrorKind::kUsage, [&] { open(other); });
    EXPECT_NE(text.find(named), std::string::npos) << text;
    EXPECT_NE(text.find("another --out"), std::string::npos) << text;
    EXPECT_EQ(read_file(out() / "config.json"), before);
  };
  refused("seed is 18446744073709551615 there and 2 here", [](Configuration& c) { c.seed = 2; });
  refused("protocol", [](Configuration& c) { c.protocol = "strict"; });
  refused("folds", [](Configuration& c) { c.folds = 5; });
  refused("variant", [](Configuration& c) { c.variant = "paper"; });
  refused("quick", [](Configuration& c) { c.quick = true; });
  refused("device", [](Configuration& c) { c.device = "cuda"; });
  refused("version", [](Configuration& c) { c.version = "2"; });
  refused("a sha256", [](Configuration& c) { c.datasets[0].sha256 = "abd"; });
  refused("a svd vae hidden is 3 there and 4 here",
          [](Configuration& c) { c.datasets[0].hyperparameters["svd"] = R"({"vae":{"hidden":4,"rate":0.1}})"; });
  // What one side lacks changes the numbers as much.
  refused("a svd vae rate is 0.1 there and not set here",
          [](Configuration& c) { c.datasets[0].hyperparameters["svd"] = R"({"vae":{"hidden":3}})"; });
  refused("a svd exceptions is not set there and {\"augment\":1} here", [](Configuration& c) {
    c.datasets[0].hyperparameters["svd"] = R"({"vae":{"hidden":3,"rate":0.1},"exceptions":{"augment":1}})";
  });
}

TEST_F(UnitStoreTest, FiguresOfAProgramThatComputesOthersAreRefused) {
  open().write(unit());
  const std::string now = "\"figures\": " + std::to_string(kFigures);
  const std::string text = read_file(out() / "config.json");
  const std::size_t at = text.find(now);
  ASSERT_NE(at, std::string::npos) << text;
  for (const std::string& other : {std::string("\"figures\": 999999"), std::string("\"unnumbered\": 0")}) {
    std::string changed = text;
    folder_.write("results/config.json", changed.replace(at, now.size(), other));
    const std::string refusal = error_of(ErrorKind::kUsage, [&] { open(); });
    EXPECT_NE(refusal.find("computes figures in its own way"), std::string::npos) << refusal;
  }
  folder_.write("results/config.json", text);
  EXPECT_TRUE(open().has(unit().key));
}

TEST_F(UnitStoreTest, AFileThatIsNotOursIsNamed) {
  open();
  for (const char* text : {R"({"figures": "x"})", R"({"without": 5})", "[]"}) {
    folder_.write("results/config.json", text);
    const std::string refusal = error_of(ErrorKind::kUsage, [&] { open(); });
    EXPECT_NE(refusal.find("config.json"), std::string::npos) << refusal;
  }
  EXPECT_FALSE(parse_stage(R"({"stage": 5})"));
  EXPECT_FALSE(parse_stage(R"({"stage": "load", "seco)"));
  EXPECT_EQ(parse_stage(R"({"stage": "load", "seconds": 2.5})")->seconds, 2.5);
}

TEST_F(UnitStoreTest, QuickIsNamedBeforeWhatFollowsFromIt) {
  open();
  Configuration other = configuration();
  other.quick = true;
  other.datasets[0].hyperparameters["svd"] = R"({"vae":{"hidden":3,"rate":0.2}})";
  EXPECT_NE(error_of(ErrorKind::kUsage, [&] { open(other); }).find("quick is false there and true here"), std::string::npos);
}

TEST_F(UnitStoreTest, FurtherDataSetsJoin) {
  open().write(unit());
  Configuration other = configuration();
  other.datasets = {{"b", "def", {{"svd", R"({"vae":{"hidden":9}})"}}}};
  open(other);
  Configuration both = configuration();
  both.datasets.push_back(other.datasets[0]);
  EXPECT_EQ(read_file(out() / "config.json"), to_json(both));
  EXPECT_TRUE(open().has(unit().key));
  EXPECT_TRUE(warnings_.empty());
  EXPECT_EQ(read_file(out() / "config.json"), to_json(both)) << "who asks for less takes nothing away";
  other.datasets[0].sha256 = "changed";
  error_of(ErrorKind::kUsage, [&] { open(other); });
}

TEST_F(UnitStoreTest, AConfigurationThatSaysItAllIsNotWrittenAgain) {
  open();
  const fs::path file = out() / "config.json", same = folder_.path() / "another name of it";
  fs::create_hard_link(file, same);
  open();
  EXPECT_TRUE(fs::equivalent(file, same)) << "replaced by a file of the same text";
  Configuration more = configuration();
  more.datasets.push_back({"b", "def", {{"svd", "{}"}}});
  open(more);
  EXPECT_FALSE(fs::equivalent(file, same));
}

TEST_F(UnitStoreTest, ResultsOfUnknownOriginAreNotOverwritten) {
  for (const char* file : {"results.csv", "results.json", "table.md", "manifest.json"}) {
    const TempFolder foreign;
    foreign.write(file, "precious");
    const std::string text = error_of(ErrorKind::kUsage, [&] { UnitStore(foreign.path(), configuration(), {}); });
    EXPECT_NE(text.find(file), std::string::npos) << text;
    EXPECT_EQ(std::distance(fs::directory_iterator(foreign.path()), {}), 1);
    EXPECT_EQ(read_file(foreign.path() / file), "precious");
  }
  const TempFolder torn;
  torn.write("config.json", "{\"seed\":");
  error_of(ErrorKind::kUsage, [&] { UnitStore(torn.path(), configuration(), {}); });
  EXPECT_EQ(std::distance(fs::directory_iterator(torn.path()), {}), 1);
}

TEST_F(UnitStoreTest, AFolderThatCannotBeMadeIsRefused) {
  const fs::path file = folder_.write("file", "text");
  const std::string text = error_of(ErrorKind::kUsage, [&] { UnitStore(file / "results", configuration(), {}); });
  EXPECT_NE(text.find("cannot be written"), std::string::npos) << text;
  error_of(ErrorKind::kUsage, [&] { UnitStore(file, configuration(), {}); });
}

TEST_F(UnitStoreTest, OneWriterAtATime) {
  EXPECT_FALSE(is_being_written(out()));
  EXPECT_FALSE(fs::exists(out())) << "asked, and not made";
  {
    UnitStore first = open();
    EXPECT_TRUE(is_being_written(out()));
    const std::string text = error_of(ErrorKind::kUsage, [&] { open(); });
    EXPECT_NE(text.find("another process"), std::string::npos) << text;
    EXPECT_EQ(error_of(ErrorKind::kUsage, [&] { check_free(out()); }), text);
    check_folder(out(), configuration());  // reads, which is nobody's business
  }
  check_free(out());
  EXPECT_FALSE(is_being_written(out()));
  open();
}

TEST_F(UnitStoreTest, AWriterThatIsAboutToEndIsWaitedFor) {
  std::optional<UnitStore> first;
  first.emplace(out(), configuration(), UnitStore::Warn());
  EXPECT_TRUE(is_being_written(out()));
  std::jthread ending([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    first.reset();
  });
  EXPECT_NO_THROW(open());
  ending.join();
  EXPECT_FALSE(is_being_written(out()));
}

TEST_F(UnitStoreTest, LookingAtAFolderMakesNothing) {
  check_free(out());
  check_folder(out(), configuration());
  EXPECT_FALSE(fs::exists(out()));
  open();
  Configuration other = configuration();
  other.seed = 2;
  const std::string text = error_of(ErrorKind::kUsage, [&] { check_folder(out(), other); });
  EXPECT_NE(text.find("seed"), std::string::npos) << text;
}

TEST_F(UnitStoreTest, StagesSurviveATornLine) {
  open().log_stage({"a", "svd", "vae_fit", 1, 2.5, 4096});
  std::ofstream(out() / "stages.jsonl", std::ios::app | std::ios::binary) << "\n{\"dataset\":\"a\",\"sec";
  UnitStore store = open();
  store.log_stage({"a", "svd", "evaluate", 2, 0.125, 8192});
  const std::vector<StageRecord> found = store.stages();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].stage, "vae_fit");
  EXPECT_EQ(found[0].seconds, 2.5);
  EXPECT_EQ(found[1].run, 2);
  EXPECT_EQ(found[1].peak_rss_bytes, 8192);
}

TEST(ConfigurationDigest, DependsOnItsOwnDataSetOnly) {
  Configuration both = configuration();
  const std::string alone = configuration_digest(both, "a", "svd");
  both.datasets.push_back({"b", "def", {{"svd", "{}"}}});
  EXPECT_EQ(configuration_digest(both, "a", "svd"), alone);
  EXPECT_NE(configuration_digest(both, "b", "svd"), alone);
  both.datasets[0].hyperparameters["svd"] = R"({"vae":{"hidden":4,"rate":0.1}})";
  EXPECT_NE(configuration_digest(both, "a", "svd"), alone);
}

TEST(UnitDigest, CountsTheChangesOfItsGeneratorAlone) {
  const Configuration one = configuration();
  const std::string digest = configuration_digest(one, "a", "svd");
  EXPECT_EQ(unit_digest(one, "a", "svd", "original"), digest);
  EXPECT_EQ(unit_digest(one, "a", "svd", "m-sdrm"), digest);
  EXPECT_EQ(unit_digest(one, "a", "svd", "codigem"), digest + ".2");
}

TEST_F(UnitStoreTest, AUnitMadeBeforeItsGeneratorChangedIsComputedAgain) {
  Unit old = unit();
  old.key.generator = "codigem";
  open().write(old);
  const fs::path file = out() / "units" / (old.key.text() + ".json");
  const auto written = nlohmann::json::parse(read_file(file));
  ASSERT_TRUE(open().has(old.key));
  nlohmann::json before = written;  // as the program wrote it before the change
  before.erase("sha256");
  before["configuration"] = configuration_digest(configuration(), "a", "svd");
  before["sha256"] = sha256(before.dump());
  std::ofstream(file, std::ios::binary) << before.dump();
  warnings_.clear();
  EXPECT_FALSE(open().has(old.key));
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_NE(warnings_[0].find("of another configuration"), std::string::npos) << warnings_[0];
}

TEST(ConfigurationPrecision, IsNamedUnlessFloat32AndNotMixed) {
  Configuration full = configuration();
  full.device = "cuda";
  EXPECT_EQ(to_json(full).find("precision"), std::string::npos) << "as before there was a choice";
  Configuration rounded = full;
  rounded.precision = "bf16";
  EXPECT_NE(configuration_digest(full, "a", "svd"), configuration_digest(rounded, "a", "svd"));
  for (const auto& pair : {std::pair(full, rounded), std::pair(rounded, full)}) {
    const Configuration& there = pair.first;
    const Configuration& here = pair.second;
    EXPECT_EQ(merge_configuration(to_json(there), there, "folder"), to_json(there));
    const std::string text = error_of(ErrorKind::kUsage, [&] { merge_configuration(to_json(there), here, "folder"); });
    EXPECT_NE(text.find("its matrix products are " + there.precision + ", asked for is " + here.precision), std::string::npos)
        << text;
  }
}

}  // namespace
}  // namespace tapestry::recsys
