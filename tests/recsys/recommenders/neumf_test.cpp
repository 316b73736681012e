// recsys/recommenders/neumf.h: the golden step, triples and their splits, masking, ranking, the three rules, determinism.
#include "recsys/recommenders/neumf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "tensor/parallel.h"
#include "tests/recsys/data/data_support.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using autograd::Variable;
using tapestry::tests::Golden;
using tapestry::tests::golden_file;
using tapestry::tests::grouped_matrix;
using tapestry::tests::matches_golden;
using tapestry::tests::same_bits;
using tests::error_of;
using tests::listing;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class GoldenNeuMf : public testing::TestWithParam<DType> {
 protected:
  GoldenNeuMf() : golden_(golden_file("neumf_step.txt")) {
    config_.gmf_width = golden_.tensor("initial.user_gmf.weight").cols();
    config_.mlp_width = golden_.tensor("initial.user_mlp.weight").cols();
    config_.learning_rate = golden_.scalar("lr");
    nn::Initializer init(1, GetParam());
    model_ = std::make_unique<NeuMfModel>(golden_.tensor("initial.user_gmf.weight").rows(),
                                          golden_.tensor("initial.item_gmf.weight").rows(), config_, init);
    tapestry::tests::load_initial(golden_, *model_, GetParam());
    const Tensor users = golden_.tensor("users", DType::kInt32), items = golden_.tensor("items", DType::kInt32);
    for (std::int64_t i = 0; i < users.numel(); ++i) {
      triples_.add(users.data<std::int32_t>()[i], items.data<std::int32_t>()[i],
                   static_cast<float>(golden_.tensor("target").data<double>()[i]));
    }
  }

  NeuMfModel::Drop recorded(const std::string& suffix) const {
    return [this, suffix](const Variable& h, int layer) {
      return autograd::multiply(h, golden_.tensor("mask_" + std::to_string(layer) + suffix, GetParam()));
    };
  }

  Golden golden_;
  NeuMfConfig config_;
  std::unique_ptr<NeuMfModel> model_;
  Triples triples_;
};

TEST_P(GoldenNeuMf, LossAndEveryGradient) {
  autograd::Tape tape;
  const Variable logits =
      model_->logits(golden_.tensor("users", DType::kInt32), golden_.tensor("items", DType::kInt32), recorded(""));
  const Variable loss = autograd::bce_with_logits(logits, golden_.tensor("target", GetParam()));
  tape.backward(loss);
  EXPECT_TRUE(matches_golden(golden_, "logits", logits.value()));
  EXPECT_TRUE(matches_golden(golden_, "loss", loss.value()));
  tapestry::tests::expect_gradients(golden_, *model_);
}

TEST_P(GoldenNeuMf, TenTrainingSteps) {
  optim::Adam adam(model_->parameters());
  const TripleTensors batch(triples_, GetParam(), Device::kCpu);
  std::vector<double> losses;
  for (int step = 0; step < 10; ++step) {
    losses.push_back(neumf_update(*model_, adam, batch, config_, recorded("_" + std::to_string(step))).item());
  }
  EXPECT_TRUE(matches_golden(golden_, "losses", Tensor::from<double>(losses, {10}).to(GetParam())));
  tapestry::tests::expect_values(golden_, *model_);
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenNeuMf, testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& test) { return std::string(name(test.param)); });

/// Two real users, three evaluation users and one synthetic one over seven items. Nobody knows item 6.
FitData small_data() {
  FitData data;
  data.block(Block::kReal) = {CsrMatrix::from_rows(7, {{0, 1}, {}}), CsrMatrix::from_rows(7, {{2}, {3, 4}})};
  data.block(Block::kEvaluation) = {CsrMatrix::from_rows(7, {{1}, {}, {0, 2}}), CsrMatrix::from_rows(7, {{0, 5}, {}, {}})};
  data.block(Block::kSynthetic) = {CsrMatrix::from_rows(7, {{0}}), CsrMatrix::from_rows(7, {{1}})};
  data.order = {Block::kSynthetic, Block::kEvaluation};
  data.selection = Block::kEvaluation;
  data.selection_heldout = CsrMatrix::from_rows(7, {{2}, {1}, {}});
  return data;
}

