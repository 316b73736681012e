// recsys/recommenders/mlp.h: the golden step, the sparse first layer against the plain one, early stopping, edges, determinism.
#include "recsys/recommenders/mlp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "recsys/metrics/ranking.h"
#include "tensor/ops.h"
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
using tapestry::tests::relative_error;
using tapestry::tests::same_bits;
using tapestry::tests::same_state;
using tests::error_of;

/// The stored pattern of a dense 0/1 matrix.
CsrMatrix sparse(const Tensor& dense) {
  std::vector<std::vector<std::int32_t>> rows(static_cast<std::size_t>(dense.rows()));
  for (std::int64_t row = 0; row < dense.rows(); ++row) {
    for (std::int64_t col = 0; col < dense.cols(); ++col) {
      if (dense.data<double>()[row * dense.cols() + col] != 0)
        rows[static_cast<std::size_t>(row)].push_back(static_cast<std::int32_t>(col));
    }
  }
  return CsrMatrix::from_rows(dense.cols(), rows);
}

class GoldenMlp : public testing::TestWithParam<DType> {
 protected:
  GoldenMlp() : golden_(golden_file("mlp_step.txt")), x_(sparse(golden_.tensor("target"))) {
    config_.width = golden_.tensor("initial.first.table").cols();
    config_.first = golden_.tensor("initial.first.bias").numel();
    config_.hidden = golden_.tensor("initial.1.bias").numel();
    config_.learning_rate = golden_.scalar("lr");
    config_.epsilon = golden_.scalar("adam_eps");
    nn::Initializer init(1, GetParam());
    model_ = std::make_unique<MlpModel>(x_.cols(), 7, config_, init);
    tapestry::tests::load_initial(golden_, *model_, GetParam());
  }

  /// Multiplies by the recorded masks "mask_LAYER<suffix>".
  MlpModel::Drop recorded(const std::string& suffix) const {
    return [this, suffix](const Variable& h, int layer) {
      return autograd::multiply(h, golden_.tensor("mask_" + std::to_string(layer) + suffix, GetParam()));
    };
  }

  Golden golden_;
  CsrMatrix x_;
  MlpConfig config_;
  std::unique_ptr<MlpModel> model_;
};

TEST_P(GoldenMlp, LossAndEveryGradient) {
  const auto gradients = std::make_shared<ValueLinearGradients>();
  autograd::Tape tape;
  const Variable logits = model_->logits(x_, recorded(""), gradients);
  const Variable loss = autograd::bce_with_logits(logits, golden_.tensor("target", GetParam()));
  tape.backward(loss);
  EXPECT_TRUE(matches_golden(golden_, "logits", logits.value()));
  EXPECT_TRUE(matches_golden(golden_, "loss", loss.value()));
  EXPECT_TRUE(matches_golden(golden_, "grad.first.weight", model_->first().weight_gradient(*gradients)));
  std::size_t compared = 0;
  for (const nn::NamedParameter& parameter : model_->named_parameters()) {
    if (parameter.name == "first.weight") continue;  // in factors, above
    EXPECT_TRUE(matches_golden(golden_, "grad." + parameter.name, parameter.variable.gradient()));
    ++compared;
  }
  EXPECT_EQ(compared, 8U);
}

TEST_P(GoldenMlp, TenTrainingSteps) {
  optim::Adam adam(model_->dense_parameters(), {.epsilon = config_.epsilon});
  ValueLayer::Update first = model_->first().new_update();
  std::vector<double> losses;
  for (int step = 0; step < 10; ++step) {
    losses.push_back(mlp_update(*model_, adam, first, x_, config_, recorded("_" + std::to_string(step))).item());
  }
  EXPECT_TRUE(matches_golden(golden_, "losses", Tensor::from<double>(losses, {10}).to(GetParam())));
  tapestry::tests::expect_values(golden_, *model_);
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenMlp, testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& test) { return std::string(name(test.param)); });

