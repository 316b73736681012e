// recsys/recommenders/mlp.h and neumf.h: fits beside the same updates written out, each number from its own stream.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "recsys/data/split.h"
#include "recsys/metrics/ranking.h"
#include "recsys/recommenders/mlp.h"
#include "recsys/recommenders/neumf.h"
#include "tensor/ops.h"
#include "tests/support/compare.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using tests::grouped_matrix;
using tests::same_bits;
using tests::same_state;

constexpr std::uint64_t kSeed = 6;

std::vector<std::int32_t> order_from(std::int64_t count, const RandomStream& stream) {
  RandomSequence random(stream);
  return shuffled(count, [&](std::uint32_t bound) { return random.below(bound); });
}

/// Dropout as update `update` of a fit has it: every layer has a stream of its own.
MlpModel::Drop dropped(double p, std::uint32_t update) {
  return [=](const autograd::Variable& h, int layer) {
    return autograd::dropout(h, p, {derive_seed(kSeed, static_cast<std::uint64_t>(layer)), Purpose::kRecommenderDropout, update});
  };
}

TEST(FitMlp, IsTheLoopWrittenOutBitForBit) {
  const CsrMatrix rows = grouped_matrix(60, 20, 4, 1);
  const CsrMatrix train = rows.slice_rows(0, 40), valid = rows.slice_rows(40, 60);
  MlpConfig config;
  config.width = 4;
  config.first = 12;
  config.hidden = 8;
  config.batch = 16;  // 16 + 16 + 8 rows
  config.max_epochs = 3;
  config.min_delta = -10;  // every epoch is an improvement, the last one's weights are kept
  nn::Initializer init(4), same_init(4);
  MlpModel expected(20, 50, config, init), fitted(20, 50, config, same_init);
  const MlpFit fit = fit_mlp(fitted, train, valid, config, kSeed);
  ASSERT_EQ(fit.history.size(), 3U);

  optim::Adam adam(expected.dense_parameters(), {.epsilon = config.epsilon});
  ValueLayer::Update first = expected.first().new_update();
  std::uint32_t updates = 0;
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
    const std::vector<std::int32_t> order = order_from(40, {kSeed, Purpose::kShuffle, epoch});
    double losses = 0;
    for (std::size_t begin = 0; begin < 40; begin += 16) {
      const CsrMatrix batch = train.gather_rows(std::span(order).subspan(begin, std::min<std::size_t>(16, 40 - begin)));
      losses += mlp_update(expected, adam, first, batch, config, dropped(config.dropout, updates++)).item();
    }
    EXPECT_DOUBLE_EQ(fit.history[epoch].loss, losses / 3);
    EXPECT_EQ(fit.history[epoch].rmse, mlp_rmse(expected, valid));
  }
  EXPECT_EQ(fit.best_epoch, 2);
  EXPECT_TRUE(same_state(fitted, expected));
}

/// Likes and dislikes of 30 users: every third item that is not liked is disliked.
Triples grouped_triples() {
  const CsrMatrix liked = grouped_matrix(30, 24, 3, 5);
  Triples all;
  for (std::int32_t user = 0; user < 30; ++user) {
    const std::span<const std::int32_t> row = liked.row(user);
    for (std::int32_t item = 0; item < 24; ++item) {
      const bool likes = std::binary_search(row.begin(), row.end(), item);
      if (likes || item % 3 == 0) all.add(user, item, likes ? 1 : 0);
    }
  }
  return all;
}

/// The split of an epoch, a fifth of the triples to validate on: from one stream what validates, from another which zeros come
/// again, from a third the order.
EpochTriples written_split(const Triples& all, std::uint32_t epoch) {
  EpochTriples split;
  std::vector<std::int32_t> order = order_from(static_cast<std::int64_t>(all.size()), {kSeed, Purpose::kTriples, 2 * epoch});
  const std::size_t cut = all.size() * 4 / 5;
  split.valid.assign(order.begin() + static_cast<std::ptrdiff_t>(cut), order.end());
  order.resize(cut);
  std::vector<std::int32_t> zeros;
  for (const std::int32_t at : order) {
    if (all.labels[static_cast<std::size_t>(at)] == 0) zeros.push_back(at);
  }
  RandomSequence random({kSeed, Purpose::kNegatives, 2 * epoch});
  for (std::size_t ones = cut - zeros.size(); ones > 0; --ones) {
    order.push_back(zeros[random.below(static_cast<std::uint32_t>(zeros.size()))]);
  }
  for (const std::int32_t at : order_from(static_cast<std::int64_t>(order.size()), {kSeed, Purpose::kTriples, 2 * epoch + 1})) {
    split.train.push_back(order[static_cast<std::size_t>(at)]);
  }
  return split;
}