std::string text_of(const Triples& triples) {
  std::string text;
  for (std::size_t i = 0; i < triples.size(); ++i) {
    text += std::to_string(triples.users[i]) + ":" + std::to_string(triples.items[i]) + "=" +
            std::to_string(static_cast<int>(triples.labels[i])) + " ";
  }
  return text;
}

TEST(NeuMfTriples, AreTheLikesAndDislikesOfTheBlocksInTheFit) {
  FitData data = small_data();
  EXPECT_EQ(text_of(fit_triples(data)), "0:0=1 0:1=0 1:1=1 1:0=0 1:5=0 3:0=1 3:2=1 ");
  data.order = {Block::kReal, Block::kEvaluation};
  EXPECT_EQ(text_of(fit_triples(data)), "0:0=1 0:1=1 0:2=0 1:3=0 1:4=0 2:1=1 2:0=0 2:5=0 4:0=1 4:2=1 ");
  data.order = {Block::kEvaluation, Block::kSynthetic};
  data.misplaced_dislikes = {2, 0};
  EXPECT_EQ(text_of(fit_triples(data)), "0:1=1 0:0=0 0:5=0 2:0=1 2:2=1 3:0=1 3:1=0 3:0=0 3:0=0 ");
  data.order = {Block::kReal, Block::kEvaluation};
  EXPECT_EQ(fit_triples(data).size(), 10U) << "none without synthetic users";
  data.order = {};
  error_of(ErrorKind::kFit, [&] { fit_triples(data); });
}

/// The triples at some positions.
Triples pick(const Triples& all, const std::vector<std::int32_t>& positions) {
  Triples picked;
  for (const std::int32_t position : positions) {
    const auto at = static_cast<std::size_t>(position);
    picked.add(all.users[at], all.items[at], all.labels[at]);
  }
  return picked;
}

/// How often each triple occurs.
std::map<std::string, int> counted(const Triples& all, const std::vector<std::int32_t>& positions) {
  std::map<std::string, int> counts;
  for (const std::int32_t position : positions) ++counts[text_of(pick(all, {position}))];
  return counts;
}

TEST(NeuMfTriples, TensorsHoldTheTriplesAtThePositionsAskedFor) {
  Triples all;
  for (std::int32_t i = 0; i < 5; ++i) all.add(10 + i, 20 + i, i % 2 == 0 ? 1 : 0);
  const std::vector<std::int32_t> positions = {3, 0, 3};
  const TripleTensors some(all, positions, DType::kFloat64, Device::kCpu);
  ASSERT_EQ(some.size(), 3);
  for (std::int64_t i = 0; i < 3; ++i) {
    const std::int32_t at = positions[static_cast<std::size_t>(i)];
    EXPECT_EQ(some.users.data<std::int32_t>()[i], 10 + at);
    EXPECT_EQ(some.items.data<std::int32_t>()[i], 20 + at);
    EXPECT_EQ(some.labels.data<double>()[i], at % 2 == 0 ? 1 : 0);
  }
  EXPECT_EQ(TripleTensors(all, std::vector<std::int32_t>{}, DType::kFloat32, Device::kCpu).size(), 0);
  EXPECT_EQ(TripleTensors(all, DType::kFloat32, Device::kCpu).users.data<std::int32_t>()[4], 14) << "all of them";
}

TEST(NeuMfTriples, EveryEpochSplitsAfreshAndAddsAsManyZerosAsOnes) {
  Triples all;
  for (std::int32_t user = 0; user < 20; ++user) {
    for (std::int32_t item = 0; item < 5; ++item) all.add(user, item, item < 4 ? 1 : 0);  // 80 ones, 20 zeros
  }
  std::set<std::string> seen;
  for (int epoch = 0; epoch < 3; ++epoch) {
    const EpochTriples split = split_epoch(all, 0.2, 1, epoch);
    ASSERT_EQ(split.valid.size(), 20U);
    int ones = 0;
    for (const float label : pick(all, split.train).labels) ones += label == 1;
    const auto valid = counted(all, split.valid), train = counted(all, split.train);
    int drawn_from = 0;
    for (const auto& [triple, times] : train) {
      EXPECT_FALSE(valid.contains(triple)) << triple << " trains and validates";
      if (triple.find("=1") != std::string::npos) {
        EXPECT_EQ(times, 1) << "only zeros are repeated";
      }
      drawn_from += triple.find("=0") != std::string::npos;
    }
    EXPECT_EQ(static_cast<int>(train.size() + valid.size()), 100) << "together they are everything";
    EXPECT_EQ(static_cast<int>(split.train.size()), ones + drawn_from + ones);
    EXPECT_TRUE(seen.insert(text_of(pick(all, split.valid))).second) << "epoch " << epoch << " splits as another one";
    EXPECT_EQ(split_epoch(all, 0.2, 1, epoch).train, split.train) << "the same again";
  }
  EXPECT_NE(split_epoch(all, 0.2, 2, 0).valid, split_epoch(all, 0.2, 1, 0).valid);
}

