// The examples of nn/README.md, and what it says of modules, streams and what is not there.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "autograd/elementwise.h"
#include "autograd/loss.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"
#include "autograd/tape.h"
#include "nn/layers.h"
#include "nn/safetensors.h"
#include "tests/support/snippet.h"
#include "tests/support/temp_folder.h"

namespace tapestry {
namespace {

TEST(NnReadmeTest, ExampleWorks) {
  const tests::TempFolder folder;
  const std::filesystem::path path = folder.path() / "model.safetensors";
  // clang-format off: as wide as the document
  nn::Initializer init(/*seed=*/1);
  nn::Sequential model;
  model.add<nn::Linear>(8, 16, init, Activation::kTanh);  // parameters "0.weight" [16, 8] and "0.bias" [16]
  model.add<nn::Dropout>(0.5);
  model.add<nn::Linear>(16, 1, init);  // "2.weight", "2.bias"

  const Tensor x = Tensor::full({4, 8}, 0.5);
  const autograd::Variable trained = model.forward(x, RandomStream{1, Purpose::kTest, /*step=*/0});  // drops units
  const autograd::Variable y = model.forward(x);  // without a stream nothing is random: evaluation

  nn::save_module(model, path, {{"made by", "README.md"}});
  nn::Sequential copy;
  nn::Initializer other(2);
  copy.add<nn::Linear>(8, 16, other, Activation::kTanh);
  copy.add<nn::Dropout>(0.5);
  copy.add<nn::Linear>(16, 1, other);
  nn::load_module(copy, path);  // throws unless names, shapes and types are the model's
  // clang-format on
  EXPECT_EQ(model.named_parameters()[2].name, "2.weight");
  for (std::int64_t row = 0; row < 4; ++row) {
    EXPECT_EQ(copy.forward(x).value().data<float>()[row], y.value().data<float>()[row]);
    EXPECT_NE(trained.value().data<float>()[row], y.value().data<float>()[row]);
  }
}

// clang-format off: as wide as the document
class TwoTower : public nn::Module {
 public:
  TwoTower(std::int64_t items, std::int64_t width, nn::Initializer& init)
      : history_(items, 16, init, Activation::kRelu), item_(items, width, init, /*deviation=*/0.05) {
    user_.add<nn::Dropout>(0.3);
    user_.add<nn::Linear>(16, width, init);
    add_module("history", history_);  // "history.weight", "history.bias"
    add_module("user", user_);        // "user.1.weight", "user.1.bias"
    add_module("item", item_);        // "item.weight"
  }
  /// How well the items [B] (int32) suit the users of these rows: [B, 1].
  autograd::Variable scores(const CsrMatrix& rows, const Tensor& items, const std::optional<RandomStream>& random = {}) const {
    const autograd::Variable user = user_.forward(history_.forward(rows), random);
    return autograd::row_sum(autograd::multiply(user, item_.forward(items)));
  }

 private:
  nn::SparseLinear history_;
  nn::Sequential user_;
  nn::Embedding item_;
};
// clang-format on

TEST(NnReadmeTest, AModuleOfOnesOwnIsTrainedWhole) {
  nn::Initializer init(1);
  const TwoTower model(/*items=*/6, /*width=*/4, init);
  const CsrMatrix rows = CsrMatrix::from_rows(6, {{0, 2}, {1}});
  const Tensor items = Tensor::from<std::int32_t>({3, 5}, {2});
  autograd::Tape tape;
  const autograd::Variable scores = model.scores(rows, items, RandomStream{1, Purpose::kTest, 0});
  EXPECT_EQ(scores.shape(), (Shape{2, 1}));
  tape.backward(autograd::bce_with_logits(scores, Tensor::from<float>({1, 0}, {2, 1})));
  std::vector<std::string> names;
  for (const nn::NamedParameter& parameter : model.named_parameters()) {
    names.push_back(parameter.name);
    EXPECT_TRUE(parameter.variable.gradient().defined()) << parameter.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"history.weight", "history.bias", "user.1.weight", "user.1.bias", "item.weight"}));
}

/// One whose second part is not registered.
class Forgetful : public nn::Module {
 public:
  explicit Forgetful(nn::Initializer& init) : first_(2, 2, init), second(2, 2, init) { add_module("first", first_); }

 private:
  nn::Linear first_;

 public:
  nn::Linear second;
};