TEST(FitNeuMf, IsTheLoopWrittenOutBitForBit) {
  const Triples all = grouped_triples();
  NeuMfConfig config;
  config.gmf_width = 3;
  config.mlp_width = 8;
  config.batch = 64;
  config.max_epochs = 3;
  nn::Initializer init(7), same_init(7);
  const NeuMfModel expected(30, 24, config, init);
  NeuMfModel fitted(30, 24, config, same_init);
  double rising = 0;  // the last epoch's weights are kept
  const NeuMfFit fit = fit_neumf(fitted, all, config, kSeed, [&](const NeuMfModel&) { return rising += 0.1; });
  ASSERT_EQ(fit.history.size(), 3U);

  optim::Adam adam(expected.parameters());
  std::uint32_t updates = 0;
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
    const EpochTriples split = written_split(all, epoch);
    double losses = 0;
    int batches = 0;
    for (std::size_t begin = 0; begin < split.train.size(); begin += 64, ++batches) {
      const auto positions = std::span(split.train).subspan(begin, std::min<std::size_t>(64, split.train.size() - begin));
      const TripleTensors batch(all, positions, DType::kFloat32, Device::kCpu);
      losses += neumf_update(expected, adam, batch, config, dropped(config.dropout, updates++)).item();
    }
    EXPECT_NE(split.train.size() % 64, 0U) << "the last batch is shorter";
    EXPECT_DOUBLE_EQ(fit.history[epoch].loss, losses / batches);
    const TripleTensors valid(all, split.valid, DType::kFloat32, Device::kCpu);
    EXPECT_EQ(fit.history[epoch].validation_loss, neumf_loss(expected, valid));
  }
  EXPECT_EQ(fit.kept_epoch, 2);
  EXPECT_TRUE(same_state(fitted, expected));
}

TEST(MlpRecommender, TrainsOnTheFirstFourFifthsOfTheStackFromItsOwnSeeds) {
  const CsrMatrix rows = grouped_matrix(45, 20, 4, 1);
  FitData data;
  data.block(Block::kReal).likes = rows.slice_rows(0, 20);
  data.block(Block::kSynthetic).likes = rows.slice_rows(20, 35);
  data.block(Block::kEvaluation).likes = rows.slice_rows(35, 45);
  data.order = {Block::kReal, Block::kSynthetic, Block::kEvaluation};
  const MlpConfig config = {.width = 4, .first = 12, .hidden = 8, .max_epochs = 2};
  MlpRecommender recommender(config, kSeed);
  recommender.fit(data, {});
  nn::Initializer init(derive_seed(kSeed, 1));
  MlpModel model(20, 35, config, init);  // the table knows nothing of the evaluation users
  const MlpFit fit = fit_mlp(model, rows.slice_rows(0, 36), rows.slice_rows(36, 45), config, derive_seed(kSeed, 2));
  EXPECT_EQ(recommender.history().history.back().rmse, fit.history.back().rmse);
  EXPECT_TRUE(same_bits(recommender.score(3, 10), model.logits(rows.slice_rows(38, 45)).value()));
  EXPECT_EQ(recommender.masked().rows(), 10);
}

TEST(MlpConfig, IsThePapers) {
  const MlpConfig config;
  EXPECT_EQ(config.dropout, 0.5);
  EXPECT_EQ(config.learning_rate, 1e-3);
  EXPECT_EQ(config.epsilon, 1e-7);
  EXPECT_EQ(config.batch, 16);
  EXPECT_EQ(config.max_epochs, 200);
  EXPECT_EQ(config.patience, 10);
  EXPECT_EQ(config.min_delta, 1e-3);
  EXPECT_EQ(config.validation_share, 0.2);
}

