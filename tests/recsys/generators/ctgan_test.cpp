#include "recsys/generators/ctgan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "autograd/category.h"
#include "autograd/elementwise.h"
#include "autograd/matrix.h"
#include "autograd/tape.h"
#include "tensor/parallel.h"
#include "tests/recsys/generators/ctgan_support.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/compare.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using autograd::Variable;
using Made = tests::SmallCtgan;
using tests::cells;
using tests::random_tensor;
using tests::random_users;
using tests::small_config;

Tensor& parameter(const nn::Module& module, const std::string& name) {
  static Tensor found;
  for (const nn::NamedParameter& one : module.named_parameters()) {
    if (one.name == name) found = one.variable.value();
  }
  return found;
}

void fill(const nn::Module& module, const std::string& name, const std::vector<double>& values) {
  const Tensor& target = parameter(module, name);
  ASSERT_EQ(target.numel(), static_cast<std::int64_t>(values.size())) << name;
  std::copy(values.begin(), values.end(), target.data<double>());
}

Tensor ones(const Shape& shape) { return Tensor::full(shape, 1, DType::kFloat64); }

TEST(Ctgan, LayersGrowByWhatTheyAreGiven) {
  const CategoryPlanes planes = {7, 6, 2};  // C = 15
  CtganConfig config;
  nn::Initializer init(1);
  const CtganGenerator generator(planes, config, init);
  EXPECT_EQ(parameter(generator, "block.0.weight").shape(), (Shape{256, 128}));
  EXPECT_EQ(parameter(generator, "block.0.condition").shape(), (Shape{15, 256}));  // input 128 + C
  EXPECT_EQ(parameter(generator, "block.1.weight").shape(), (Shape{256, 384}));    // input 256 + 128 + C
  EXPECT_EQ(parameter(generator, "output.weight").shape(), (Shape{15, 640}));      // input 640 + C
  EXPECT_EQ(parameter(generator, "output.condition").shape(), (Shape{15, 15}));
  const CtganCritic critic(planes, config, init);
  EXPECT_EQ(parameter(critic, "values.weight").shape(), (Shape{150, 256}));  // 20 C inputs in two parts
  EXPECT_EQ(parameter(critic, "conditions.weight").shape(), (Shape{150, 256}));
  config.batch = 505;
  EXPECT_THROW(CtganCritic(planes, config, init), Error);
}

/// A critic over one binary column and pacs of one row, its layers given, everything kept by dropout, conditions without weight.
struct TinyCritic {
  CtganConfig config;
  std::unique_ptr<Made> made;
  TinyCritic(std::int64_t hidden, const std::vector<double>& w1, const std::vector<double>& w2, const std::vector<double>& w3) {
    config.hidden = hidden;
    config.batch = config.pac = 1;
    made = std::make_unique<Made>(CategoryPlanes{1, 1, 0}, config, DType::kFloat64);
    fill(made->critic, "values.weight", w1);
    fill(made->critic, "conditions.weight", std::vector<double>(static_cast<std::size_t>(2 * hidden), 0));
    fill(made->critic, "1.weight", w2);
    fill(made->critic, "1.bias", std::vector<double>(static_cast<std::size_t>(hidden), 0));
    fill(made->critic, "2.weight", w3);
  }
  double penalty(const std::vector<double>& first) const {
    const auto h = static_cast<std::int64_t>(first.size());
    return made->critic.gradient_penalty(Tensor::from<double>(first, {1, h}), {ones({1, h}), ones({1, h})}, 10).value().item();
  }
};

TEST(Ctgan, PenaltyOfALinearCritic) {
  // Positive units throughout: D(x) = <(1, sqrt 8), x>, a norm of 3.
  const TinyCritic critic(1, {1, std::sqrt(8.0)}, {1}, {1});
  EXPECT_NEAR(critic.penalty({1}), 40, 1e-12);
}

TEST(Ctgan, PenaltyOfTwoUnitsOneOfThemNegative) {
  // W1 = (2, -1)^T, w = (1, 1): at x > 0 the slope is 2 - 0.2 * 1 = 1.8, and 10 (1.8 - 1)^2 = 6.4. The second layer passes on.
  const TinyCritic critic(2, {2, -1, 0, 0}, {1, 0, 0, 1}, {1, 5});  // -0.2 at its second unit has slope 0.2: 5 * 0.2 = 1
  EXPECT_NEAR(critic.penalty({2, -1}), 6.4, 1e-12);
}

