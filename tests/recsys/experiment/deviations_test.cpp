// recsys/experiment/deviations.h: each deviation that is left out changes what it should and nothing else.
#include "recsys/experiment/deviations.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "recsys/data/simulated.h"
#include "recsys/data/split.h"
#include "recsys/experiment/configuration.h"
#include "recsys/experiment/fit_data.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

using tests::error_of;
using tests::listing;

using Names = std::vector<std::string>;

TEST(Deviations, AreFoundByName) {
  for (const std::string& name : known_deviations()) EXPECT_EQ(joined(parse_deviations(Names{name})), name);
  EXPECT_EQ(joined(parse_deviations(Names{"all"})),
            "dislikes-relevant,dislikes-in-density,selection-leak,tied-layers,sampling-dropout");
  EXPECT_TRUE(parse_deviations(Names{"all", "score-model"}).contains(Deviation::kScoreModel)) << "named";
  EXPECT_EQ(joined(parse_deviations(Names{"tied-layers", "selection-leak"})), "selection-leak,tied-layers");
  const std::string text = error_of(ErrorKind::kUsage, [] { parse_deviations(Names{"dropout"}); });
  EXPECT_NE(text.find("'dropout', there are: dislikes-relevant, dislikes-in-density, selection-leak, tied-layers, "
                      "sampling-dropout, score-model"),
            std::string::npos)
      << text;
}

TEST(Deviations, BelongToWhatIsPublished) {
  const std::set<Deviation> data = {Deviation::kSelectionLeak}, model = {Deviation::kTiedLayers};
  check_deviations(data, ProtocolName::kPublished, sdrm::Variant::kPaper);
  check_deviations(model, ProtocolName::kPublished, sdrm::Variant::kPublished);
  check_deviations({}, ProtocolName::kStrict, sdrm::Variant::kPaper);
  error_of(ErrorKind::kUsage, [&] { check_deviations(data, ProtocolName::kStrict, sdrm::Variant::kPublished); });
  error_of(ErrorKind::kUsage, [&] { check_deviations(model, ProtocolName::kPublished, sdrm::Variant::kPaper); });
  EXPECT_THROW(make_protocol(simulate_dataset(), ProtocolName::kStrict, 1, {}, data), Error);
}

TEST(Deviations, TheModelsOwnAreSwitchedInTheirHyperparameters) {
  const Hyperparameters base = hyperparameters("ml-100k", "svd");
  EXPECT_TRUE(base.score.ties_layers() && base.score.drops_while_sampling());
  EXPECT_EQ(to_json(base).find("tied_layers"), std::string::npos) << "as before when nothing is switched";
  const auto changed = [&](const std::set<Deviation>& without) {
    Hyperparameters values = base;
    leave_out(without, values);
    return values;
  };
  const Hyperparameters untied = changed({Deviation::kTiedLayers}), dry = changed({Deviation::kSamplingDropout});
  EXPECT_TRUE(!untied.score.ties_layers() && untied.score.drops_while_sampling());
  EXPECT_TRUE(dry.score.ties_layers() && !dry.score.drops_while_sampling());
  EXPECT_NE(to_json(untied), to_json(base));
  EXPECT_NE(to_json(dry), to_json(base));
  const Hyperparameters silent = changed({Deviation::kScoreModel});
  EXPECT_TRUE(base.score.removes_noise && !silent.score.removes_noise);
  EXPECT_NE(to_json(silent), to_json(base));
  EXPECT_EQ(untied.score.variant, sdrm::Variant::kPublished);
  EXPECT_EQ(to_json(changed({Deviation::kDislikesRelevant, Deviation::kDislikesInDensity, Deviation::kSelectionLeak})),
            to_json(base));
}

Dataset dataset() {
  SimulationConfig config;
  config.users = 150;
  config.items = 60;
  return simulate_dataset(config);
}

ProtocolData published(const Dataset& data, const std::set<Deviation>& without = {}) {
  return make_protocol(data, ProtocolName::kPublished, 1, {}, without);
}