TEST(NeuMfConfig, IsThePapers) {
  const NeuMfConfig config;
  EXPECT_EQ(config.dropout, 0.5);
  EXPECT_EQ(config.learning_rate, 1e-3);
  EXPECT_EQ(config.batch, 256);
  EXPECT_EQ(config.max_epochs, 20);
  EXPECT_EQ(config.validation_share, 0.2);
  EXPECT_EQ(config.selection, NeuMfSelection::kBestRecall);
}

/// 36 users of 24 items: 12 real ones and two dozen of whom every other like is held out.
struct ByTwelves {
  CsrMatrix liked = grouped_matrix(36, 24, 3, 5), heldout;
  std::vector<Interactions> blocks;  ///< the real users, the first dozen, the second

  ByTwelves() {
    std::vector<std::vector<std::int32_t>> input(36), dislikes(36), out(36);
    for (std::size_t user = 0; user < 36; ++user) {
      const std::span<const std::int32_t> row = liked.row(static_cast<std::int64_t>(user));
      for (std::size_t n = 0; n < row.size(); ++n) (user >= 12 && n % 2 == 1 ? out : input)[user].push_back(row[n]);
      for (auto item = static_cast<std::int32_t>(user % 4); item < 24; item += 4) {
        if (!std::binary_search(row.begin(), row.end(), item)) dislikes[user].push_back(item);
      }
    }
    heldout = CsrMatrix::from_rows(24, out);
    const CsrMatrix told = CsrMatrix::from_rows(24, input), disliked = CsrMatrix::from_rows(24, dislikes);
    for (const std::int64_t begin : {0, 12, 24}) {
      blocks.push_back({told.slice_rows(begin, begin + 12), disliked.slice_rows(begin, begin + 12)});
    }
  }

  /// The three dozens as a fit, `second` and `third` being what the last two are.
  FitData data(Block second, Block third, Block chooser) const {
    FitData data;
    data.order = {Block::kReal, second, third};
    for (std::size_t i = 0; i < 3; ++i) data.block(data.order[i]) = blocks[i];
    data.selection = chooser;
    data.selection_heldout = chooser == second ? heldout.slice_rows(12, 24) : heldout.slice_rows(24, 36);
    return data;
  }
};

NeuMfConfig small_neumf(NeuMfSelection selection) {
  return {.gmf_width = 3, .mlp_width = 8, .learning_rate = 0.01, .batch = 16, .max_epochs = 5, .selection = selection};
}

std::vector<double> recalls(const NeuMfRecommender& recommender) {
  std::vector<double> all;
  for (const NeuMfEpoch& epoch : recommender.history().history) all.push_back(epoch.recall);
  return all;
}

/// Recall@10 of the evaluation users, as it would be reported.
double reported_recall(const NeuMfRecommender& recommender, const CsrMatrix& heldout) {
  const RowScores score = [&](std::int64_t begin, std::int64_t end) { return recommender.score(begin, end); };
  return mean_over_users(ranking_metrics(score, {recommender.masked(), heldout}).values("Recall@10")).value;
}

TEST(NeuMfRecommender, ChoosesByTheRowsOfTheUsersWhoChoose) {
  // One and the same fit: whoever is called what, the stack, its triples and every number drawn are the same.
  const ByTwelves users;
  const NeuMfConfig config = small_neumf(NeuMfSelection::kBestRecall);
  NeuMfRecommender second_reported(config, kSeed), second_apart(config, kSeed), third_reported(config, kSeed);
  second_reported.fit(users.data(Block::kEvaluation, Block::kSelection, Block::kEvaluation), {});
  second_apart.fit(users.data(Block::kSelection, Block::kEvaluation, Block::kSelection), {});
  third_reported.fit(users.data(Block::kSelection, Block::kEvaluation, Block::kEvaluation), {});
  EXPECT_EQ(recalls(second_apart), recalls(second_reported)) << "the second dozen chooses, whatever it is called";
  EXPECT_NE(recalls(third_reported), recalls(second_reported));
  const auto kept = [](const NeuMfRecommender& one) {
    return one.history().history[static_cast<std::size_t>(one.history().kept_epoch)].recall;
  };
  EXPECT_EQ(reported_recall(second_reported, users.heldout.slice_rows(12, 24)), kept(second_reported));
  EXPECT_EQ(reported_recall(third_reported, users.heldout.slice_rows(24, 36)), kept(third_reported));
}