TEST(Ctgan, PenaltyWithoutASlopeIsAsLargeAsItGetsAndHasNoGradient) {
  const TinyCritic critic(1, {0, 0}, {1}, {1});
  autograd::Tape tape;
  const Variable penalty = critic.made->critic.gradient_penalty(ones({1, 1}), {ones({1, 1}), ones({1, 1})}, 10);
  tape.backward(penalty);
  EXPECT_EQ(penalty.value().item(), 10);
  for (const nn::NamedParameter& one : critic.made->critic.named_parameters()) {
    if (!one.variable.gradient().defined()) continue;
    for (const double value : one.variable.gradient().span<double>()) EXPECT_EQ(value, 0) << one.name;
  }
}

/// A batch for a critic over a table of 9 items, ternary.
struct Batch {
  Interactions rows = random_users(30, 9, 0.3, 0.2, 4);
  TableEncoding table{rows, TableKind::kTernary};
  Conditions fake_conditions, real_conditions;
  CsrMatrix real;  ///< marks
  CriticBatch batch;
  explicit Batch(const CtganConfig& config) {
    RandomSequence random({5, Purpose::kTest, 0});
    const std::int64_t pacs = config.batch / config.pac;
    batch.fake = category_softmax(table.planes(), random_tensor({config.batch, table.planes().differences()}, 3),
                                  random_tensor({config.batch, table.planes().categories()}, 4), 0.5);
    fake_conditions = draw_conditions(table, ConditionLaw::kLogFrequency, config.batch, random);
    real_conditions = draw_conditions(table, ConditionLaw::kLogFrequency, config.batch, random);
    std::vector<std::int32_t> chosen = tests::random_indices(config.batch, 30, 6);
    real = table.encode(rows).gather_rows(chosen);
    batch.real = packed_marks(table.planes(), config.pac, real, DType::kFloat64);
    batch.conditions = tests::packed(table.planes(), config.pac, {&fake_conditions, &real_conditions});
    batch.mixture = random_tensor({pacs, 1}, 7, 0, 1);
    for (std::uint64_t pass = 0; pass < 3; ++pass) {
      const auto mask = [&](std::uint32_t layer) {
        return dropout(ones({pacs, config.hidden}), 0.5, {pass, Purpose::kTest, layer});
      };
      batch.masks[pass] = {mask(1), mask(2)};
    }
  }
};

TEST(Ctgan, CriticLossByFiniteDifferences) {
  const CtganConfig config = small_config();
  const Batch given(config);
  const Made made(given.table.planes(), config, DType::kFloat64);
  // Well above a norm of 1, so that the penalty carries weight.
  for (const char* name : {"values.weight", "conditions.weight", "1.weight", "2.weight"}) {
    for (double& value : parameter(made.critic, name).span<double>()) value *= 3;
  }
  const double error = tests::worst_gradient_error(made.critic, [&] { return critic_loss(made.critic, given.batch, 10).total; });
  EXPECT_FALSE(!(error <= 1e-6)) << error;
}

/// Conditions as dense one-hot rows, pac by pac.
Tensor dense_conditions(const CategoryPlanes& planes, std::int64_t pac, const Conditions& conditions) {
  const Tensor c = Tensor::zeros({conditions.size(), planes.categories()}, DType::kFloat64);
  for (std::int64_t row = 0; row < c.rows(); ++row) {
    c.data<double>()[row * c.cols() + conditions.position[static_cast<std::size_t>(row)]] = 1;
  }
  return c.reshape({c.rows() / pac, pac * c.cols()});
}

/// The first layer on dense one-hot rows [y, c], pac by pac.
Tensor dense_first_layer(const CtganCritic& critic, const CategoryPlanes& planes, const Tensor& y, const Conditions& conditions) {
  const Tensor c = dense_conditions(planes, critic.pac(), conditions);
  const Tensor a = matmul(y.reshape(c.shape()), parameter(critic, "values.weight"));
  const Tensor b = matmul(c, parameter(critic, "conditions.weight"));
  return binary(BinaryOp::kAdd, binary(BinaryOp::kAdd, a, b), parameter(critic, "0.bias"));
}