/// The same layer without the algebra: every entry embedded, then one dense product over all of them.
Variable plain_layer(const CsrMatrix& x, const Variable& table, const Variable& weight, const Variable& bias) {
  const std::int64_t items = x.cols(), width = table.shape()[1], out = bias.shape()[0];
  const Tensor dense = tapestry::dense(x, DType::kFloat32);
  std::vector<std::int32_t> index;
  for (const float value : dense.span<float>()) index.push_back(value != 0 ? 1 : 0);
  const Tensor flat = Tensor::from<std::int32_t>(index, {x.rows() * items});
  const Variable embedded = autograd::reshape(autograd::embedding(table, flat), {x.rows(), items * width});
  return autograd::relu(autograd::add(autograd::matmul(embedded, autograd::reshape(weight, {items * width, out})), bias));
}

TEST(ValueLayer, TrainsAsThePlainCompositionDoes) {
  constexpr std::int64_t kItems = 70, kWidth = 4, kOut = 9;  // three partial sums over items
  nn::Initializer init(3, DType::kFloat64);
  const ValueLayer layer(kItems, kWidth, kOut, 0.5, init);
  ValueLayer::Update update = layer.new_update();
  const auto parameter = [](const Variable& of) { return Variable::parameter(of.value().clone()); };
  const Variable table = parameter(layer.table()), weight = parameter(layer.weight()), bias = parameter(layer.bias());
  const optim::AdamOptions options = {.epsilon = 1e-7};
  optim::Adam plain({table, weight, bias}, options), ours({layer.table(), layer.bias()}, options);
  for (int step = 0; step < 10; ++step) {
    // Rows of 0 to 69 items; from step 5 on one without any.
    std::vector<std::vector<std::int32_t>> rows = {{0, 31, 32, 69}, {5}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 34}};
    for (auto& row : rows) {
      for (auto& item : row) item = (item + 7 * step) % static_cast<std::int32_t>(kItems);
    }
    if (step >= 5) rows[1].clear();
    const CsrMatrix x = CsrMatrix::from_rows(kItems, rows);
    const Tensor cotangent =
        random_normal({3, kOut}, {5, Purpose::kTest, static_cast<std::uint32_t>(step)}, 0, 1, DType::kFloat64);
    {
      autograd::Tape tape;
      const Variable y = plain_layer(x, table, weight, bias);
      tape.backward(y, cotangent);
      autograd::Tape own;
      const Variable h = layer.forward(x, update.gradients);
      own.backward(h, cotangent);
      ASSERT_FALSE(!(relative_error(h.value(), y.value()) <= 1e-12)) << step;
    }
    ASSERT_FALSE(!(relative_error(layer.table().gradient(), table.gradient()) <= 1e-11)) << step;
    ASSERT_FALSE(!(relative_error(layer.bias().gradient(), bias.gradient()) <= 1e-12)) << step;
    ASSERT_FALSE(!(relative_error(layer.weight_gradient(*update.gradients), weight.gradient()) <= 1e-12)) << step;
    layer.update_weight(update, ours.prepare(1, 0.05));
    ours.step(0.05);
    plain.step(0.05);
    ours.clear_gradients();
    plain.clear_gradients();
    ASSERT_FALSE(!(relative_error(layer.table().value(), table.value()) <= 1e-10)) << step;
    ASSERT_FALSE(!(relative_error(layer.weight().value(), weight.value()) <= 1e-10)) << step;
  }
}

MlpConfig small_config() {
  MlpConfig config;
  config.width = 4;
  config.first = 24;
  config.hidden = 16;
  config.learning_rate = 5e-3;
  config.max_epochs = 40;
  return config;
}

std::unique_ptr<MlpModel> small_model(std::int64_t items, const MlpConfig& config) {
  nn::Initializer init(4);
  return std::make_unique<MlpModel>(items, 50, config, init);
}