TEST(NeuMfTriples, WithoutDislikesNoneAreAdded) {
  Triples ones;
  for (std::int32_t item = 0; item < 10; ++item) ones.add(0, item, 1);
  const EpochTriples split = split_epoch(ones, 0.2, 1, 0);
  EXPECT_EQ(split.train.size(), 8U);
  EXPECT_EQ(split.valid.size(), 2U);
}

TEST(NeuMf, MasksWhatAUserHasAndWhatNobodyHas) {
  // Of seven items, 3, 4 and 6 occur neither with the synthetic nor with the evaluation users.
  EXPECT_EQ(listing(neumf_masked(small_data(), Block::kEvaluation)),
            listing(CsrMatrix::from_rows(7, {{0, 1, 3, 4, 5, 6}, {3, 4, 6}, {0, 2, 3, 4, 6}})));
}

TEST(NeuMf, RanksByTheLogitsOfPairs) {
  nn::Initializer init(2);
  const NeuMfModel model(5, 40, {.gmf_width = 3, .mlp_width = 8, .embedding_deviation = 1}, init);
  const Tensor scores = model.all_items(1, 4);
  ASSERT_EQ(scores.shape(), (Shape{3, 40}));
  for (std::int32_t user = 1; user < 4; ++user) {
    for (std::int32_t item = 0; item < 40; ++item) {
      const double pair =
          model.logits(Tensor::from<std::int32_t>({user}, {1}), Tensor::from<std::int32_t>({item}, {1})).value().item();
      ASSERT_FALSE(!(std::abs(scores.data<float>()[(user - 1) * 40 + item] - pair) <= 1e-5)) << user << " " << item;
    }
  }
}

NeuMfConfig small_config(NeuMfSelection selection) {
  NeuMfConfig config;
  config.batch = 16;
  config.max_epochs = 5;
  config.learning_rate = 0.01;
  config.selection = selection;
  return config;
}

Triples grouped_triples() {
  FitData data;
  const CsrMatrix liked = grouped_matrix(30, 24, 3, 5);
  std::vector<std::vector<std::int32_t>> disliked(30);
  for (std::int64_t user = 0; user < 30; ++user) {
    const auto row = liked.row(user);
    for (std::int32_t item = 0; item < 24; item += 3) {
      if (!std::binary_search(row.begin(), row.end(), item)) disliked[static_cast<std::size_t>(user)].push_back(item);
    }
  }
  data.block(Block::kReal) = {liked, CsrMatrix::from_rows(24, disliked)};
  data.order = {Block::kReal};
  return fit_triples(data);
}

std::unique_ptr<NeuMfModel> grouped_model(const NeuMfConfig& config) {
  nn::Initializer init(7);
  return std::make_unique<NeuMfModel>(30, 24, config, init);
}

