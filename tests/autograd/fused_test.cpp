// Every fused operation against its plain composition: values and all gradients, in float64.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "autograd/elementwise.h"
#include "autograd/loss.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"
#include "autograd/tape.h"
#include "tensor/ops.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

using namespace autograd;

using Inputs = std::vector<Variable>;
using Function = std::function<Variable(const Inputs&)>;

class FusedTest : public DeviceTest {
 protected:
  static Tensor data(const Shape& shape, std::uint64_t seed, double low = -2, double high = 2) {
    return random_tensor(shape, seed, low, high, DType::kFloat64, test_device());
  }

  /// The output and every gradient of `function`, one after the other.
  static std::vector<double> all_numbers(const Function& function, const std::vector<Shape>& shapes) {
    Inputs inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i) inputs.push_back(Variable::parameter(data(shapes[i], i + 1)));
    Tape tape;
    const Variable output = function(inputs);
    tape.backward(output, data(output.shape(), 77));
    std::vector<double> numbers;
    const auto append = [&](const Tensor& x) {
      const Tensor host = x.to(Device::kCpu);
      numbers.insert(numbers.end(), host.span<double>().begin(), host.span<double>().end());
    };
    append(output.value());
    for (const Variable& input : inputs) append(input.gradient());
    return numbers;
  }

  static void expect_same(const char* what, const Function& fused, const Function& plain, const std::vector<Shape>& shapes) {
    const std::vector<double> a = all_numbers(fused, shapes);
    const std::vector<double> b = all_numbers(plain, shapes);
    ASSERT_EQ(a.size(), b.size()) << what;
    for (std::size_t i = 0; i < a.size(); ++i)
      EXPECT_TRUE(std::abs(a[i] - b[i]) <= 1e-12 * std::max(1.0, std::abs(b[i]))) << what << " number " << i;
  }
};

TEST_F(FusedTest, LinearWithEveryActivation) {
  using Plain = std::function<Variable(const Variable&)>;
  const std::vector<std::pair<Activation, Plain>> activations = {
      {Activation::kNone, [](const Variable& x) { return x; }},
      {Activation::kTanh, [](const Variable& x) { return autograd::tanh(x); }},
      {Activation::kRelu, [](const Variable& x) { return relu(x); }},
      {Activation::kSigmoid, [](const Variable& x) { return sigmoid(x); }}};
  const CsrMatrix sparse = random_csr(5, 7, 3, true, DType::kFloat64, test_device());
  const Tensor dense = tapestry::dense(sparse.to(Device::kCpu), DType::kFloat64).to(test_device());
  for (const auto& [activation, plain] : activations) {
    expect_same(
        "linear", [a = activation](const Inputs& x) { return linear(x[0], x[1], x[2], a); },
        [p = plain](const Inputs& x) { return p(add(autograd::matmul(x[0], x[1], false, true), x[2])); }, {{5, 7}, {3, 7}, {3}});
    expect_same(
        "sparse_linear", [&, a = activation](const Inputs& x) { return sparse_linear(sparse, x[0], x[1], a); },
        [&, p = plain](const Inputs& x) { return p(add(autograd::matmul(dense, x[0]), x[1])); }, {{7, 3}, {3}});
  }
  expect_same(
      "linear with PReLU", [](const Inputs& x) { return linear(x[0], x[1], x[2], Activation::kPrelu, x[3]); },
      [](const Inputs& x) { return autograd::prelu(add(autograd::matmul(x[0], x[1], false, true), x[2]), x[3]); },
      {{5, 7}, {3, 7}, {3}, {1}});
}

TEST_F(FusedTest, MultinomialNll) {
  for (const bool with_values : {true, false}) {
    const CsrMatrix sparse = random_csr(5, 7, 3, with_values, DType::kFloat64, test_device());  // row 1 is empty
    const Tensor dense = tapestry::dense(sparse.to(Device::kCpu), DType::kFloat64).to(test_device());
    expect_same(
        "multinomial_nll", [&](const Inputs& x) { return autograd::multinomial_nll(x[0], sparse); },
        [&](const Inputs& x) { return scale(autograd::sum(multiply(dense, autograd::log_softmax(x[0]))), -1.0 / 5); }, {{5, 7}});
  }
}

TEST_F(FusedTest, LinearMultinomialNll) {
  for (const bool with_values : {true, false}) {
    const CsrMatrix sparse = random_csr(5, 7, 3, with_values, DType::kFloat64, test_device());  // row 1 is empty
    expect_same(
        "linear_multinomial_nll", [&](const Inputs& x) { return autograd::linear_multinomial_nll(x[0], x[1], x[2], sparse); },
        [&](const Inputs& x) { return autograd::multinomial_nll(linear(x[0], x[1], x[2]), sparse); }, {{5, 3}, {7, 3}, {7}});
  }
  // Several blocks of items.
  const CsrMatrix wide = random_csr(4, 5000, 3, false, DType::kFloat64, test_device());
  expect_same(
      "linear_multinomial_nll, wide", [&](const Inputs& x) { return autograd::linear_multinomial_nll(x[0], x[1], x[2], wide); },
      [&](const Inputs& x) { return autograd::multinomial_nll(linear(x[0], x[1], x[2]), wide); }, {{4, 3}, {5000, 3}, {5000}});
  // More users than a register has lanes, and a last block that is no whole tile.
  const CsrMatrix tall = random_csr(37, 613, 9, true, DType::kFloat64, test_device());
  expect_same(
      "linear_multinomial_nll, tall", [&](const Inputs& x) { return autograd::linear_multinomial_nll(x[0], x[1], x[2], tall); },
      [&](const Inputs& x) { return autograd::multinomial_nll(linear(x[0], x[1], x[2]), tall); }, {{37, 29}, {613, 29}, {613}});
}

