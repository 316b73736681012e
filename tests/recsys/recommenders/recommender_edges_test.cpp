// recsys/recommenders/mlp.h and neumf.h: what their training refuses (a gradient that would be lost or used twice, a weight decay
// that only some weights would have, a model that ran away), and a fit that follows another one.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "autograd/elementwise.h"
#include "autograd/tape.h"
#include "recsys/recommenders/mlp.h"
#include "recsys/recommenders/neumf.h"
#include "tests/recsys/data/data_support.h"
#include "tests/support/compare.h"
#include "tests/support/misuse.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using autograd::Variable;
using tapestry::tests::expect_misuse;
using tapestry::tests::grouped_matrix;
using tapestry::tests::same_bits;
using tapestry::tests::same_state;
using tests::error_of;

TEST(ValueLayer, AGradientIsUsedOnceAndNoneIsLost) {
  nn::Initializer init(3, DType::kFloat64);
  const ValueLayer layer(5, 2, 3, 0.5, init);
  const CsrMatrix x = CsrMatrix::from_rows(5, {{0, 3}, {4}});
  const Tensor cotangent = Tensor::full({2, 3}, 1, DType::kFloat64);
  const Tensor factors = optim::adam_factors({}, 0.1, 1, 1, DType::kFloat64);
  ValueLayer::Update update = layer.new_update();
  const auto sweep = [&](const std::shared_ptr<ValueLinearGradients>& gradients) {
    autograd::Tape tape;
    tape.backward(layer.forward(x, gradients), cotangent);
  };
  expect_misuse([&] { layer.update_weight(update, factors); }, {"update_weight", "no backward sweep"});
  sweep(update.gradients);
  layer.update_weight(update, factors);
  const Tensor once = layer.weight().value().clone();
  expect_misuse([&] { layer.update_weight(update, factors); }, {"update_weight", "no backward sweep"});
  EXPECT_TRUE(same_bits(layer.weight().value(), once)) << "a gradient of the sweep before moved it again";
  sweep(update.gradients);
  expect_misuse([&] { sweep(update.gradients); }, {"value_linear", "[5, 2, 3]", "not been used"});

  sweep({});  // W is a constant here

  update = layer.new_update();
  autograd::Tape tape;
  const Variable twice = autograd::add(layer.forward(x, update.gradients), layer.forward(x, update.gradients));
  expect_misuse([&] { tape.backward(twice, cotangent); }, {"value_linear", "not been used"});
}

MlpConfig small_config() { return {.width = 3, .first = 12, .hidden = 8, .learning_rate = 5e-3}; }

std::unique_ptr<MlpModel> small_model(std::int64_t items, const MlpConfig& config) {
  nn::Initializer init(4);
  return std::make_unique<MlpModel>(items, 50, config, init);
}

// What no loss and no validation tells: behind a bias of minus infinity a ReLU gives zeros.
TEST(Mlp, AModelWhoseLastUpdateRanAwayIsNotKept) {
  const CsrMatrix rows = grouped_matrix(40, 20, 2, 1);
  MlpConfig config = small_config();
  config.max_epochs = 1;
  const auto model = small_model(20, config);
  const FitListener poison = [&](const StageProgress& progress) {
    if (!progress.loss) model->first().bias().value().data<float>()[3] = -std::numeric_limits<float>::infinity();
  };
  const std::string text = error_of(ErrorKind::kFit, [&] { fit_mlp(*model, rows, rows, config, 1, poison); });
  EXPECT_NE(text.find("MLP diverged in its last update: entry 3 of its parameter first.bias is -inf"), std::string::npos) << text;
}

TEST(Mlp, ASecondFitStartsWithMomentsOfItsOwn) {
  const CsrMatrix rows = grouped_matrix(40, 20, 2, 1);
  MlpConfig config = small_config();
  config.max_epochs = 2;
  const auto again = small_model(20, config), loaded = small_model(20, config);
  fit_mlp(*again, rows, rows, config, 1);
  loaded->load_state(again->state());
  EXPECT_TRUE(same_bits(loaded->logits(rows).value(), again->logits(rows).value())) << "loaded weights score at once";
  fit_mlp(*again, rows, rows, config, 2);
  fit_mlp(*loaded, rows, rows, config, 2);
  EXPECT_TRUE(same_state(*again, *loaded));
}

TEST(Mlp, AWeightDecayThatMostOfItWouldNotHaveIsRefused) {
  const MlpConfig config = small_config();
  const auto model = small_model(20, config);
  const CsrMatrix rows = grouped_matrix(4, 20, 2, 1);
  ValueLayer::Update first = model->first().new_update();
  optim::Adam decaying(model->dense_parameters(), {.l2 = 1e-4}), shrinking(model->dense_parameters(), {.decoupled = 0.25});
  expect_misuse([&] { mlp_update(*model, decaying, first, rows, config, {}); }, {"mlp_update", "l2 0.0001"});
  expect_misuse([&] { mlp_update(*model, shrinking, first, rows, config, {}); }, {"mlp_update", "decoupled 0.25"});
}

// One update: its loss is from before it, and no triple is left to validate on.
TEST(FitNeuMf, AModelWhoseLastUpdateRanAwayIsNotKept) {
  Triples all;
  for (std::int32_t i = 0; i < 60; ++i) all.add(i % 10, i % 7, i % 3 == 0 ? 1.0f : 0.0f);
  NeuMfConfig config;
  config.gmf_width = 3;
  config.mlp_width = 8;
  config.batch = 4096;
  config.learning_rate = std::numeric_limits<double>::infinity();
  config.selection = NeuMfSelection::kFirstEpoch;
  config.validation_share = 0;
  nn::Initializer init(7);
  NeuMfModel model(10, 7, config, init);
  const std::string text = error_of(ErrorKind::kFit, [&] { fit_neumf(model, all, config, 1, {}); });
  EXPECT_NE(text.find("NeuMF diverged in its last update: entry "), std::string::npos) << text;
}

}  // namespace
}  // namespace tapestry::recsys
