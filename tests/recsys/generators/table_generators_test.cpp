// CTGAN and TVAE behind the Generator interface: fitting, drawing, keeping, loading.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "nn/safetensors.h"
#include "recsys/generators/ctgan_generator.h"
#include "recsys/generators/tvae_generator.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/temp_folder.h"

namespace tapestry::recsys {
namespace {

namespace fs = std::filesystem;
using tests::cells;

/// Remembers the stages and warnings.
class Recorder : public StageListener {
 public:
  void begin(const std::string& stage) override { stages.push_back(stage); }
  void advance(const std::string&, const StageProgress& progress) override {
    fractions.push_back(progress.fraction);
    if (progress.epoch) epochs.insert(*progress.epoch);
  }
  void end(const std::string& stage) override { stages.push_back(stage + " done"); }
  void warn(const std::string& message) override { warnings.push_back(message); }

  std::vector<std::string> stages;
  std::vector<double> fractions;
  std::set<std::int64_t> epochs;
  std::vector<std::string> warnings;
};

ProtocolData protocol_of(const CsrMatrix& rows, ProtocolName name = ProtocolName::kStrict) {
  ProtocolData protocol;
  protocol.name = name;
  protocol.generator = rows;
  return protocol;
}

using Generators = std::vector<std::unique_ptr<Generator>>;

Generators generators_of(const std::shared_ptr<TableFamily>& family, const std::vector<std::string>& names) {
  Generators generators;
  for (const std::string& name : names) generators.push_back(make_table_generator(name, family));
  return generators;
}

Generators small_tvae(const std::vector<std::string>& names, const TableSettings& settings) {
  TvaeConfig config;
  config.hidden = 6;
  config.latent = 3;
  config.batch = 20;
  config.epochs = 4;
  return generators_of(make_tvae_family(settings, config), names);
}

Generators small_ctgan(const std::vector<std::string>& names, const TableSettings& settings) {
  CtganConfig config;
  config.hidden = 6;
  config.latent = 3;
  config.batch = 20;
  config.pac = 5;
  config.epochs = 4;
  return generators_of(make_ctgan_family(settings, config), names);
}

struct Kind {
  std::string name;
  std::vector<std::string> names;
  std::function<Generators(const std::vector<std::string>&, const TableSettings&)> make;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {{"tvae", tvae_names(), small_tvae}, {"ctgan", ctgan_names(), small_ctgan}};
  return all;
}

class TableGenerators : public ::testing::TestWithParam<std::size_t> {
 protected:
  static const Kind& kind() { return kinds()[GetParam()]; }
  TableSettings kept(const std::string& configuration = "one") const {
    return {.seed = 7, .folder = {folder_ / "model", folder_ / "history", configuration}};
  }