/// All matrices of a protocol by name, as text.
std::map<std::string, std::string> parts_of(const ProtocolData& data) {
  const auto view = [](const LikesView& likes) {
    return listing(likes.likes.input) + "|" + listing(likes.likes.heldout) + "|" + listing(likes.dislikes);
  };
  const HeldOut early = data.selection(3, 0), late = data.selection(3, 1);
  return {{"train", listing(data.train)},
          {"train_dislikes", listing(data.train_dislikes)},
          {"train_known", listing(data.train_known.likes) + "|" + listing(data.train_known.dislikes)},
          {"generator", listing(data.generator)},
          {"evaluation", listing(data.evaluation.input) + "|" + listing(data.evaluation.heldout)},
          {"density", std::to_string(data.density)},
          {"synthetic_rows", std::to_string(data.synthetic_rows)},
          {"selection", listing(early.input) + listing(early.heldout) + "|" + listing(late.input) + listing(late.heldout)},
          {"evaluation_likes", view(data.evaluation_likes)},
          {"selection_likes", view(data.selection_likes)},
          {"selects_apart", data.selects_apart ? "yes" : "no"}};
}

std::set<std::string> changed_parts(const ProtocolData& a, const ProtocolData& b) {
  const auto one = parts_of(a), other = parts_of(b);
  std::set<std::string> names;
  for (const auto& [name, text] : one) {
    if (text != other.at(name)) names.insert(name);
  }
  return names;
}

using Parts = std::set<std::string>;

TEST(Deviations, EachChangesItsOwnPartsOfTheProtocolOnly) {
  const Dataset data = dataset();
  const ProtocolData base = published(data);
  EXPECT_EQ(changed_parts(base, published(data, {Deviation::kDislikesRelevant})),
            (Parts{"evaluation", "generator", "selection"}));
  EXPECT_EQ(changed_parts(base, published(data, {Deviation::kDislikesInDensity})), (Parts{"density"}));
  EXPECT_EQ(changed_parts(base, published(data, {Deviation::kSelectionLeak})),
            (Parts{"generator", "selection", "selection_likes", "selects_apart", "train_known"}));
  EXPECT_EQ(changed_parts(base, published(data, {Deviation::kTiedLayers, Deviation::kSamplingDropout, Deviation::kScoreModel})),
            Parts());
}

/// The entries of `all` that `some` lacks, row by row.
CsrMatrix minus(const CsrMatrix& all, const CsrMatrix& some) {
  std::vector<std::vector<std::int32_t>> rows(static_cast<std::size_t>(all.rows()));
  for (std::int64_t row = 0; row < all.rows(); ++row) {
    const auto a = all.row(row), b = some.row(row);
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(rows[static_cast<std::size_t>(row)]));
  }
  return CsrMatrix::from_rows(all.cols(), rows);
}

TEST(Deviations, WithoutDislikesTheHoldOutIsTheSameDrawWithoutThem) {
  const Dataset data = dataset();
  const ProtocolData base = published(data), changed = published(data, {Deviation::kDislikesRelevant});
  const CsrMatrix liked = likes(data.stored).gather_rows(base.evaluation_users);
  const CsrMatrix dislikes = minus(pattern(data.stored).gather_rows(base.evaluation_users), liked);
  EXPECT_GT(minus(base.evaluation.heldout, changed.evaluation.heldout).nnz(), 0);
  EXPECT_EQ(listing(changed.evaluation.heldout), listing(minus(base.evaluation.heldout, dislikes)));
  EXPECT_EQ(listing(changed.evaluation.input), listing(minus(base.evaluation.input, dislikes)));
  EXPECT_EQ(listing(changed.generator), listing(concat_rows(std::vector{base.train, changed.evaluation.input})));
  for (int epoch = 0; epoch < 3; ++epoch) {
    const HeldOut split = changed.selection(5, epoch);
    EXPECT_EQ(split.input.nnz() + split.heldout.nnz(), liked.nnz()) << "everyone here has two likes";
  }
}

TEST(Deviations, DensityWithoutDislikesIsThatOfD) {
  const Dataset data = dataset();
  const ProtocolData changed = published(data, {Deviation::kDislikesInDensity});
  EXPECT_EQ(changed.density,
            static_cast<double>(changed.train.nnz()) / static_cast<double>(changed.train.rows() * changed.train.cols()));
  EXPECT_LT(changed.density, published(data).density);
}