TEST(Ctgan, SparseFirstLayerEqualsTheDenseOneAndItsGradients) {
  const CtganConfig config = small_config();
  const Batch given(config);
  const CategoryPlanes& planes = given.table.planes();
  const Made made(planes, config, DType::kFloat64);
  const CriticBatch& batch = given.batch;
  const Tensor real = tests::one_hot_rows(planes, given.real);
  autograd::Tape tape;
  const CtganCritic::FirstLayer layers = made.critic.first_layer(batch.fake, batch.real, batch.conditions);
  const Variable& fake_layer = layers.fake;
  const Variable& real_layer = layers.real;
  EXPECT_LE(tests::relative_error(fake_layer.value(), dense_first_layer(made.critic, planes, batch.fake, given.fake_conditions)),
            1e-13);
  EXPECT_LE(tests::relative_error(real_layer.value(), dense_first_layer(made.critic, planes, real, given.real_conditions)),
            1e-13);
  EXPECT_LE(
      tests::relative_error(made.critic.frozen_first_layer(batch.fake, tests::packed(made.critic, given.fake_conditions)).value(),
                            fake_layer.value()),
      1e-13);

  // dW = x^T dy for both, x dense.
  const Variable difference = autograd::add(autograd::square(fake_layer), autograd::scale(autograd::square(real_layer), 3));
  const Tensor cotangent = random_tensor(difference.shape(), 8);
  tape.backward(difference, cotangent);
  const auto back = [&](const Tensor& layer, double factor) {
    return linear_combination({{factor, binary(BinaryOp::kMultiply, layer, cotangent)}});
  };
  const Tensor fake_c = dense_conditions(planes, config.pac, given.fake_conditions);
  const Tensor real_c = dense_conditions(planes, config.pac, given.real_conditions);
  const auto expect_gradient = [&](std::size_t place, const Tensor& fake_x, const Tensor& real_x) {
    Tensor expected = matmul(fake_x, back(fake_layer.value(), 2), true, false);
    matmul_accumulate(real_x, back(real_layer.value(), 6), true, false, expected);
    EXPECT_LE(tests::relative_error(made.critic.parameters()[place].gradient(), expected), 1e-13) << place;
  };
  expect_gradient(0, batch.fake.reshape(fake_c.shape()), real.reshape(real_c.shape()));
  expect_gradient(1, fake_c, real_c);  // added to the rows of the conditions that there are
}

TEST(Ctgan, RowsOfAPacBelongTogether) {
  const CategoryPlanes planes = {4, 4, 0};
  CtganConfig config = small_config();
  config.pac = 10;
  const Made made(planes, config, DType::kFloat64);
  const Tensor y = random_tensor({20, 8}, 1, 0, 1);
  Conditions conditions;
  for (std::int32_t row = 0; row < 20; ++row) conditions.position.push_back(row % 8);
  const CriticMasks masks = {ones({2, 6}), ones({2, 6})};
  const auto judge = [&](const std::vector<std::int32_t>& order) {
    Conditions moved;
    for (const std::int32_t from : order) moved.position.push_back(conditions.position[static_cast<std::size_t>(from)]);
    const Tensor rows = gather_rows(y, Tensor::from<std::int32_t>(order, {20}));
    return made.critic.judge(made.critic.frozen_first_layer(rows, tests::packed(made.critic, moved)), masks).value();
  };
  std::vector<std::int32_t> order(20);
  std::iota(order.begin(), order.end(), 0);
  const Tensor plain = judge(order);
  ASSERT_EQ(plain.numel(), 2);
  std::vector<std::int32_t> swapped = order;
  std::swap(swapped[2], swapped[5]);
  EXPECT_NE(judge(swapped).data<double>()[0], plain.data<double>()[0]);
  EXPECT_EQ(judge(swapped).data<double>()[1], plain.data<double>()[1]);
  std::rotate(order.begin(), order.begin() + 10, order.end());
  EXPECT_NEAR(judge(order).data<double>()[0], plain.data<double>()[1], 1e-12);
  EXPECT_NEAR(judge(order).data<double>()[1], plain.data<double>()[0], 1e-12);
}

