// recsys/experiment/fit_data.h: who is in a fit, in which order, and who is measured.
#include "recsys/experiment/fit_data.h"

#include <gtest/gtest.h>

#include "recsys/data/simulated.h"
#include "recsys/experiment/selection.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::recsys {
namespace {

using tests::listing;
using Blocks = std::vector<Block>;

constexpr Block kD = Block::kReal, kE = Block::kEvaluation, kS = Block::kSynthetic, kC = Block::kSelection;

Dataset small_dataset() {
  SimulationConfig config;
  config.users = 120;
  config.items = 60;
  return simulate_dataset(config);
}

TEST(FitData, OrdersBlocksAsTheProtocolSays) {
  const Dataset dataset = small_dataset();
  struct Case {
    ProtocolName protocol;
    const char *recommender, *generator, *setting;
    Blocks order;
  };
  const auto p = ProtocolName::kPublished, s = ProtocolName::kStrict;
  for (const Case& one : {Case{p, "svd", "original", "replace", {kD, kE}},
                          {p, "svd", "m-sdrm", "augment", {kD, kE, kS}},
                          {p, "svd", "ctgan", "replace", {kS, kE}},
                          {p, "mlp", "original", "augment", {kD, kE}},
                          {p, "mlp", "multivae++", "augment", {kD, kE, kS}},
                          {p, "mlp", "f-sdrm", "replace", {kS}},
                          {p, "mlp", "diffrec", "augment", {kD, kS, kE}},
                          {p, "mlp", "tvae", "replace", {kS, kE}},
                          {p, "neumf", "m-sdrm", "replace", {kS, kE}},
                          {s, "mlp", "m-sdrm", "augment", {kD, kE, kS}},
                          {s, "mlp", "diffrec", "replace", {kS, kE}},
                          {s, "neumf", "original", "augment", {kD, kE, kC}},
                          {s, "neumf", "m-sdrm", "replace", {kS, kE, kC}}}) {
    const ProtocolData protocol = make_protocol(dataset, one.protocol, 1);
    const FitData data = make_fit_data(protocol, one.recommender, one.generator, one.setting, {});
    EXPECT_EQ(data.order, one.order) << one.recommender << " " << one.generator << " " << one.setting;
    const bool apart = one.protocol == s && std::string(one.recommender) == "mlp";
    EXPECT_EQ(data.validation, apart ? std::optional(kC) : std::nullopt);
    if (apart) {
      EXPECT_EQ(listing(data.block(kC).likes), listing(protocol.selection(0, 0).input));
    }
  }
}

TEST(FitData, DislikesGoToNeuMfAlone) {
  const Dataset dataset = small_dataset();
  const ProtocolData protocol = make_protocol(dataset, ProtocolName::kPublished, 1);
  const FitData svd = make_fit_data(protocol, "svd", "original", "augment", {});
  EXPECT_EQ(listing(svd.stacked_likes()), listing(protocol.generator)) << "evaluation users' dislikes count as interactions";
  EXPECT_EQ(svd.block(kD).dislikes.nnz(), 0);
  EXPECT_EQ(&heldout_for(protocol, "mlp"), &protocol.evaluation.heldout);
  const FitData neumf = make_fit_data(protocol, "neumf", "original", "augment", {});
  EXPECT_EQ(listing(neumf.block(kD).likes), listing(protocol.train));
  EXPECT_EQ(listing(neumf.block(kD).dislikes), listing(protocol.train_dislikes));
  EXPECT_GT(neumf.block(kD).dislikes.nnz(), 0);
  EXPECT_EQ(listing(neumf.block(kE).likes), listing(protocol.evaluation_likes.likes.input));
  EXPECT_EQ(&heldout_for(protocol, "neumf"), &protocol.evaluation_likes.likes.heldout);
  EXPECT_EQ(neumf.selection, kE);
  EXPECT_EQ(listing(neumf.selection_heldout), listing(heldout_for(protocol, "neumf"))) << "the leak";
  EXPECT_EQ(neumf.first_row(kE), protocol.train.rows());
  EXPECT_THROW(neumf.first_row(kS), Error);
}

TEST(FitData, PublishedNeuMfMisplacesTheDislikesOfTables) {
  const Dataset dataset = small_dataset();
  const std::int64_t items = dataset.stored.cols();
  const Interactions synthetic = {CsrMatrix::from_rows(items, {{}, {}, {1}}), CsrMatrix::from_rows(items, {{}, {2, 3}, {4}})};
  const ProtocolData published = make_protocol(dataset, ProtocolName::kPublished, 1);
  for (const char* generator : {"ctgan", "tvae"}) {
    const FitData data = make_fit_data(published, "neumf", generator, "replace", synthetic);
    EXPECT_EQ(data.misplaced_dislikes.count, 3);
    EXPECT_EQ(data.misplaced_dislikes.user, 1) << "the first has no entry at all and is dropped";
    EXPECT_EQ(data.block(kS).dislikes.nnz(), 0);
    EXPECT_EQ(data.block(kS).dislikes.rows(), 3);
    EXPECT_EQ(data.block(kS).likes.nnz(), 1);
  }
  const auto keeps = [&](const ProtocolData& protocol, const char* generator) {
    const FitData data = make_fit_data(protocol, "neumf", generator, "augment", synthetic);
    return data.misplaced_dislikes.count == 0 && data.block(kS).dislikes.nnz() == 3;
  };
  EXPECT_TRUE(keeps(published, "codigem"));
  EXPECT_TRUE(keeps(make_protocol(dataset, ProtocolName::kStrict, 1), "ctgan"));
}

TEST(FitData, StrictChoosesOnOtherUsersThanItReports) {
  const Dataset dataset = small_dataset();
  const ProtocolData protocol = make_protocol(dataset, ProtocolName::kStrict, 1);
  const FitData data = make_fit_data(protocol, "neumf", "original", "augment", {});
  EXPECT_EQ(data.selection, kC);
  EXPECT_EQ(listing(data.selection_heldout), listing(protocol.selection(0, 0).heldout));
  EXPECT_EQ(listing(data.block(kC).likes), listing(protocol.selection(0, 0).input));
  EXPECT_EQ(listing(heldout_for(protocol, "neumf")), listing(protocol.evaluation.heldout));
}

/// Likes input, held out and half of the dislikes of each user, against the data set.
void expect_likes_view(const LikesView& view, const Dataset& dataset, const std::vector<std::int32_t>& users) {
  ASSERT_EQ(view.likes.input.rows(), static_cast<std::int64_t>(users.size()));
  const CsrMatrix liked = likes(dataset.stored), stored = pattern(dataset.stored);
  for (std::size_t u = 0; u < users.size(); ++u) {
    const auto row = static_cast<std::int64_t>(u);
    const std::int64_t user = users[u];
    const std::int64_t dislikes = stored.row_nnz(user) - liked.row_nnz(user);
    EXPECT_EQ(view.likes.input.row_nnz(row) + view.likes.heldout.row_nnz(row), liked.row_nnz(user));
    EXPECT_EQ(view.dislikes.row_nnz(row), (dislikes + 1) / 2) << "one half, rounded up";
    for (const std::int32_t item : view.dislikes.row(row)) {
      const auto all = stored.row(user), good = liked.row(user);
      EXPECT_TRUE(std::binary_search(all.begin(), all.end(), item) && !std::binary_search(good.begin(), good.end(), item));
    }
  }
}

TEST(FitData, NeuMfSeesLikesAndHalfOfTheDislikes) {
  const Dataset dataset = small_dataset();
  const ProtocolData published = make_protocol(dataset, ProtocolName::kPublished, 1);
  expect_likes_view(published.evaluation_likes, dataset, published.evaluation_users);
  EXPECT_EQ(listing(published.evaluation_likes.likes.heldout),
            listing(dataset.holdout_likes.gather_rows(published.evaluation_users)));
  EXPECT_NE(listing(make_protocol(dataset, ProtocolName::kPublished, 2).evaluation_likes.dislikes),
            listing(published.evaluation_likes.dislikes));
  const ProtocolData strict = make_protocol(dataset, ProtocolName::kStrict, 1);
  expect_likes_view(strict.evaluation_likes, dataset, strict.evaluation_users);
}

}  // namespace
}  // namespace tapestry::recsys