TEST(NeuMf, EachRuleKeepsItsEpoch) {
  const Triples all = grouped_triples();
  const auto no_recall = [](const NeuMfModel&) -> double { throw std::logic_error("recall was asked for"); };

  NeuMfConfig config = small_config(NeuMfSelection::kFirstEpoch);
  auto first = grouped_model(config);
  EXPECT_EQ(fit_neumf(*first, all, config, 1, no_recall).history.size(), 1U);

  config.selection = NeuMfSelection::kBestLoss;
  auto by_loss = grouped_model(config);
  const NeuMfFit loss_fit = fit_neumf(*by_loss, all, config, 1, no_recall);
  ASSERT_EQ(loss_fit.history.size(), 5U);
  for (const NeuMfEpoch& epoch : loss_fit.history) {
    EXPECT_GE(epoch.validation_loss, loss_fit.history[static_cast<std::size_t>(loss_fit.kept_epoch)].validation_loss);
  }
  const TripleTensors valid(all, split_epoch(all, 0.2, 1, loss_fit.kept_epoch).valid, DType::kFloat32, Device::kCpu);
  EXPECT_EQ(neumf_loss(*by_loss, valid), loss_fit.history[static_cast<std::size_t>(loss_fit.kept_epoch)].validation_loss);

  config.selection = NeuMfSelection::kBestRecall;
  for (const std::vector<double>& recalls :
       std::vector<std::vector<double>>{{.1, .3, .2, .3, kNaN}, {kNaN, .1, 0, 0, 0}, {.3, .1, .1, .1, .1}}) {
    auto by_recall = grouped_model(config);
    std::size_t asked = 0;
    std::vector<std::vector<std::pair<std::string, Tensor>>> states;
    const NeuMfFit fit = fit_neumf(*by_recall, all, config, 1, [&](const NeuMfModel& model) {
      states.push_back(model.state());
      return recalls[asked++];
    });
    const std::size_t expected = recalls[0] == .3 ? 0 : 1;
    ASSERT_EQ(fit.kept_epoch, static_cast<std::int64_t>(expected));
    const auto kept = by_recall->state();
    for (std::size_t i = 0; i < kept.size(); ++i)
      EXPECT_TRUE(same_bits(kept[i].second, states[expected][i].second)) << kept[i].first;
    // The first epoch is the same whatever is kept.
    const auto one = first->state();
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i].second, states[0][i].second)) << one[i].first;
  }
  const std::string text = error_of(
      ErrorKind::kFit, [&] { fit_neumf(*grouped_model(config), all, config, 1, [](const NeuMfModel&) { return kNaN; }); });
  EXPECT_NE(text.find("no number in any of 5 epochs"), std::string::npos) << text;
}

TEST(NeuMf, TellsOfEachEpochAtItsEnd) {
  const Triples all = grouped_triples();
  for (const NeuMfSelection selection : {NeuMfSelection::kFirstEpoch, NeuMfSelection::kBestLoss, NeuMfSelection::kBestRecall}) {
    const NeuMfConfig config = small_config(selection);
    std::vector<StageProgress> ends;
    const auto recall = [](const NeuMfModel&) { return 0.25; };
    const NeuMfFit fit = fit_neumf(*grouped_model(config), all, config, 1, recall, [&](const StageProgress& progress) {
      if (progress.loss) ends.push_back(progress);
    });
    ASSERT_EQ(ends.size(), fit.history.size());
    for (std::size_t i = 0; i < ends.size(); ++i) {
      EXPECT_TRUE(ends[i].epoch == fit.history[i].epoch && ends[i].loss == fit.history[i].loss);
      EXPECT_EQ(ends[i].metric, by_recall(selection) ? 0.25 : fit.history[i].validation_loss);
      EXPECT_EQ(ends[i].metric_name, by_recall(selection) ? "Recall@10" : "validation loss");
    }
    EXPECT_EQ(ends.back().fraction, 1);
  }
}

TEST(NeuMf, LearnsTheLabels) {
  const Triples all = grouped_triples();
  NeuMfConfig config = small_config(NeuMfSelection::kBestLoss);
  config.max_epochs = 20;
  auto model = grouped_model(config);
  const NeuMfFit fit = fit_neumf(*model, all, config, 1, {});
  EXPECT_LT(fit.history.back().loss, 0.6 * fit.history.front().loss);
  EXPECT_LT(neumf_loss(*model, TripleTensors(all, DType::kFloat32, Device::kCpu)), 0.5) << "well below ln 2";
}

