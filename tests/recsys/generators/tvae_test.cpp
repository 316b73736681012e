#include "recsys/generators/tvae.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "autograd/category.h"
#include "autograd/elementwise.h"
#include "autograd/loss.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"
#include "autograd/tape.h"
#include "tensor/parallel.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/compare.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using autograd::Variable;
using tests::cells;
using tests::random_tensor;
using tests::random_users;
using tests::relative_error;

constexpr CategoryPlanes kBinaryOfThree = {3, 3, 0};

TvaeConfig small_config() {
  TvaeConfig config;
  config.hidden = 5;
  config.latent = 4;
  config.batch = 16;
  config.epochs = 3;
  return config;
}

struct Made {
  TvaeConfig config;
  nn::Initializer init;
  Tvae model;
  Made(const CategoryPlanes& planes, const TvaeConfig& made_config, DType dtype = DType::kFloat32)
      : config(made_config), init(3, dtype), model(planes, config, init) {}
};

/// Sets a parameter to one value, or to these.
void set(const nn::Module& module, const std::string& wanted, const Tensor& values) {
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    if (parameter.name != wanted) continue;
    copy_bytes(parameter.variable.value().raw_data(), Device::kCpu, values.raw_data(), Device::kCpu,
               static_cast<std::size_t>(values.bytes()));
    return;
  }
  FAIL() << "no parameter " << wanted;
}

TEST(Tvae, ZeroLogitsCostLnTwoPerBinaryColumn) {
  const CsrMatrix marks = CsrMatrix::from_rows(3, {{0, 2}, {}});
  const Variable loss = autograd::category_cross_entropy(kBinaryOfThree, Tensor::zeros({2, 3}, DType::kFloat64), marks);
  EXPECT_NEAR(2 * loss.value().item(), 4.15888, 1e-5);
  const Tensor zeros = Tensor::zeros({2, 4}, DType::kFloat64);
  EXPECT_EQ(sdrm::kl_divergence({zeros, zeros}).value().item(), 0);
}

TEST(Tvae, OneColumnByHand) {
  const CategoryPlanes planes = {1, 1, 0};
  const Variable logits = Variable::parameter(Tensor::from<double>({-0.5, 1.5}, {1, 2}));  // d = 2
  autograd::Tape tape;
  const Variable loss =
      autograd::category_cross_entropy(planes, autograd::difference_columns(planes, logits), CsrMatrix::from_rows(1, {{0}}));
  tape.backward(loss);
  EXPECT_NEAR(loss.value().item(), 0.126928, 1e-6);
  EXPECT_NEAR(logits.gradient().data<double>()[0], 0.119203, 1e-6);
  EXPECT_NEAR(logits.gradient().data<double>()[1], -0.119203, 1e-6);
}

TEST(Tvae, LargeLogitsNeitherOverflowNorLoseTheLoss) {
  const CategoryPlanes planes = {3, 3, 1};
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Tensor d = Tensor::from<double>({500, -500, 300, 800}, {1, 4}).to(dtype);
    const Variable loss = autograd::category_cross_entropy(planes, d, CsrMatrix::from_rows(4, {{0, 1}}));
    EXPECT_NEAR(loss.value().item(), 300 + 500 + 300, 1e-3);  // column 0: 800 - 500; column 1: softplus(-500) + 500
  }
}

/// The whole loss written with dense one-hot rows and all logits.
Variable dense_loss(const Tvae& model, const Tensor& x, const Tensor& noise, double factor) {
  std::map<std::string, Variable> p;
  for (const nn::NamedParameter& parameter : model.named_parameters()) p[parameter.name] = parameter.variable;
  const auto layer = [&](const Variable& in, const std::string& name) {
    return autograd::linear(in, p.at(name + ".weight"), p.at(name + ".bias"));
  };
  Variable h = autograd::relu(autograd::add(autograd::matmul(x, p.at("encoder.0.weight")), p.at("encoder.0.bias")));
  h = autograd::relu(layer(h, "encoder.1"));
  const Tvae::Posterior posterior = {layer(h, "mu"), layer(h, "log_variance")};
  const Variable sigma = autograd::exp(autograd::scale(posterior.log_variance, 0.5));
  h = autograd::relu(layer(autograd::add(posterior.mu, autograd::multiply(sigma, noise)), "decoder.0"));
  const Variable logits = layer(autograd::relu(layer(h, "decoder.1")), "decoder.2");
  // One log-softmax per column.
  const CategoryPlanes planes = model.planes();
  Variable total;
  for (std::int64_t j = 0; j < planes.columns; ++j) {
    std::vector<Variable> own = {autograd::slice_columns(logits, j, j + 1)};
    std::vector<Variable> target = {autograd::slice_columns(x, j, j + 1)};
    const auto add = [&](std::int64_t at) {
      own.push_back(autograd::slice_columns(logits, at, at + 1));
      target.push_back(autograd::slice_columns(x, at, at + 1));
    };
    if (j < planes.two) add(planes.columns + j);
    if (j < planes.three) add(planes.columns + planes.two + j);
    const Variable terms =
        autograd::multiply(autograd::log_softmax(autograd::concat_columns(own)), autograd::concat_columns(target));
    total = total.defined() ? autograd::add(total, autograd::sum(terms)) : autograd::sum(terms);
  }
  return autograd::add(autograd::scale(total, -factor / static_cast<double>(x.rows())), sdrm::kl_divergence(posterior));
}