TEST(NnReadmeTest, APartThatIsNotRegisteredIsLeftOutAndLoadingAgrees) {
  const tests::TempFolder folder;
  const std::filesystem::path path = folder.path() / "model.safetensors";
  nn::Initializer init(1);
  Forgetful saved(init), loaded(init);
  EXPECT_EQ(saved.parameters().size(), 2U);
  nn::save_module(saved, path);
  const Tensor before = loaded.second.weight().value().clone();
  EXPECT_NO_THROW(nn::load_module(loaded, path));
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(loaded.second.weight().value().span<float>()[i], before.span<float>()[i]);
    EXPECT_NE(saved.second.weight().value().span<float>()[i], before.span<float>()[i]);
  }
}

/// Which of 64 units the dropout of a tower keeps.
std::vector<bool> kept(const std::optional<RandomStream>& stream) {
  nn::Sequential tower;
  tower.add<nn::Dropout>(0.5);
  const Tensor y = tower.forward(Tensor::full({1, 64}, 1), stream).value();
  std::vector<bool> units;
  for (const float unit : y.span<float>()) units.push_back(unit != 0);
  return units;
}

TEST(NnReadmeTest, EachTowerAndEachUpdateNeedAStreamOfTheirOwn) {
  const std::uint64_t seed = 3;
  const RandomStream stream = {seed, Purpose::kTest, /*step=*/0};
  EXPECT_EQ(kept(stream), kept(stream)) << "two towers, or one twice";
  EXPECT_NE(kept(stream), kept(stream.at(1)));
  EXPECT_NE(kept(RandomStream{derive_seed(seed, 0), Purpose::kTest, 0}),
            kept(RandomStream{derive_seed(seed, 1), Purpose::kTest, 0}));
  EXPECT_EQ(kept({}), std::vector<bool>(64, true)) << "without a stream nothing is dropped";
}

TEST(NnReadmeTest, WhatIsNotHereIsMadeAsTheListSays) {
  using autograd::Variable;
  const Variable x = Variable::parameter(Tensor::from<float>({1, 2, 3, 4, 0, -1}, {2, 3}));
  const Variable detached = Variable(x.value());
  EXPECT_FALSE(detached.requires_grad());
  EXPECT_EQ(detached.value().data<float>(), x.value().data<float>());

  const Variable logs = autograd::log_softmax(x), softmax = autograd::exp(logs);
  EXPECT_NEAR(autograd::sum(softmax).value().item(), 2, 1e-6) << "of two rows";
  const Variable loss = autograd::multinomial_nll(x, CsrMatrix::from_rows(3, {{2}, {0}}));  // labels 2 and 0
  EXPECT_NEAR(loss.value().item(), -(logs.value().span<float>()[2] + logs.value().span<float>()[3]) / 2, 1e-6);

  const Variable weight = Variable::parameter(Tensor::from<float>({1, 0, 2}, {1, 3}));
  const Variable pairs = autograd::scale(autograd::matmul(x, x, false, true), 0.1);  // [2, 2]: 1.4 and 0.1, 0.1 and 1.7
  EXPECT_NEAR(autograd::multinomial_nll(pairs, CsrMatrix::from_rows(2, {{0}, {1}})).value().item(),
              (std::log1p(std::exp(0.1 - 1.4)) + std::log1p(std::exp(0.1 - 1.7))) / 2, 1e-6);

  const Tensor y = autograd::linear(x, weight, /*bias=*/{}).value();
  EXPECT_EQ(y.span<float>()[0], 7);
  EXPECT_EQ(y.span<float>()[1], 2);
  const Variable bag = autograd::sparse_matmul(CsrMatrix::from_rows(2, {{0, 1}}), x);
  EXPECT_EQ(bag.value().span<float>()[0], 5);
}

TEST(NnReadmeTest, ShowsTheseExamples) {
  const auto blocks = tests::code_blocks(TAPESTRY_SOURCE_DIR "/nn/README.md");
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_TRUE(tests::is_compiled_in(blocks[0], TAPESTRY_SOURCE_DIR "/tests/nn/readme_test.cpp"));
  EXPECT_TRUE(tests::is_compiled_in(blocks[1], TAPESTRY_SOURCE_DIR "/tests/nn/readme_test.cpp"));
  EXPECT_FALSE(tests::is_compiled_in(blocks[0] + "x\n", TAPESTRY_SOURCE_DIR "/tests/nn/readme_test.cpp"));
}

}  // namespace
}  // namespace tapestry