TEST_F(FusedTest, ScoreMatching) {
  const Tensor z0 = data({5, 7}, 4);
  const Tensor floor = Tensor::full({}, 1e-8, DType::kFloat64, test_device());
  const auto plain = [&](const Inputs& x) {
    const Variable r = subtract(slice_rows(x[0], 0, 5), z0);
    const Variable a = slice_rows(x[0], 5, 10);
    const Variable b = slice_rows(x[0], 10, 15);
    const Variable curvature = subtract(scale(subtract(b, a), 100), r);
    const Variable errors = add(mean(square(curvature)), mean(square(subtract(r, a))));
    return autograd::divide(scale(errors, 0.5), add(variance(r), floor));
  };
  expect_same("score_matching", [&](const Inputs& x) { return autograd::score_matching(x[0], z0, 100); }, plain, {{15, 7}});
}

TEST_F(FusedTest, GaussianNll) {
  const Tensor y = data({5, 7}, 4);
  const auto plain = [&](const Inputs& x) {
    const Variable m = slice_columns(x[0], 0, 7), v = slice_columns(x[0], 7, 14);
    const Variable gaps = multiply(autograd::exp(negate(v)), square(subtract(y, m)));
    return scale(autograd::sum(add(v, gaps)), 0.5 / 5);
  };
  expect_same("gaussian_nll", [&](const Inputs& x) { return autograd::gaussian_nll(x[0], y); }, plain, {{5, 14}});
}

TEST_F(FusedTest, BceWithLogits) {
  const Tensor target = data({5, 7}, 9, 0, 1);
  const Tensor ones = Tensor::full({5, 7}, 1, DType::kFloat64, test_device());
  const auto plain = [&](const Inputs& x) {
    const Variable p = sigmoid(x[0]);
    const Variable hit = multiply(target, autograd::log(p));
    const Variable miss = multiply(subtract(ones, target), autograd::log(subtract(ones, p)));
    return negate(mean(add(hit, miss)));
  };
  expect_same("bce_with_logits", [&](const Inputs& x) { return autograd::bce_with_logits(x[0], target); }, plain, {{5, 7}});
}

TEST_F(FusedTest, BceWithLogitsFarOut) {
  const Variable x = Variable::parameter(Tensor::from<float>({1000, -1000, 1000, -1000}, {4}, test_device()));
  const Tensor target = Tensor::from<float>({1, 0, 0, 1}, {4}, test_device());
  Tape tape;
  const Variable loss = autograd::bce_with_logits(x, target);
  EXPECT_EQ(loss.value().item(), 500);
  tape.backward(loss);
  const Tensor gradient = x.gradient().to(Device::kCpu);
  EXPECT_EQ(std::vector<float>(gradient.span<float>().begin(), gradient.span<float>().end()),
            (std::vector<float>{0, 0, 0.25f, -0.25f}));
}

TEST_F(FusedTest, Reductions) {
  const auto centered = [](const Variable& x) { return subtract(x, mean(x)); };
  expect_same(
      "variance", [](const Inputs& x) { return variance(x[0]); },
      [&](const Inputs& x) { return scale(autograd::sum(square(centered(x[0]))), 1.0 / 34); }, {{5, 7}});
  expect_same(
      "mean_square", [](const Inputs& x) { return mean_square(x[0]); }, [](const Inputs& x) { return mean(square(x[0])); },
      {{5, 7}});
  expect_same(
      "norm", [](const Inputs& x) { return norm(x[0]); },
      [](const Inputs& x) { return autograd::sqrt(autograd::sum(square(x[0]))); }, {{5, 7}});
  EXPECT_EQ(norm(Variable(Tensor::empty({0, 3}, DType::kFloat64, test_device()))).value().item(), 0);
  expect_same(
      "row_mean", [](const Inputs& x) { return row_mean(x[0]); },
      [](const Inputs& x) { return scale(autograd::row_sum(x[0]), 1.0 / 7); }, {{5, 7}});
  expect_same(
      "row_norm", [](const Inputs& x) { return row_norm(x[0]); },
      [](const Inputs& x) { return autograd::sqrt(autograd::row_sum(square(x[0]))); }, {{5, 7}});
  expect_same(
      "mse", [](const Inputs& x) { return mse(x[0], x[1]); }, [](const Inputs& x) { return mean(square(subtract(x[0], x[1]))); },
      {{5, 7}, {5, 7}});
  expect_same(
      "log_softmax", [](const Inputs& x) { return autograd::log_softmax(x[0]); },
      [](const Inputs& x) { return subtract(x[0], autograd::log(autograd::row_sum(autograd::exp(x[0])))); }, {{5, 7}});
}

TEST_F(FusedTest, LinearCombination) {
  expect_same(
      "linear_combination",
      [](const Inputs& x) {
        return autograd::linear_combination({{0.5, x[0]}, {1, x[1]}, {-3, x[2]}, {2, x[0]}});
      },
      [](const Inputs& x) { return add(add(scale(x[0], 0.5), x[1]), add(scale(x[2], -3), scale(x[0], 2))); },
      {{5, 7}, {5, 7}, {5, 7}});
}

TEST_F(FusedTest, VarianceOfOneElementIsNan) { EXPECT_TRUE(std::isnan(variance(Variable(data({1}, 1))).value().item())); }

}  // namespace
}  // namespace tapestry::tests
