#include "nn/layers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "autograd/gradient_check.h"
#include "autograd/reduction.h"
#include "autograd/tape.h"
#include "tensor/memory.h"
#include "tensor/ops.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::nn {
namespace {

using tests::random_tensor;
using tests::test_device;

const std::vector<Activation> kActivations = {Activation::kNone, Activation::kTanh, Activation::kRelu, Activation::kSigmoid,
                                              Activation::kPrelu};

double apply(Activation activation, double x, double slope) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kPrelu:
      break;
  }
  return x > 0 ? x : slope * x;
}

std::vector<double> values(const Tensor& tensor) {
  const Tensor host = tensor.to(Device::kCpu).to(DType::kFloat64);
  return {host.span<double>().begin(), host.span<double>().end()};
}

void expect_near(const Tensor& found, const std::vector<double>& expected, double tolerance = 1e-12) {
  const std::vector<double> numbers = values(found);
  ASSERT_EQ(numbers.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(numbers[i] - expected[i]);
    EXPECT_FALSE(!(error <= tolerance)) << "element " << i << ": " << numbers[i] << ", expected " << expected[i];
  }
}

/// x [B, N] times weight [M, N] transposed plus bias [M], through the activation: the definition, in plain loops.
std::vector<double> reference_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation,
                                     double slope) {
  const std::vector<double> inputs = values(x), weights = values(weight), biases = values(bias);
  const std::size_t m = biases.size(), n = weights.size() / m;
  std::vector<double> y;
  for (std::size_t row = 0; row < inputs.size() / n; ++row) {
    for (std::size_t out = 0; out < m; ++out) {
      double sum = biases[out];
      for (std::size_t in = 0; in < n; ++in) sum += inputs[row * n + in] * weights[out * n + in];
      y.push_back(apply(activation, sum, slope));
    }
  }
  return y;
}

class LayersTest : public tests::DeviceTest {
 protected:
  static Tensor input(const Shape& shape, std::uint64_t seed) {
    return random_tensor(shape, seed, -2, 2, DType::kFloat64, test_device());
  }
  Initializer init_{3, DType::kFloat64, test_device()};
};

/// Compares the gradients of x and of every parameter with central differences. The library's check_gradients moves variables
/// that it hands to a function; here the parameters belong to the module, so they are moved where they lie.
void expect_gradients(Module& module, const Tensor& x, const std::function<Variable(const Variable&)>& forward) {
  const Variable input = Variable::parameter(x.clone());
  const Tensor cotangent = random_tensor(forward(input).shape(), 99, -2, 2, DType::kFloat64, test_device());
  module.clear_gradients();
  {
    autograd::Tape tape;
    tape.backward(forward(input), cotangent);
  }
  std::vector<Variable> all = {input};
  for (const Variable& parameter : module.parameters()) all.push_back(parameter);
  for (std::size_t which = 0; which < all.size(); ++which) {
    ASSERT_TRUE(all[which].gradient().defined()) << "input " << which;
    const std::vector<double> analytic = values(all[which].gradient());
    const std::vector<double> original = values(all[which].value());
    const auto objective_at = [&](std::vector<double> moved) {
      const Tensor host = Tensor::from<double>(moved, all[which].shape());
      copy_bytes(all[which].value().raw_data(), test_device(), host.raw_data(), Device::kCpu,
                 static_cast<std::size_t>(host.bytes()));
      return sum(binary(BinaryOp::kMultiply, forward(input).value(), cotangent)).item();
    };
    for (std::size_t i = 0; i < original.size(); ++i) {
      constexpr double kStep = 1e-6;
      std::vector<double> up = original, down = original;
      up[i] += kStep;
      down[i] -= kStep;
      const double numeric = (objective_at(up) - objective_at(down)) / (2 * kStep);
      const double error = std::abs(numeric - analytic[i]) / std::max({1.0, std::abs(numeric), std::abs(analytic[i])});
      EXPECT_FALSE(!(error <= 1e-7)) << "input " << which << " element " << i << ": numeric " << numeric << ", analytic "
                                     << analytic[i];
    }
    objective_at(original);
  }
}