double largest_size(const Tensor& values) {
  double largest = 0;
  for (const float value : values.span<float>()) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

TEST(Mlp, StartsAsTheSheetSays) {
  nn::Initializer init(9);
  const MlpModel model(30, 200, {}, init);
  const Tensor table = model.first().table().value();
  ASSERT_EQ(table.shape(), (Shape{2, 8}));
  for (const float value : table.span<float>()) EXPECT_LE(std::abs(value), 2 * 0.1 / 0.87962 + 1e-6) << "cut at two deviations";
  const double bound = std::sqrt(6.0 / (30 * 8 + 512));
  EXPECT_NEAR(largest_size(model.first().weight().value()), bound, 1e-3 * bound);
  // Table, bias, then weight and bias of the three dense layers: Xavier's bounds, LeCun's for the last.
  const std::vector<autograd::Variable> dense = model.dense_parameters();
  const std::vector<double> bounds = {std::sqrt(6.0 / (512 + 256)), std::sqrt(6.0 / (256 + 256)), std::sqrt(3.0 / 256)};
  for (std::size_t layer = 0; layer < 3; ++layer) {
    EXPECT_NEAR(largest_size(dense[2 + 2 * layer].value()), bounds[layer], 2e-3 * bounds[layer]) << layer;
    EXPECT_EQ(largest_size(dense[3 + 2 * layer].value()), 0) << layer;
  }
  EXPECT_EQ(model.parameter_count(), 16 + 30 * 8 * 512 + 512 + 512 * 256 + 256 + 256 * 256 + 256 + 256 * 30 + 30);
}

TEST(Mlp, StopsAfterPatienceAndRestoresTheBestEpoch) {
  const CsrMatrix rows = grouped_matrix(90, 40, 4, 1);
  const CsrMatrix train = rows.slice_rows(0, 70), valid = rows.slice_rows(70, 90);
  MlpConfig config = small_config();
  config.patience = 3;
  config.min_delta = 0.002;
  auto model = small_model(40, config);
  const MlpFit fit = fit_mlp(*model, train, valid, config, 6);
  ASSERT_LT(fit.history.size(), 40U) << "it stopped by itself";
  EXPECT_EQ(static_cast<std::int64_t>(fit.history.size()), fit.best_epoch + 1 + config.patience);
  EXPECT_EQ(mlp_rmse(*model, valid), fit.best_rmse);
  EXPECT_NE(fit.history.back().rmse, fit.best_rmse);
  EXPECT_LT(fit.best_rmse, 0.8 * fit.history.front().rmse);
  // What came less than min_delta below the best one did not count.
  for (std::size_t e = static_cast<std::size_t>(fit.best_epoch) + 1; e < fit.history.size(); ++e) {
    EXPECT_GE(fit.history[e].rmse, fit.best_rmse - config.min_delta);
  }
  config.min_delta = 10;  // nothing but the first epoch is an improvement
  EXPECT_EQ(fit_mlp(*small_model(40, config), train, valid, config, 6).history.size(), 4U);
}

/// After how many epochs training ends, `forgets`: an improvement starts the count of epochs without one anew.
std::size_t epochs_by_rule(const std::vector<MlpEpoch>& history, double min_delta, std::int64_t patience, bool forgets) {
  double best = std::numeric_limits<double>::infinity();
  std::int64_t without = 0;
  for (std::size_t epoch = 0; epoch < history.size(); ++epoch) {
    const bool improves = history[epoch].rmse < best - min_delta;
    if (improves) best = history[epoch].rmse;
    if (improves && forgets) without = 0;
    if (!improves && ++without == patience) return epoch + 1;
  }
  return history.size();
}

TEST(Mlp, OnlyEpochsInARowWithoutAnImprovementEndTheTraining) {
  const CsrMatrix rows = grouped_matrix(90, 40, 4, 1);
  const CsrMatrix train = rows.slice_rows(0, 70), valid = rows.slice_rows(70, 90);
  MlpConfig config = small_config();
  config.min_delta = -10;  // every epoch: what the errors are does not depend on what ends the training
  const std::vector<MlpEpoch> history = fit_mlp(*small_model(40, config), train, valid, config, 6).history;
  ASSERT_EQ(history.size(), 40U);
  int told_apart = 0;
  for (double delta = 2e-4; delta < 0.05 && told_apart < 3; delta *= 1.1) {
    const std::size_t expected = epochs_by_rule(history, delta, 3, true);
    if (expected == epochs_by_rule(history, delta, 3, false)) continue;
    config.min_delta = delta;
    config.patience = 3;
    EXPECT_EQ(fit_mlp(*small_model(40, config), train, valid, config, 6).history.size(), expected) << delta;
    ++told_apart;
  }
  EXPECT_GT(told_apart, 0) << "no improvement by so much comes after epochs without one";
}

TEST(Mlp, TellsOfEachEpochAtItsEnd) {
  const CsrMatrix rows = grouped_matrix(90, 40, 4, 1);
  std::vector<StageProgress> ends;
  double fraction = 0;
  const FitListener listener = [&](const StageProgress& progress) {
    EXPECT_LE(progress.fraction, 1);
    if (progress.loss) ends.push_back(progress), fraction = progress.fraction;
  };
  const MlpConfig config = small_config();
  const MlpFit fit = fit_mlp(*small_model(40, config), rows.slice_rows(0, 70), rows.slice_rows(70, 90), config, 6, listener);
  ASSERT_EQ(ends.size(), fit.history.size());
  for (std::size_t epoch = 0; epoch < ends.size(); ++epoch) {
    EXPECT_EQ(ends[epoch].epoch, fit.history[epoch].epoch);
    EXPECT_EQ(ends[epoch].loss, fit.history[epoch].loss);
    EXPECT_EQ(ends[epoch].metric, fit.history[epoch].rmse);
    EXPECT_EQ(ends[epoch].metric_name, "RMSE");
  }
  EXPECT_EQ(fraction, 1) << "all of it is done";
}

TEST(Mlp, RmseIsThatOfTheProbabilities) {
  const CsrMatrix rows = grouped_matrix(300, 12, 3, 2);  // more than a tile of users
  const auto model = small_model(12, small_config());
  const Tensor logits = model->logits(rows).value(), x = tapestry::dense(rows, DType::kFloat32);
  double squares = 0;
  for (std::int64_t i = 0; i < logits.numel(); ++i) {
    const double error = 1 / (1 + std::exp(-static_cast<double>(logits.data<float>()[i]))) - x.data<float>()[i];
    squares += error * error;
  }
  EXPECT_NEAR(mlp_rmse(*model, rows), std::sqrt(squares / static_cast<double>(logits.numel())), 1e-7);
}

TEST(Mlp, RunsAwayWithAReason) {
  const CsrMatrix rows = grouped_matrix(40, 20, 2, 1);
  MlpConfig config = small_config();
  config.learning_rate = 1e30;
  const std::string text = error_of(ErrorKind::kFit, [&] { fit_mlp(*small_model(20, config), rows, rows, config, 1); });
  EXPECT_NE(text.find("MLP diverged in epoch 1"), std::string::npos) << text;
  const CsrMatrix none = rows.slice_rows(0, 0);
  error_of(ErrorKind::kFit, [&] { fit_mlp(*small_model(20, config), rows, none, config, 1); });
  error_of(ErrorKind::kFit, [&] { fit_mlp(*small_model(20, config), none, rows, config, 1); });
}

TEST(Mlp, DoesWithOneItemEmptyUsersAndARaggedBatch) {
  MlpConfig config = small_config();
  config.max_epochs = 3;
  const CsrMatrix one_item = CsrMatrix::from_rows(1, {{0}, {}, {0}, {}, {0}});
  EXPECT_TRUE(std::isfinite(fit_mlp(*small_model(1, config), one_item, one_item, config, 1).best_rmse));
  config.batch = 4;  // five rows: the last batch has one
  const CsrMatrix empty = CsrMatrix::from_rows(6, {{}, {}, {}, {}, {}});
  EXPECT_TRUE(std::isfinite(fit_mlp(*small_model(6, config), empty, empty, config, 1).best_rmse));
}

FitData fit_data(const CsrMatrix& real, const CsrMatrix& evaluation, const CsrMatrix& synthetic) {
  FitData data;
  data.block(Block::kReal).likes = real;
  data.block(Block::kEvaluation).likes = evaluation;
  data.block(Block::kSynthetic).likes = synthetic;
  data.order = {Block::kReal, Block::kSynthetic, Block::kEvaluation};
  return data;
}

TEST(Mlp, ValidatesOnTheLastRowsOrOnABlockOfItsOwn) {
  const MlpSplit last = mlp_split(23, 0.2);
  ASSERT_EQ(last.train.size(), 18U) << "floor(0.8 * 23)";
  EXPECT_EQ(last.train.back(), 17);
  EXPECT_EQ(last.valid, (std::vector<std::int32_t>{18, 19, 20, 21, 22}));

  // Stopped on users who are not in the fit: all of its rows train, and the error is theirs.
  const CsrMatrix rows = grouped_matrix(23, 8, 2, 1);
  FitData data = fit_data(rows.slice_rows(0, 10), rows.slice_rows(10, 13), rows.slice_rows(13, 20));
  data.block(Block::kSelection).likes = rows.slice_rows(20, 23);
  MlpConfig config = small_config();
  config.max_epochs = 1;
  MlpRecommender with(config, 5), without(config, 5);
  data.validation = Block::kSelection;
  with.fit(data, {});
  data.validation.reset();
  without.fit(data, {});
  EXPECT_FALSE(same_bits(with.score(0, 3), without.score(0, 3))) << "other rows trained";
  data.block(Block::kSelection).likes = rows.slice_rows(0, 3);
  data.validation = Block::kSelection;
  without.fit(data, {});
  EXPECT_TRUE(same_bits(with.score(0, 3), without.score(0, 3))) << "one epoch, whoever stops it";
}

TEST(Mlp, LearnsTastesAndIsTheSameForAnyNumberOfThreads) {
  const CsrMatrix rows = grouped_matrix(140, 60, 4, 3);
  MlpConfig config = small_config();
  config.first = 64;  // large enough for kernels to use all threads
  config.width = 8;
  const CsrMatrix evaluation = rows.slice_rows(100, 140);
  const FitData data = fit_data(rows.slice_rows(0, 60), evaluation, rows.slice_rows(60, 100));
  MlpRecommender first(config, 5), second(config, 5), other(config, 6);
  EXPECT_THROW(first.score(0, 1), Error);
  set_num_threads(1);
  first.fit(data, {});
  const Tensor scores = first.score(0, 40);
  set_num_threads(2);
  second.fit(data, {});
  EXPECT_TRUE(same_bits(scores, second.score(0, 40)));
  EXPECT_TRUE(same_bits(scores.slice_rows(7, 9).clone(), second.score(7, 9)));
  set_num_threads(0);
  other.fit(data, {});
  EXPECT_FALSE(same_bits(scores, other.score(0, 40)));
  // Own items score above others on average: what the input holds is recognised.
  double own = 0, rest = 0;
  for (std::int64_t user = 0; user < 40; ++user) {
    const Tensor x = tapestry::dense(evaluation.slice_rows(user, user + 1), DType::kFloat32);
    for (std::int64_t item = 0; item < 60; ++item) {
      const double score = scores.data<float>()[user * 60 + item];
      (x.data<float>()[item] != 0 ? own : rest) +=
          score / (x.data<float>()[item] != 0 ? evaluation.row_nnz(user) : 60 - evaluation.row_nnz(user));
    }
  }
  EXPECT_GT(own, rest + 40);
}

}  // namespace
}  // namespace tapestry::recsys