TEST(NeuMfRecommender, IsTheFitOfTheStacksTriplesFromItsOwnSeeds) {
  const FitData data = ByTwelves().data(Block::kSelection, Block::kEvaluation, Block::kSelection);
  const NeuMfConfig config = small_neumf(NeuMfSelection::kBestLoss);
  NeuMfRecommender recommender(config, kSeed);
  recommender.fit(data, {});
  nn::Initializer init(derive_seed(kSeed, 1));
  NeuMfModel model(36, 24, config, init);
  const NeuMfFit fit = fit_neumf(model, fit_triples(data), config, derive_seed(kSeed, 2), {});
  EXPECT_EQ(recommender.history().kept_epoch, fit.kept_epoch);
  EXPECT_TRUE(same_bits(recommender.score(0, 12), model.all_items(24, 36)));
}

TEST(NeuMfRecommender, NeedsTheUsersWhoChooseInItsFit) {
  FitData data = ByTwelves().data(Block::kSelection, Block::kEvaluation, Block::kSelection);
  data.order.pop_back();
  NeuMfRecommender recommender(small_neumf(NeuMfSelection::kBestRecall), kSeed);
  EXPECT_THROW(recommender.fit(data, {}), Error) << "nor without those who are reported";
  data.selection = Block::kSynthetic;
  data.order = {Block::kReal, Block::kEvaluation};
  EXPECT_THROW(recommender.fit(data, {}), Error);
  EXPECT_THROW(recommender.masked(), Error) << "nothing was fitted";
}

TEST(NeuMfModel, ScoresAllItemsAsItScoresPairsWhateverItsParameters) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {  // by the tower, and by a product per layer
    nn::Initializer init(2, dtype);
    const NeuMfModel model(5, 40, {.gmf_width = 3, .mlp_width = 8}, init);
    std::uint32_t step = 0;
    for (const nn::NamedParameter& parameter : model.named_parameters()) {  // the biases are zero at first
      copy_into(parameter.variable.value(), random_normal(parameter.variable.shape(), {4, Purpose::kTest, step++}, 0, 1, dtype));
    }
    const Tensor scores = model.all_items(1, 4);
    for (std::int32_t user = 1; user < 4; ++user) {
      for (std::int32_t item = 0; item < 40; ++item) {
        const double pair =
            model.logits(Tensor::from<std::int32_t>({user}, {1}), Tensor::from<std::int32_t>({item}, {1})).value().item();
        ASSERT_NEAR(scores.data<float>()[(user - 1) * 40 + item], pair, 1e-4 * (1 + std::abs(pair))) << user << " " << item;
      }
    }
  }
}

TEST(Shares, AreRoundedDownToRowsAndTriplesThatTrain) {
  // Of 8.8 triples eight, of 17.6 rows seventeen.
  Triples ones;
  for (std::int32_t item = 0; item < 11; ++item) ones.add(0, item, 1);
  EXPECT_EQ(split_epoch(ones, 0.2, 1, 0).train.size(), 8U);
  EXPECT_EQ(split_epoch(ones, 0.2, 1, 0).valid.size(), 3U);
  EXPECT_EQ(mlp_split(22, 0.2).train.size(), 17U);
  EXPECT_EQ(mlp_split(22, 0.2).valid.size(), 5U);
  EXPECT_TRUE(mlp_split(1, 0.2).train.empty());
}

TEST(NeuMfLoss, IsTheMeanOverMoreTriplesThanATileHolds) {
  Triples all;
  for (std::int32_t i = 0; i < 20000; ++i) all.add(i % 30, i % 24, i < 12000 ? 1 : 0);
  nn::Initializer init(7);
  const NeuMfModel model(30, 24, {.gmf_width = 3, .mlp_width = 8, .embedding_deviation = 1}, init);
  const TripleTensors triples(all, DType::kFloat32, Device::kCpu);
  double losses = 0;
  for (std::int64_t begin = 0; begin < 20000; begin += 100) losses += neumf_loss(model, triples.slice(begin, begin + 100)) / 200;
  EXPECT_NEAR(neumf_loss(model, triples), losses, 1e-6);
}

}  // namespace
}  // namespace tapestry::recsys