std::vector<std::string> names(const Module& module) {
  std::vector<std::string> all;
  for (const NamedParameter& parameter : module.named_parameters()) all.push_back(parameter.name);
  return all;
}

TEST_F(LayersTest, LinearIsItsFormulaForEveryActivation) {
  const Tensor x = input({5, 7}, 1);
  for (const Activation activation : kActivations) {
    const Linear layer(7, 4, init_, activation, LinearInit::kFanIn, 0.3);
    const auto parameters = layer.parameters();
    EXPECT_EQ(parameters[0].shape(), Shape({4, 7}));
    const Variable y = layer.forward(x);
    EXPECT_EQ(y.shape(), Shape({5, 4}));
    expect_near(y.value(), reference_linear(x, parameters[0].value(), parameters[1].value(), activation, 0.3));
  }
}

TEST_F(LayersTest, LinearGradientsForEveryActivation) {
  for (const Activation activation : kActivations) {
    SCOPED_TRACE(static_cast<int>(activation));
    Linear layer(4, 3, init_, activation);
    expect_gradients(layer, input({5, 4}, 2), [&](const Variable& x) { return layer.forward(x); });
  }
}

TEST_F(LayersTest, SparseLinearIsLinearOnTheDenseMatrix) {
  for (const bool with_values : {false, true}) {
    const CsrMatrix host = tests::random_csr(6, 9, 4, with_values, DType::kFloat64, Device::kCpu);
    const CsrMatrix x = host.to(test_device());
    for (const Activation activation : {Activation::kNone, Activation::kTanh, Activation::kRelu, Activation::kSigmoid}) {
      const SparseLinear sparse(9, 4, init_, activation);
      const Linear dense(9, 4, init_, activation);
      const auto from = sparse.parameters();
      ASSERT_EQ(from[0].shape(), Shape({9, 4}));
      // Linear's weight is [out, in], SparseLinear's [in, out]: a product with the identity transposes.
      const Tensor transposed =
          matmul(from[0].value(),
                 tapestry::dense(CsrMatrix::from_rows(9, {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}}), DType::kFloat64)
                     .to(test_device()),
                 true, false);
      dense.load_state({{"weight", transposed}, {"bias", from[1].value()}});
      const Tensor x_dense = tapestry::dense(host, DType::kFloat64).to(test_device());
      expect_near(sparse.forward(x).value(), values(dense.forward(x_dense).value()));

      const Tensor cotangent = input({6, 4}, 5);
      for (const bool is_sparse : {true, false}) {
        autograd::Tape tape;
        tape.backward(is_sparse ? sparse.forward(x) : dense.forward(x_dense), cotangent);
      }
      const auto to = dense.parameters();
      const std::vector<double> dense_gradient = values(to[0].gradient());
      std::vector<double> expected;
      for (std::size_t i = 0; i < 9; ++i) {
        for (std::size_t m = 0; m < 4; ++m) expected.push_back(dense_gradient[m * 9 + i]);
      }
      expect_near(from[0].gradient(), expected);
      expect_near(from[1].gradient(), values(to[1].gradient()));
    }
  }
  EXPECT_THROW(SparseLinear(9, 4, init_, Activation::kPrelu), Error) << "at once, not in the first forward pass";
}

TEST_F(LayersTest, EmbeddingPicksRowsAndAddsGradientsOfRepeatedOnes) {
  const Embedding layer(5, 3, init_);
  const Tensor index = Tensor::from<std::int32_t>({4, 0, 4, 2}, {4}, test_device());
  const auto table = layer.parameters()[0];
  const std::vector<double> rows = values(table.value());
  const Tensor cotangent = input({4, 3}, 6);
  autograd::Tape tape;
  const Variable y = layer.forward(index);
  tape.backward(y, cotangent);
  std::vector<double> expected, gradient(15, 0.0);
  const std::vector<double> dy = values(cotangent);
  const std::vector<std::size_t> picked = {4, 0, 4, 2};
  for (std::size_t i = 0; i < picked.size(); ++i) {
    for (std::size_t col = 0; col < 3; ++col) {
      expected.push_back(rows[picked[i] * 3 + col]);
      gradient[picked[i] * 3 + col] += dy[i * 3 + col];
    }
  }
  EXPECT_EQ(values(y.value()), expected);
  expect_near(table.gradient(), gradient);
}