TEST(Deviations, WithoutTheLeakTheTestGroupIsChosenOnAndItsHeldOutLikesAreNotFitted) {
  Dataset data = dataset();
  std::swap(data.parts[1], data.parts[149]);  // groups need not stand together
  data.holdout = published_holdout(data.stored, data.parts);
  const ProtocolData base = published(data), changed = published(data, {Deviation::kSelectionLeak});
  std::vector<std::int32_t> test, rows;  // users and their rows of D
  std::int32_t row = 0;
  for (std::size_t user = 0; user < data.parts.size(); ++user) {
    if (data.parts[user] == Part::kValid) continue;
    if (data.parts[user] == Part::kTest) {
      test.push_back(static_cast<std::int32_t>(user));
      rows.push_back(row);
    }
    ++row;
  }
  const HeldOut selection = changed.selection(1, 0);
  const CsrMatrix liked = likes(data.stored).gather_rows(test);
  EXPECT_EQ(listing(selection.input), listing(minus(liked, selection.heldout)));
  EXPECT_EQ(listing(changed.selection(2, 7).heldout), listing(selection.heldout)) << "one draw for all epochs and runs";
  EXPECT_EQ(listing(changed.generator.gather_rows(rows)), listing(selection.input));
  EXPECT_EQ(changed.generator.nnz(), base.generator.nnz() - selection.heldout.nnz()) << "nothing else is missing";
  EXPECT_EQ(listing(changed.train.gather_rows(rows)), listing(liked)) << "D stays whole";

  const FitData svd = make_fit_data(changed, "svd", "original", "augment", {});
  EXPECT_EQ(listing(svd.stacked_likes()), listing(make_fit_data(base, "svd", "original", "augment", {}).stacked_likes()));
  const FitData neumf = make_fit_data(changed, "neumf", "original", "augment", {});
  EXPECT_EQ(neumf.order, (std::vector<Block>{Block::kReal, Block::kEvaluation, Block::kSelection}));
  EXPECT_EQ(neumf.selection, Block::kSelection);
  EXPECT_EQ(listing(neumf.selection_heldout), listing(selection.heldout));
  EXPECT_EQ(listing(neumf.block(Block::kSelection).likes), listing(selection.input));
  EXPECT_EQ(neumf.stacked_likes().nnz() + selection.heldout.nnz(),
            make_fit_data(base, "neumf", "original", "augment", {}).stacked_likes().nnz());
}

TEST(Deviations, ResultsWithAndWithoutDoNotMix) {
  Configuration with;
  with.version = "1";
  with.datasets = {{"a", "abc", {{"svd", R"({"vae":{"hidden":3}})"}}}};
  EXPECT_EQ(to_json(with).find("without"), std::string::npos) << "as before when nothing is left out";
  Configuration without = with;
  without.without = "tied-layers";
  EXPECT_NE(configuration_digest(with, "a", "svd"), configuration_digest(without, "a", "svd"));
  for (const auto& pair : {std::pair(with, without), std::pair(without, with)}) {
    const Configuration& there = pair.first;
    const Configuration& here = pair.second;
    EXPECT_EQ(merge_configuration(to_json(there), there, "folder"), to_json(there));
    const std::string text = error_of(ErrorKind::kUsage, [&] { merge_configuration(to_json(there), here, "folder"); });
    EXPECT_NE(text.find("without tied-layers"), std::string::npos) << text;
    EXPECT_NE(text.find("with all deviations"), std::string::npos) << text;
  }
}

/// The means of one generator's units.
std::vector<double> means_of(const std::vector<Cell>& cells, const std::string& generator) {
  std::vector<double> means;
  for (const Cell& cell : cells) {
    if (cell.generator == generator) means.insert(means.end(), cell.runs.begin(), cell.runs.end());
  }
  return means;
}

TEST(Deviations, OfSdrmLeaveMultiVaeAsItIs) {
  const TempFolder folder;
  const auto with = [](const std::string& data_set, const std::string& recommender) {
    Hyperparameters values = tiny_values(data_set, recommender);
    values.score.hidden_layers = 2;
    return values;
  };
  ExperimentOptions options = tiny_options(folder.path() / "published");
  options.hyperparameters = with;
  options.runs = 1;
  const std::vector<Cell> base = run(options);
  for (const Deviation deviation : {Deviation::kTiedLayers, Deviation::kSamplingDropout, Deviation::kScoreModel}) {
    options.out = folder.path() / to_string(deviation);
    options.without = {deviation};
    const std::vector<Cell> changed = run(options);
    for (const char* generator : {"original", "multivae++"}) EXPECT_EQ(means_of(changed, generator), means_of(base, generator));
    EXPECT_NE(means_of(changed, "f-sdrm"), means_of(base, "f-sdrm")) << to_string(deviation);
    EXPECT_NE(read_file(options.out / "table.md").find(std::string("published without ") + to_string(deviation)),
              std::string::npos);
    const std::string stages = read_file(options.out / "stages.jsonl");
    EXPECT_EQ(stages.find("sdrm_fit") == std::string::npos, deviation == Deviation::kScoreModel)
        << "what is not asked is not trained: " << stages;
  }
}

}  // namespace
}  // namespace tapestry::recsys