TEST(Ctgan, GumbelArgmaxDrawsFromTheSoftmaxAtAnyTemperature) {
  const CategoryPlanes planes = {1000, 1000, 0};
  const Tensor noise = random_gumbel({100, 2000}, {4, Purpose::kTest, 0});
  std::vector<double> shares;
  for (const double temperature : {0.2, 5.0}) {
    const Tensor y = category_softmax(planes, Tensor::full({100, 1000}, 1), noise, temperature);  // logits (0, 1)
    std::int64_t ones_drawn = 0;
    for (std::int64_t row = 0; row < 100; ++row) {
      for (std::int64_t j = 0; j < 1000; ++j) {
        const float zero = y.data<float>()[row * 2000 + j], one = y.data<float>()[row * 2000 + 1000 + j];
        EXPECT_NEAR(zero + one, 1, 1e-6);
        ones_drawn += one > zero ? 1 : 0;
      }
    }
    shares.push_back(static_cast<double>(ones_drawn) / 1e5);
  }
  EXPECT_NEAR(shares[0], 0.7311, 0.0042);  // three deviations of 10^5 draws
  EXPECT_EQ(shares[0], shares[1]);
}

TEST(Ctgan, CrossEntropySeesTheConditionedColumnOnly) {
  const CategoryPlanes planes = {5, 4, 2};
  const Tensor d = random_tensor({3, 6}, 1);
  const Tensor column = Tensor::from<std::int32_t>({1, 2, 4}, {3});
  const Tensor category = Tensor::from<std::int32_t>({2, 1, 0}, {3});
  const double before = autograd::column_cross_entropy(planes, d, column, category).value().item();
  const double a = d.data<double>()[1], b = d.data<double>()[5], c = d.data<double>()[6 + 2];
  const double by_hand = (std::log(1 + std::exp(a) + std::exp(b)) - b + std::log(1 + std::exp(c)) - c) / 3;
  EXPECT_NEAR(before, by_hand, 1e-12);
  for (std::int64_t i = 0; i < 18; ++i) {
    if (i != 1 && i != 5 && i != 8) d.data<double>()[i] += 3;
  }
  EXPECT_EQ(autograd::column_cross_entropy(planes, d, column, category).value().item(), before);
  EXPECT_THROW(autograd::column_cross_entropy(planes, d, column, Tensor::from<std::int32_t>({2, 1, 1}, {3})), Error);
  const auto refused = [&](const std::vector<std::int32_t>& columns, const std::vector<std::int32_t>& categories) {
    EXPECT_THROW(autograd::column_cross_entropy(planes, d, Tensor::from<std::int32_t>(columns, {3}),
                                                Tensor::from<std::int32_t>(categories, {3})),
                 Error);
  };
  refused({5, 2, 4}, {0, 1, 0});
  refused({1, -1, 4}, {2, 0, 0});
  refused({1, 2, 4}, {-1, 1, 0});
}

TEST(Ctgan, GeneratorLossByFiniteDifferences) {
  const CtganConfig config = small_config();
  const Batch given(config);
  const CategoryPlanes& planes = given.table.planes();
  const Made made(planes, config, DType::kFloat64);
  const Tensor z = random_tensor({config.batch, config.latent}, 11);
  const Tensor noise = random_tensor({config.batch, planes.categories()}, 12);
  const Conditions& conditions = given.fake_conditions;
  // Through the tables too: the rows are part of the tape here.
  const Tensor index = Tensor::from<std::int32_t>(conditions.position, {conditions.size()});
  const double error = tests::worst_gradient_error(made.generator, [&] {
    std::vector<Variable> rows;
    for (const Variable& table : made.generator.tables()) rows.push_back(autograd::embedding(table, index));
    return generator_loss(made.generator, made.critic, rows, tests::packed(made.critic, conditions),
                          tests::targets(planes, conditions, DType::kFloat64), z, noise, given.batch.masks[0], 0.7)
        .total;
  });
  // A bias in front of a batch normalisation has no gradient, which the differences only meet to their own accuracy.
  EXPECT_FALSE(!(error <= 1e-5)) << error;
}