TEST_F(LayersTest, PReluIsItsFormulaAndLearnsItsSlope) {
  PRelu layer(init_, 0.3);
  const Tensor x = input({4, 3}, 7);
  std::vector<double> expected;
  for (const double value : values(x)) expected.push_back(apply(Activation::kPrelu, value, 0.3));
  expect_near(layer.forward(x, {}).value(), expected);
  EXPECT_EQ(names(layer), std::vector<std::string>{"slope"});
  expect_gradients(layer, x, [&](const Variable& variable) { return layer.forward(variable, {}); });
}

TEST_F(LayersTest, UnaryLayerAppliesItsFunction) {
  const UnaryLayer layer(autograd::tanh);
  const Tensor x = input({2, 3}, 8);
  std::vector<double> expected;
  for (const double value : values(x)) expected.push_back(std::tanh(value));
  expect_near(layer.forward(x, {}).value(), expected);
  EXPECT_TRUE(layer.parameters().empty());
}

TEST_F(LayersTest, DropoutWithoutAStreamIsTheIdentity) {
  const Dropout layer(0.6);
  const Variable x = input({20, 30}, 9);
  EXPECT_EQ(layer.forward(x, {}).value().raw_data(), x.value().raw_data());
  const RandomStream stream = {5, Purpose::kTest, 2};
  const std::vector<double> before = values(x.value()), dropped = values(layer.forward(x, stream).value());
  int zeros = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    zeros += dropped[i] == 0;
    EXPECT_TRUE(dropped[i] == 0 || std::abs(dropped[i] - before[i] / 0.4) <= 1e-12) << i;
  }
  EXPECT_TRUE(zeros > 300 && zeros < 420) << zeros;  // 360 expected, standard deviation 12
  EXPECT_EQ(values(layer.forward(x, stream).value()), dropped);
  EXPECT_NE(values(layer.forward(x, stream.at(3)).value()), dropped);
  EXPECT_THROW(Dropout(1.0), Error);
  EXPECT_THROW(Dropout(-0.1), Error);
  EXPECT_THROW(Dropout(std::nan("")), Error);
}

TEST_F(LayersTest, SequentialComposesAndDifferentiates) {
  Sequential layers;
  const Linear& first = layers.add<Linear>(4, 5, init_, Activation::kTanh);
  layers.add<Dropout>(0.5);
  const PRelu& second = layers.add<PRelu>(init_);
  const Linear& last = layers.add<Linear>(5, 2, init_);
  const Tensor x = input({3, 4}, 10);
  expect_near(layers.forward(x).value(), values(last.forward(second.forward(first.forward(x), {})).value()), 0);
  expect_gradients(layers, x, [&](const Variable& variable) { return layers.forward(variable); });
  const RandomStream stream = {1, Purpose::kTest, 4};
  expect_gradients(layers, x, [&](const Variable& variable) { return layers.forward(variable, stream); });
}

TEST_F(LayersTest, DropoutsOfOneSequentialAreIndependent) {
  Sequential layers;
  layers.add<Dropout>(0.5);
  layers.add<Dropout>(0.5);
  const Tensor ones = Tensor::full({50, 100}, 1, DType::kFloat64, test_device());
  int kept = 0;
  for (const double value : values(layers.forward(ones, RandomStream{2, Purpose::kTest, 0}).value())) kept += value == 4;
  EXPECT_TRUE(kept > 1250 - 5 * 31 && kept < 1250 + 5 * 31) << kept;  // a quarter; half if both drew the same mask
}