TEST(NeuMf, StartsAsTheSheetSays) {
  nn::Initializer init(3);
  const NeuMfModel model(400, 300, {}, init);
  int checked = 0;
  for (const auto& [name, value] : model.state()) {
    double largest = 0, squares = 0;
    for (const float one : value.span<float>()) {
      largest = std::max(largest, std::abs(static_cast<double>(one)));
      squares += static_cast<double>(one) * one;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(value.numel()));
    double bound = -1;
    if (name.starts_with("0.")) bound = std::sqrt(6.0 / (64 + 32));
    if (name.starts_with("1.")) bound = std::sqrt(6.0 / (32 + 16));
    if (name.starts_with("2.")) bound = std::sqrt(6.0 / (16 + 8));
    if (name.starts_with("output.")) bound = std::sqrt(3.0 / 16);
    ++checked;
    if (name.ends_with(".bias")) {
      EXPECT_EQ(largest, 0) << name;
    } else if (bound > 0) {
      EXPECT_LE(largest, bound) << name;
      EXPECT_GT(largest, 0.75 * bound) << name;
    } else {
      EXPECT_NEAR(deviation, 0.01, 0.0005) << name;
    }
  }
  EXPECT_EQ(checked, 4 + 2 * 4) << "embeddings, weights and biases";
}

TEST(NeuMf, AnEpochWhoseLastUpdateRanAwayIsNotKept) {
  // One update: its loss is from before it.
  NeuMfConfig config = small_config(NeuMfSelection::kFirstEpoch);
  config.learning_rate = 1e30;
  config.batch = 1 << 20;
  const std::string text =
      error_of(ErrorKind::kFit, [&] { fit_neumf(*grouped_model(config), grouped_triples(), config, 1, {}); });
  EXPECT_NE(text.find("its validation loss is"), std::string::npos) << text;
}

TEST(NeuMf, RunsAwayWithAReason) {
  NeuMfConfig config = small_config(NeuMfSelection::kBestLoss);
  config.learning_rate = 1e30;
  const std::string text =
      error_of(ErrorKind::kFit, [&] { fit_neumf(*grouped_model(config), grouped_triples(), config, 1, {}); });
  EXPECT_NE(text.find("NeuMF diverged in epoch 1"), std::string::npos) << text;
}

TEST(NeuMf, RecommendsTheSameForAnyNumberOfThreads) {
  const FitData data = small_data();
  NeuMfConfig config = small_config(NeuMfSelection::kBestRecall);
  config.batch = 3;  // the last one is ragged
  const auto scores = [&](int threads, std::uint64_t seed) {
    set_num_threads(threads);
    NeuMfRecommender recommender(config, seed);
    EXPECT_THROW(recommender.score(0, 1), Error);
    recommender.fit(data, {});
    set_num_threads(0);
    EXPECT_EQ(listing(recommender.masked()), listing(neumf_masked(data, Block::kEvaluation)));
    const Tensor all = recommender.score(0, 3);
    EXPECT_TRUE(same_bits(recommender.score(1, 2), all.slice_rows(1, 2).clone()));
    return all;
  };
  EXPECT_TRUE(same_bits(scores(1, 5), scores(2, 5)));
  EXPECT_FALSE(same_bits(scores(1, 5), scores(1, 6)));
}

// The published search strikes the reported users' dislikes from its data: as if they had never told of any.
TEST(NeuMf, WithoutDislikesFitsAndMasksAsIfTheReportedUsersHadNone) {
  const FitData told = small_data();
  FitData untold = told;
  untold.block(Block::kEvaluation).dislikes = no_entries(told.block(Block::kEvaluation).likes);
  const auto fitted = [](const FitData& data, NeuMfSelection selection) {
    auto recommender = std::make_unique<NeuMfRecommender>(small_config(selection), 3);
    recommender->fit(data, {});
    return recommender;
  };
  const auto struck = fitted(told, NeuMfSelection::kBestRecallNoDislikes);
  const auto never = fitted(untold, NeuMfSelection::kBestRecall);
  const auto kept = fitted(told, NeuMfSelection::kBestRecall);
  EXPECT_TRUE(same_bits(struck->score(0, 3), never->score(0, 3)));
  EXPECT_EQ(listing(struck->masked()), listing(never->masked()));
  EXPECT_FALSE(same_bits(struck->score(0, 3), kept->score(0, 3)));
  EXPECT_NE(listing(struck->masked()), listing(kept->masked()));
  for (const NeuMfEpoch& epoch : struck->history().history) EXPECT_FALSE(std::isnan(epoch.recall)) << epoch.epoch;
}

}  // namespace
}  // namespace tapestry::recsys