TEST(Tvae, MarksAndDifferencesEqualTheDenseModel) {
  const TableEncoding table(random_users(30, 9, 0.3, 0.15, 4), TableKind::kTernary);
  const CsrMatrix marks = table.encode(random_users(30, 9, 0.3, 0.15, 4));
  const Made made(table.planes(), small_config(), DType::kFloat64);
  const Tensor noise = random_tensor({30, 4}, 9);
  const auto gradients = [&](const std::function<Variable()>& loss) {
    made.model.clear_gradients();
    autograd::Tape tape;
    const Variable value = loss();
    tape.backward(value);
    std::vector<Tensor> all = {value.value()};
    for (const Variable& parameter : made.model.parameters()) all.push_back(parameter.gradient());
    return all;
  };
  const std::vector<Tensor> fast = gradients([&] { return tvae_loss(made.model, marks, noise, 2).total; });
  const std::vector<Tensor> dense =
      gradients([&] { return dense_loss(made.model, tests::one_hot_rows(table.planes(), marks), noise, 2); });
  for (std::size_t i = 0; i < fast.size(); ++i) EXPECT_FALSE(!(relative_error(fast[i], dense[i]) <= 1e-12)) << i;
}

TEST(Tvae, WholeLossByFiniteDifferences) {
  const CategoryPlanes planes = {4, 3, 1};
  const Made made(planes, small_config(), DType::kFloat64);
  const CsrMatrix marks = CsrMatrix::from_rows(4, {{0}, {1, 3}, {}, {2}});
  const Tensor noise = random_tensor({4, 4}, 2);
  const double error = tests::worst_gradient_error(made.model, [&] { return tvae_loss(made.model, marks, noise, 2).total; });
  EXPECT_FALSE(!(error <= 1e-6)) << error;
}

TEST(Tvae, ColumnsOfOneCategoryCostNothingAndStay) {
  const Interactions rows = {CsrMatrix::from_rows(2, {{1}, {1}, {1}}), {}};  // item 0 unrated, item 1 liked by all
  const TableEncoding table(rows, TableKind::kBinary);
  ASSERT_EQ(table.planes().differences(), 0);
  Made made(table.planes(), small_config());
  std::vector<TvaeEpoch> history;
  fit_tvae(made.model, table.encode(rows), made.config, 1, [&](const TvaeEpoch& epoch) { history.push_back(epoch); });
  EXPECT_EQ(history.back().reconstruction, 0);
  const Interactions drawn = sample_tvae(made.model, table, 7, TvaeDraw::kSample, true, 5);
  EXPECT_EQ(cells(drawn), (std::vector<std::vector<int>>(7, {0, 1})));
}

TEST(Tvae, OneItem) {
  const Interactions rows = {CsrMatrix::from_rows(1, {{0}, {}, {}}), {}};
  const TableEncoding table(rows, TableKind::kBinary);
  Made made(table.planes(), small_config());
  fit_tvae(made.model, table.encode(rows), made.config, 1);
  EXPECT_EQ(sample_tvae(made.model, table, 3, TvaeDraw::kMode, false, 5).likes.rows(), 3);
}

/// A model that gives every cell of `items` items a like with probability 0.02, a little more for later items.
struct Rare {
  static constexpr std::int64_t kItems = 100;
  TableEncoding table{{CsrMatrix::from_rows(kItems, everybody_once()), {}}, TableKind::kBinary};
  Made made{table.planes(), small_config()};