/// encoder: Sequential(Linear, UnaryLayer, Linear); a table and a scale of its own.
class Nested : public Module {
 public:
  explicit Nested(Initializer& init) : table_(6, 3, init), scale_(add_parameter("scale", init.constant({}, 2))) {
    encoder_.add<Linear>(3, 4, init);
    encoder_.add<UnaryLayer>(autograd::tanh);
    encoder_.add<Linear>(4, 2, init, Activation::kPrelu);
    add_module("table", table_);
    add_module("encoder", encoder_);
  }

 private:
  Sequential encoder_;
  Embedding table_;
  Variable scale_;
};

TEST_F(LayersTest, ParametersAreNamedByTheirPlace) {
  const Nested model(init_);
  EXPECT_EQ(names(model), (std::vector<std::string>{"scale", "table.weight", "encoder.0.weight", "encoder.0.bias",
                                                    "encoder.2.weight", "encoder.2.bias", "encoder.2.slope"}));
  EXPECT_EQ(model.parameter_count(), 1 + 18 + 16 + 10 + 1);
  EXPECT_EQ(model.parameters().size(), 7u);
}

TEST_F(LayersTest, StateIsACopyThatLoadsBackInPlace) {
  const Nested model(init_), other(init_);
  const auto state = model.state();
  other.load_state(state);
  const auto mine = model.named_parameters(), theirs = other.named_parameters();
  for (std::size_t i = 0; i < mine.size(); ++i) {
    EXPECT_EQ(values(theirs[i].variable.value()), values(mine[i].variable.value()));
    EXPECT_NE(state[i].second.raw_data(), mine[i].variable.value().raw_data());
  }
  auto renamed = state;
  renamed[1].first = "other";
  EXPECT_THROW(other.load_state(renamed), Error);
  auto reshaped = state;
  reshaped[1].second = reshaped[1].second.reshape({18});
  EXPECT_THROW(other.load_state(reshaped), Error);
  auto retyped = state;
  retyped[1].second = retyped[1].second.to(retyped[1].second.dtype() == DType::kFloat64 ? DType::kFloat32 : DType::kFloat64);
  EXPECT_THROW(other.load_state(retyped), Error);
  auto shorter = state;
  shorter.pop_back();
  EXPECT_THROW(other.load_state(shorter), Error);
}

TEST_F(LayersTest, ClearGradientsReachesEveryParameter) {
  Sequential layers;
  layers.add<Linear>(4, 3, init_);
  layers.add<Linear>(3, 2, init_);
  {
    autograd::Tape tape;
    tape.backward(autograd::mean_square(layers.forward(input({2, 4}, 11))));
  }
  for (const Variable& parameter : layers.parameters()) EXPECT_TRUE(parameter.gradient().defined());
  layers.clear_gradients();
  for (const Variable& parameter : layers.parameters()) EXPECT_FALSE(parameter.gradient().defined());
}