  tests::TempFolder temp_;
  fs::path folder_ = temp_.path();
  CsrMatrix rows_ = tests::random_users(45, 12, 0.3, 0, 5).likes;
  SampleRequest request_ = {30, 0.1, true};
};

TEST_P(TableGenerators, FitOnceAndDrawTheSameEveryTime) {
  const Generators generators = kind().make(kind().names, {.seed = 7});
  Recorder listener;
  for (const auto& generator : generators) generator->fit(protocol_of(rows_), listener);
  EXPECT_EQ(listener.stages, (std::vector<std::string>{kind().name + "_fit", kind().name + "_fit done"}));
  EXPECT_EQ(listener.epochs, (std::set<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(listener.fractions.back(), 1);
  for (std::size_t i = 0; i < generators.size(); ++i) {
    EXPECT_EQ(generators[i]->name(), kind().names[i]);
    const Interactions drawn = generators[i]->sample(request_, listener);
    EXPECT_EQ(drawn.likes.rows(), 30);
    EXPECT_EQ(drawn.likes.cols(), 12);
    EXPECT_EQ(drawn.dislikes.rows(), 30);
    if (kind().names[i] != "tvae-threshold") {  // which has its own
      for (std::int64_t row = 0; row < 30; ++row) {
        EXPECT_EQ(drawn.dislikes.row_nnz(row), std::min(drawn.likes.row_nnz(row), 12 - drawn.likes.row_nnz(row)));
      }
    }
    EXPECT_EQ(cells(drawn), cells(generators[i]->sample(request_, listener)));
    EXPECT_EQ(listener.stages.back(), "sample_" + kind().names[i] + " done");
  }
}

TEST_P(TableGenerators, SavedAndLoadedDrawsTheSame) {
  Recorder listener;
  const Generators fitted = kind().make(kind().names, {.seed = 7});
  fitted[0]->fit(protocol_of(rows_), listener);
  fitted[0]->save(folder_ / "saved");
  const Generators loaded = kind().make(kind().names, {.seed = 7});
  loaded[0]->load(folder_ / "saved", 12);
  for (std::size_t i = 0; i < fitted.size(); ++i) {
    EXPECT_EQ(cells(fitted[i]->sample(request_, listener)), cells(loaded[i]->sample(request_, listener)));
  }
  const std::size_t before = listener.stages.size();
  loaded[0]->fit(protocol_of(rows_), listener);  // there is nothing left to learn
  EXPECT_EQ(listener.stages.size(), before);
}

/// "ctgan" means the package's law under `published`, the paper's under `strict`, also in a model that was loaded.
TEST_P(TableGenerators, CtganFollowsTheProtocol) {
  if (kind().name != "ctgan") GTEST_SKIP() << "about CTGAN";
  Recorder listener;
  const auto drawn = [&](ProtocolName protocol, const std::string& name, bool loaded) {
    Generators generators = small_ctgan({name}, {.seed = 7, .kind = TableKind::kBinary});
    generators[0]->fit(protocol_of(rows_, protocol), listener);
    if (loaded) {
      generators[0]->save(folder_ / "saved");
      generators = small_ctgan({name}, {.seed = 7});
      generators[0]->load(folder_ / "saved", 12);
    }
    return cells(generators[0]->sample({200, 0.1}, listener));
  };
  for (const bool loaded : {false, true}) {
    EXPECT_EQ(drawn(ProtocolName::kPublished, "ctgan", loaded), drawn(ProtocolName::kPublished, "ctgan-old", loaded));
    EXPECT_EQ(drawn(ProtocolName::kStrict, "ctgan", loaded), drawn(ProtocolName::kStrict, "ctgan-paper", loaded));
  }
  EXPECT_NE(drawn(ProtocolName::kStrict, "ctgan-old", false), drawn(ProtocolName::kStrict, "ctgan-new", false));
}

TEST_P(TableGenerators, ProgressNeverFalls) {
  Recorder listener;
  const Generators generators = kind().make(kind().names, {.seed = 7});
  generators[0]->fit(protocol_of(rows_), listener);
  for (const auto& generator : generators) {
    listener.fractions.clear();
    generator->sample({600, 0.1, true}, listener);  // more than one tile, and two cuts of tvae-threshold
    EXPECT_GE(listener.fractions.size(), 2U) << generator->name();
    EXPECT_TRUE(std::is_sorted(listener.fractions.begin(), listener.fractions.end())) << generator->name();
    EXPECT_EQ(listener.fractions.back(), 1) << generator->name();
  }
}

/// Under `published` the table says disliked, too: an item that all of D dislike is -1 in it and in every user drawn, and 0 for
/// the evaluation users below D.
TEST_P(TableGenerators, APublishedTableHasDislikes) {
  constexpr std::int32_t kDisliked = 11;
  std::vector<std::vector<std::int32_t>> likes, dislikes(45, {kDisliked});
  for (std::int64_t row = 0; row < 45; ++row) {
    likes.emplace_back();
    for (const std::int32_t item : rows_.row(row)) {
      if (item != kDisliked) likes.back().push_back(item);
    }
  }
  Recorder listener;
  const auto fitted = [&](ProtocolName name, std::size_t evaluated) {
    ProtocolData protocol = protocol_of({}, name);
    protocol.train = CsrMatrix::from_rows(12, likes);
    protocol.train_dislikes = CsrMatrix::from_rows(12, dislikes);
    std::vector<std::vector<std::int32_t>> all = likes;
    all.resize(likes.size() + evaluated, {0});
    protocol.generator = CsrMatrix::from_rows(12, all);
    Generators generators = kind().make({kind().name}, {.seed = 7});
    generators[0]->fit(protocol, listener);
    generators[0]->save(folder_ / "saved");
    return std::move(generators[0]);
  };
  // What the saved table says of the item's commonest value: its column has the place of that in every part.
  const auto saved = [&](const std::string& part) {
    const auto tensors = nn::load_tensors(folder_ / ("saved-" + kind().name + ".safetensors")).tensors;
    const auto items = tensors.at("table.items").span<std::int32_t>();
    const auto column = std::find(items.begin(), items.end(), kDisliked) - items.begin();
    return tensors.at("table." + part).span<std::int32_t>()[static_cast<std::size_t>(column)];
  };
  const auto drawn = fitted(ProtocolName::kPublished, 0)->sample(request_, listener);
  EXPECT_EQ(saved("values"), -1);
  EXPECT_EQ(saved("counts"), 45);
  for (const std::vector<int>& user : cells(drawn)) EXPECT_EQ(user[kDisliked], -1);
  fitted(ProtocolName::kPublished, 5);
  EXPECT_EQ(saved("values"), -1);
  EXPECT_EQ(saved("counts"), 45) << "the evaluation users dislike nothing";
  fitted(ProtocolName::kStrict, 0);
  EXPECT_EQ(saved("values"), 0);
}

TEST(TableGeneratorNames, SayWhatIsDrawn) {
  const CsrMatrix rows = tests::random_users(45, 12, 0.3, 0, 5).likes;
  Recorder listener;
  const auto drawn = [&](const Generators& generators, std::size_t which, const SampleRequest& request) {
    generators[0]->fit(protocol_of(rows), listener);
    return generators[which]->sample(request, listener);
  };
  const Generators tvae = small_tvae({"tvae", "tvae-sample", "tvae-threshold"}, {.seed = 7});
  EXPECT_NE(cells(drawn(tvae, 0, {30, 0.1})), cells(drawn(tvae, 1, {30, 0.1})));
  const Interactions cut = drawn(tvae, 2, {30, 0.1, true});
  EXPECT_NEAR(static_cast<double>(cut.likes.nnz()), 36, 2) << "a tenth of 30 x 12";
  EXPECT_NEAR(static_cast<double>(cut.dislikes.nnz()), 36, 2);
  const Generators ctgan = small_ctgan({"ctgan-paper", "ctgan-new"}, {.seed = 7});
  EXPECT_NE(cells(drawn(ctgan, 0, {200, 0.1})), cells(drawn(ctgan, 1, {200, 0.1})));
}

TEST_P(TableGenerators, FilesThatDoNotFitAreRefused) {
  Recorder listener;
  const Generators fitted = kind().make(kind().names, {.seed = 7});
  fitted[0]->fit(protocol_of(rows_), listener);
  fitted[0]->save(folder_ / "saved");
  const auto kind_of_error = [&](const fs::path& stem, std::int64_t items) {
    try {
      kind().make(kind().names, {})[0]->load(stem, items);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::kUsage;
  };
  EXPECT_EQ(kind_of_error(folder_ / "saved", 13), ErrorKind::kData);
  EXPECT_EQ(kind_of_error(folder_ / "absent", 12), ErrorKind::kData);
  const fs::path file = folder_ / ("saved-" + kind().name + ".safetensors");
  fs::resize_file(file, fs::file_size(file) - 8);
  EXPECT_EQ(kind_of_error(folder_ / "saved", 12), ErrorKind::kData);
}

TEST_P(TableGenerators, AKeptModelIsTakenUp) {
  Recorder first;
  const Generators fitted = kind().make(kind().names, kept());
  fitted[0]->fit(protocol_of(rows_), first);
  std::ifstream history(folder_ / ("history-" + kind().name + "_fit.csv"));
  std::string line;
  std::getline(history, line);
  EXPECT_EQ(line,
            kind().name == "tvae" ? "epoch,loss,metric,reconstruction,kl" : "epoch,loss,metric,critic,penalty,cross_entropy");
  const auto commas = std::count(line.begin(), line.end(), ',');
  int lines = 0;
  while (std::getline(history, line)) {
    EXPECT_EQ(line.substr(0, line.find(',')), std::to_string(++lines));
    EXPECT_EQ(line.find(",,"), line.find(',', line.find(',') + 1)) << "no metric: " << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), commas) << line;
  }
  EXPECT_EQ(lines, 4);

  Recorder second;
  const Generators again = kind().make(kind().names, kept());
  again[0]->fit(protocol_of(rows_), second);
  EXPECT_TRUE(second.stages.empty());
  EXPECT_EQ(cells(fitted[0]->sample(request_, first)), cells(again[0]->sample(request_, second)));

  Recorder third;
  kind().make(kind().names, kept("another"))[0]->fit(protocol_of(rows_), third);
  EXPECT_EQ(third.warnings.size(), 1u);
  EXPECT_EQ(third.stages.size(), 2u);

  tests::flip_a_bit(folder_ / ("model-" + kind().name + ".safetensors"));
  Recorder fourth;
  kind().make(kind().names, kept("another"))[0]->fit(protocol_of(rows_), fourth);
  ASSERT_EQ(fourth.warnings.size(), 1u);
  EXPECT_NE(fourth.warnings[0].find("damaged, trained again"), std::string::npos) << fourth.warnings[0];
}

TEST_P(TableGenerators, MisuseIsNamed) {
  Recorder listener;
  EXPECT_THROW(kind().make(kind().names, {})[0]->sample(request_, listener), Error);
  EXPECT_THROW(kind().make(kind().names, {})[0]->save(folder_ / "nothing"), Error);
}

INSTANTIATE_TEST_SUITE_P(All, TableGenerators, ::testing::Range<std::size_t>(0, kinds().size()),
                         [](const auto& param_info) { return kinds()[param_info.param].name; });

}  // namespace
}  // namespace tapestry::recsys