  static std::vector<std::vector<std::int32_t>> everybody_once() {
    std::vector<std::vector<std::int32_t>> rows(3);
    for (std::int32_t item = 0; item < kItems; ++item) rows[0].push_back(item);
    return rows;
  }
  Rare() {
    std::vector<float> bias(2 * kItems, 0);
    for (std::size_t item = 0; item < kItems; ++item) {
      bias[kItems + item] = static_cast<float>(std::log(0.02 / 0.98) + 1e-3 * static_cast<double>(item));
    }
    set(made.model, "decoder.2.weight", Tensor::zeros({2 * kItems, made.config.hidden}));
    set(made.model, "decoder.2.bias", Tensor::from<float>(bias, {2 * kItems}));
  }
  static double density(const CsrMatrix& rows) {
    return static_cast<double>(rows.nnz()) / static_cast<double>(rows.rows() * kItems);
  }
};

TEST(Tvae, TheModeOfARareLikeIsNothing) {
  const Rare rare;
  EXPECT_EQ(sample_tvae(rare.made.model, rare.table, 700, TvaeDraw::kMode, false, 1).likes.nnz(), 0);
  EXPECT_EQ(sample_tvae(rare.made.model, rare.table, 700, TvaeDraw::kTanh, false, 1).likes.nnz(), 0);
  const double drawn = Rare::density(sample_tvae(rare.made.model, rare.table, 700, TvaeDraw::kSample, false, 1).likes);
  EXPECT_NEAR(drawn, 0.021, 0.002);  // 70,000 draws: a deviation of 0.0005
  const Interactions cut = threshold_tvae(rare.made.model, rare.table, {700, 0.02, true}, 1);
  EXPECT_NEAR(Rare::density(cut.likes), 0.02, 0.011);  // whole items, since rows tie
  EXPECT_NEAR(Rare::density(cut.dislikes), 0.02, 0.011);
  for (std::int64_t row = 0; row < 700; ++row) EXPECT_GE(cut.likes.row(row).front(), 97);
}

TEST(Tvae, TanhTiesGoToTheFirstCategoryToAppear) {
  const Interactions rows = {CsrMatrix::from_rows(1, {{0}, {}, {}}), {}};  // a like appears first
  const TableEncoding table(rows, TableKind::kBinary);
  const Made made(table.planes(), small_config());
  set(made.model, "decoder.2.weight", Tensor::zeros({2, made.config.hidden}));
  set(made.model, "decoder.2.bias", Tensor::from<float>({20, 15}, {2}));  // unrated is likelier; tanh is 1 at both
  EXPECT_EQ(sample_tvae(made.model, table, 2, TvaeDraw::kMode, false, 1).likes.nnz(), 0);
  EXPECT_EQ(sample_tvae(made.model, table, 2, TvaeDraw::kTanh, false, 1).likes.nnz(), 2);
}

TEST(Tvae, ThresholdTakesAllOtherCategoriesTogether) {
  const Interactions rows = {CsrMatrix::from_rows(2, {{0, 1}, {}, {}, {}}), CsrMatrix::from_rows(2, {{}, {0}, {}, {}})};
  const TableEncoding table(rows, TableKind::kTernary);
  ASSERT_EQ(table.planes().three, 1);
  const Made made(table.planes(), small_config());
  set(made.model, "decoder.2.weight", Tensor::zeros({5, made.config.hidden}));
  // Odds of a like: item 0 e^1 / (e^0.9 + e^0.9) < item 1 e^0 / e^0.1, although item 0 beats each of its others alone.
  set(made.model, "decoder.2.bias", Tensor::from<float>({0.9f, 0.1f, 1, 0, 0.9f}, {5}));
  const CsrMatrix likes = threshold_tvae(made.model, table, {4, 0.5}, 1).likes;
  for (std::int64_t row = 0; row < 4; ++row) EXPECT_EQ(likes.row(row).front(), 1);
}

TEST(Tvae, SamplesDependOnTheRowAlone) {
  const Interactions rows = random_users(50, 20, 0.4, 0.2, 3);
  const TableEncoding table(rows, TableKind::kTernary);
  const Made made(table.planes(), small_config());
  for (const TvaeDraw draw : {TvaeDraw::kMode, TvaeDraw::kSample}) {
    const auto many = cells(sample_tvae(made.model, table, 620, draw, true, 9));
    auto few = cells(sample_tvae(made.model, table, 510, draw, true, 9));
    EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
    EXPECT_NE(many, cells(sample_tvae(made.model, table, 620, draw, true, 10)));
  }
}