TEST_F(LayersTest, LinearInitialisers) {
  const auto largest = [](const Variable& parameter) {
    double most = 0;
    for (const double value : values(parameter.value())) most = std::max(most, std::abs(value));
    return most;
  };
  const auto fan_in = Linear(100, 50, init_).parameters();
  EXPECT_TRUE(largest(fan_in[0]) <= 0.1 && largest(fan_in[0]) > 0.099);
  EXPECT_TRUE(largest(fan_in[1]) <= 0.1 && largest(fan_in[1]) > 0.08);
  const auto xavier = Linear(100, 50, init_, Activation::kNone, LinearInit::kXavier).parameters();
  EXPECT_TRUE(largest(xavier[0]) <= 0.2 && largest(xavier[0]) > 0.199);
  EXPECT_EQ(largest(xavier[1]), 0);
  const auto vae = SparseLinear(100, 50, init_, Activation::kTanh, LinearInit::kMultiVae).parameters();
  EXPECT_TRUE(largest(vae[0]) <= 0.2 && largest(vae[0]) > 0.199);
  EXPECT_TRUE(largest(vae[1]) < 0.005 && largest(vae[1]) > 0.001) << largest(vae[1]);
  const auto normal = Linear(100, 50, init_, Activation::kTanh, LinearInit::kDiffRec).parameters();  // deviation 0.115
  EXPECT_TRUE(largest(normal[0]) > 0.35 && largest(normal[0]) < 0.7) << largest(normal[0]);
  EXPECT_TRUE(largest(normal[1]) < 0.005 && largest(normal[1]) > 0.001) << largest(normal[1]);
  const auto tiny = Linear(100, 50, init_, Activation::kPrelu, LinearInit::kTiny).parameters();
  for (const std::size_t i : {0U, 1U}) EXPECT_TRUE(largest(tiny[i]) > 1.5e-4 && largest(tiny[i]) < 6e-4) << largest(tiny[i]);
  const auto prelu = Linear(2, 2, init_, Activation::kPrelu).parameters();
  EXPECT_EQ(values(prelu[2].value()), std::vector<double>{0.25});
  EXPECT_EQ(values(PRelu(init_).parameters()[0].value()), std::vector<double>{0.25});
  const auto sparse = SparseLinear(100, 50, init_).parameters();  // weight [in, out]: its fan-in is its rows
  EXPECT_TRUE(largest(sparse[0]) <= 0.1 && largest(sparse[0]) > 0.099);
  double squares = 0;
  for (const double value : values(Embedding(100, 100, init_).weight().value())) squares += value * value / 10000;
  EXPECT_TRUE(std::abs(std::sqrt(squares) - 1) <= 0.03) << squares;
}

TEST_F(LayersTest, LayersGetDifferentNumbersAndTheSeedRepeatsThem) {
  const Linear first(5, 5, init_), second(5, 5, init_);
  EXPECT_NE(values(first.parameters()[0].value()), values(second.parameters()[0].value()));
  Initializer again(3, DType::kFloat64, test_device());
  const Linear repeated(5, 5, again);
  EXPECT_EQ(values(first.parameters()[0].value()), values(repeated.parameters()[0].value()));
  EXPECT_EQ(values(first.parameters()[1].value()), values(repeated.parameters()[1].value()));
}

TEST(BatchNorm, NormalisesColumnsByTheirOwnStatistics) {
  Initializer init(1, DType::kFloat64, test_device());
  const BatchNorm norm(2, init, /*epsilon=*/0.5);
  // Column 0: mean 2, variance 2/3. Column 1 is constant.
  const Tensor x = Tensor::from<double>({1, 5, 2, 5, 3, 5}, {3, 2}).to(test_device());
  const double y = 1 / std::sqrt(2.0 / 3 + 0.5);
  expect_near(norm.forward(x).value(), {-y, 0, 0, 0, y, 0});
}

TEST(BatchNorm, Gradient) {
  const auto function = [](const std::vector<Variable>& in) {
    Initializer init(1, DType::kFloat64, test_device());
    const BatchNorm norm(3, init);
    return autograd::multiply(norm.forward(in[0]), in[1]);
  };
  const std::vector<Tensor> inputs = {random_tensor({5, 3}, 1, -2, 2, DType::kFloat64, test_device()),
                                      random_tensor({3}, 2, 1, 2, DType::kFloat64, test_device())};
  EXPECT_TRUE(autograd::check_gradients(function, inputs).within(1e-6));

  Initializer init(1, DType::kFloat64, test_device());
  const BatchNorm norm(3, init);
  const Tensor dy = random_tensor({5, 3}, 3, -2, 2, DType::kFloat64, test_device());
  autograd::Tape tape;
  const Variable y = norm.forward(inputs[0]);
  tape.backward(y, dy);
  // At scale 1 and shift 0 the output is the normalised input.
  expect_near(norm.parameters()[0].gradient(), values(column_sum(binary(BinaryOp::kMultiply, dy, y.value()))));
  expect_near(norm.parameters()[1].gradient(), values(column_sum(dy)));
}

}  // namespace
}  // namespace tapestry::nn