TEST(Ctgan, LearnsThatTwoColumnsAreOpposite) {
  std::vector<std::vector<std::int32_t>> likes(400);
  for (std::size_t row = 0; row < likes.size(); ++row) likes[row] = {static_cast<std::int32_t>(row % 2)};
  const Interactions rows = {CsrMatrix::from_rows(2, likes), {}};
  const TableEncoding table(rows, TableKind::kBinary);
  CtganConfig config;
  config.latent = 8;
  config.hidden = 32;
  config.batch = 100;
  config.epochs = 300;
  config.learning_rate = 1e-3;
  Made made(table.planes(), config);
  fit_ctgan(made.generator, made.critic, table, table.encode(rows), config, 1);
  for (const ConditionLaw law : {ConditionLaw::kFrequency, ConditionLaw::kLogFrequency}) {
    int opposite = 0;
    int first = 0;
    for (const std::vector<int>& row : cells(sample_ctgan(made.generator, table, config, law, 1000, false, 5))) {
      opposite += row[0] != row[1] ? 1 : 0;
      first += row[0];
    }
    EXPECT_GE(opposite, 900);
    EXPECT_GT(first, 250);
    EXPECT_LT(first, 750);
  }
}

TEST(Ctgan, TrainingIsTheSameForAnySeedRepeatedAndAnyThreads) {
  const Interactions rows = random_users(150, 40, 0.3, 0.2, 3);
  const TableEncoding table(rows, TableKind::kTernary);
  const CsrMatrix marks = table.encode(rows);
  CtganConfig config;  // wide enough to use all threads
  config.batch = 100;
  config.epochs = 3;
  const auto fitted = [&](std::uint64_t seed, int threads) {
    set_num_threads(threads);
    auto made = std::make_unique<Made>(table.planes(), config);
    fit_ctgan(made->generator, made->critic, table, marks, config, seed);
    set_num_threads(0);
    return made;
  };
  const auto once = fitted(1, 1);
  const auto again = fitted(1, 3);
  EXPECT_TRUE(tests::same_state(once->generator, fitted(1, 1)->generator));
  EXPECT_TRUE(tests::same_state(once->generator, again->generator));
  EXPECT_TRUE(tests::same_state(once->critic, again->critic));
  EXPECT_FALSE(tests::same_state(once->generator, fitted(2, 1)->generator));
}

TEST(Ctgan, FewerRowsThanABatchEmptyRowsAndFixedColumns) {
  // Item 0: nobody. Item 1: everybody. Item 2: one user. Row 1 has nothing else.
  const Interactions rows = {CsrMatrix::from_rows(3, {{1, 2}, {1}, {1}}), {}};
  const TableEncoding table(rows, TableKind::kBinary);
  Made made(table.planes(), small_config());
  int epochs = 0;
  fit_ctgan(made.generator, made.critic, table, table.encode(rows), made.config, 1, [&](const CtganEpoch& report) {
    EXPECT_TRUE(std::isfinite(report.critic) && std::isfinite(report.generator));
    ++epochs;
  });
  EXPECT_EQ(epochs, 3);
  for (const std::vector<int>& row :
       cells(sample_ctgan(made.generator, table, made.config, ConditionLaw::kFrequency, 33, true, 2))) {
    EXPECT_EQ(row[0], 0);
    EXPECT_EQ(row[1], 1);
  }
}

TEST(Ctgan, OneItemOfOneValue) {
  const Interactions rows = {CsrMatrix::from_rows(1, {{0}, {0}}), {}};
  const TableEncoding table(rows, TableKind::kBinary);
  Made made(table.planes(), small_config());
  std::vector<double> entropies;
  fit_ctgan(made.generator, made.critic, table, table.encode(rows), made.config, 1,
            [&](const CtganEpoch& report) { entropies.push_back(report.cross_entropy); });
  EXPECT_EQ(entropies, std::vector<double>(3, 0));
  EXPECT_EQ(sample_ctgan(made.generator, table, made.config, ConditionLaw::kFirstColumn, 7, false, 2).likes.nnz(), 7);
}

TEST(Ctgan, DivergenceNamesEpochAndLoss) {
  const Interactions rows = random_users(30, 5, 0.4, 0, 3);
  const TableEncoding table(rows, TableKind::kBinary);
  Made made(table.planes(), small_config());
  parameter(made.critic, "0.bias").data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  try {
    fit_ctgan(made.generator, made.critic, table, table.encode(rows), made.config, 1);
    FAIL() << "a loss that is no number went through";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
    EXPECT_NE(std::string(error.what()).find("epoch 1: the loss of its critic is nan"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tapestry::recsys