TEST(Tvae, UsersOfAllBatchesAreThoseOfOneComputation) {
  constexpr std::int64_t kRows = 620;  // a batch of 500 and a shorter one
  const TableEncoding table(random_users(50, 20, 0.4, 0.2, 3), TableKind::kTernary);
  const Made made(table.planes(), small_config());
  const Tensor z = random_normal({kRows, made.config.latent}, {9, Purpose::kTableLatent, 0});
  const Tensor logits = made.model.logits(z);
  const auto expect_users = [&](TvaeDraw draw, const Tensor& scores) {
    DrawnUsers expected(table, kRows);
    expected.append(scores);
    EXPECT_EQ(cells(sample_tvae(made.model, table, kRows, draw, true, 9)), cells(expected.take(true)));
  };
  expect_users(TvaeDraw::kMode, logits);
  const Tensor noise = random_gumbel(logits.shape(), {9, Purpose::kTableGumbel, 0});
  expect_users(TvaeDraw::kSample, binary(BinaryOp::kAdd, logits, noise));
}

TEST(Tvae, LearnsThatTwoColumnsAreEqual) {
  std::vector<std::vector<std::int32_t>> likes(200);
  for (std::size_t row = 0; row < likes.size(); row += 2) likes[row] = {0, 1};
  const Interactions rows = {CsrMatrix::from_rows(2, likes), {}};
  const TableEncoding table(rows, TableKind::kBinary);
  TvaeConfig config;
  config.hidden = 32;
  config.latent = 4;
  config.batch = 50;
  config.epochs = 200;
  Made made(table.planes(), config);
  fit_tvae(made.model, table.encode(rows), config, 1);
  std::int64_t equal = 0;
  std::int64_t ones = 0;
  for (const std::vector<int>& row : cells(sample_tvae(made.model, table, 1000, TvaeDraw::kMode, false, 5))) {
    equal += row[0] == row[1] ? 1 : 0;
    ones += row[0];
  }
  EXPECT_GE(equal, 950);
  EXPECT_GT(ones, 200);
  EXPECT_LT(ones, 800);
}

TEST(Tvae, TrainingIsTheSameForAnySeedRepeatedAndAnyThreads) {
  const Interactions rows = random_users(300, 60, 0.3, 0.2, 3);
  const TableEncoding table(rows, TableKind::kTernary);
  const CsrMatrix marks = table.encode(rows);
  TvaeConfig config;  // wide enough to use all threads
  config.batch = 128;
  config.epochs = 2;
  const auto fitted = [&](std::uint64_t seed, int threads) {
    set_num_threads(threads);
    auto made = std::make_unique<Made>(table.planes(), config);
    fit_tvae(made->model, marks, config, seed);
    set_num_threads(0);
    return made;
  };
  const auto once = fitted(1, 1);
  EXPECT_TRUE(tests::same_state(once->model, fitted(1, 1)->model));
  EXPECT_TRUE(tests::same_state(once->model, fitted(1, 3)->model));
  EXPECT_FALSE(tests::same_state(once->model, fitted(2, 1)->model));
}

TEST(Tvae, AnEmptyRowAndAShortBatchAreRowsLikeOthers) {
  const Interactions rows = {CsrMatrix::from_rows(3, {{0}, {}, {1, 2}}), {}};
  const TableEncoding table(rows, TableKind::kBinary);
  Made made(table.planes(), small_config());  // batch 16
  std::vector<double> losses;
  fit_tvae(made.model, table.encode(rows), made.config, 1, [&](const TvaeEpoch& epoch) { losses.push_back(epoch.loss); });
  ASSERT_EQ(losses.size(), 3u);
  for (const double loss : losses) EXPECT_TRUE(std::isfinite(loss));
}

TEST(Tvae, DivergenceNamesEpochAndLoss) {
  const Interactions rows = random_users(20, 6, 0.4, 0, 3);
  const TableEncoding table(rows, TableKind::kBinary);
  Made made(table.planes(), small_config());
  set(made.model, "mu.bias", Tensor::full({4}, std::numeric_limits<double>::quiet_NaN()));
  try {
    fit_tvae(made.model, table.encode(rows), made.config, 1);
    FAIL() << "a loss that is no number went through";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
    const std::string text = error.what();
    EXPECT_NE(text.find("epoch 1: its loss is "), std::string::npos) << text;
    EXPECT_NE(text.find("nan ("), std::string::npos) << text;  // NaN has a sign that means nothing
  }
}

}  // namespace
}  // namespace tapestry::recsys
