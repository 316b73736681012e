// The gradient of every differentiable operation against central differences in float64. A new operation adds its line here.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/category.h"
#include "autograd/elementwise.h"
#include "autograd/gradient_check.h"
#include "autograd/loss.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"
#include "autograd/value_linear.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

using namespace autograd;

using Inputs = std::vector<Variable>;

struct GradientCase {
  std::string name;
  std::vector<Shape> shapes;
  std::function<Variable(const Inputs&)> function;
  double low = -2;
  double high = 2;
};

constexpr RandomStream kMask = {11, Purpose::kTest, 2};

CsrMatrix sparse(bool with_values) { return random_csr(5, 7, 3, with_values, DType::kFloat64, test_device()); }
Tensor indices(std::initializer_list<std::int32_t> values) {
  return Tensor::from<std::int32_t>(values, {static_cast<std::int64_t>(values.size())}, test_device());
}
Tensor constant(const Shape& shape, double low = -2, double high = 2) {
  return random_tensor(shape, 99, low, high, DType::kFloat64, test_device());
}

/// Both operands in every pair of shapes that broadcasts.
std::vector<GradientCase> arithmetic_cases() {
  const std::vector<std::pair<Shape, Shape>> shapes = {{{5, 7}, {5, 7}}, {{5, 7}, {7}},    {{5, 7}, {1, 7}}, {{5, 7}, {5, 1}},
                                                       {{5, 7}, {}},     {{5, 7}, {1}},    {{5, 7}, {1, 1}}, {{5, 1}, {1, 7}},
                                                       {{5, 1}, {7}},    {{1, 7}, {7}},    {{7}, {7}},       {{2, 3, 5}, {5}},
                                                       {{5, 1}, {}},     {{1, 1}, {1, 7}}, {{}, {}}};
  using Function = Variable (*)(const Variable&, const Variable&);
  std::vector<GradientCase> cases;
  for (const auto& [function, name] : std::vector<std::pair<Function, std::string>>{
           {add, "add"}, {subtract, "subtract"}, {autograd::multiply, "multiply"}, {divide, "divide"}}) {
    for (const auto& [a, b] : shapes) {
      cases.push_back(
          {concat(name, a, b), {a, b}, [function = function](const Inputs& x) { return function(x[0], x[1]); }, 0.5, 2});
      cases.push_back(
          {concat(name, b, a), {b, a}, [function = function](const Inputs& x) { return function(x[0], x[1]); }, -2, -0.5});
    }
  }
  return cases;
}

std::vector<GradientCase> elementwise_cases() {
  const Shape s = {5, 7};
  return {
      {"exp", {s}, [](const Inputs& x) { return autograd::exp(x[0]); }},
      {"log", {s}, [](const Inputs& x) { return autograd::log(x[0]); }, 0.5, 3},
      {"tanh", {s}, [](const Inputs& x) { return autograd::tanh(x[0]); }},
      {"sigmoid", {s}, [](const Inputs& x) { return sigmoid(x[0]); }},
      {"softplus", {s}, [](const Inputs& x) { return softplus(x[0]); }},
      {"relu", {s}, [](const Inputs& x) { return relu(x[0]); }},
      {"leaky_relu", {s}, [](const Inputs& x) { return leaky_relu(x[0], 0.2); }},
      {"prelu", {s, {1}}, [](const Inputs& x) { return autograd::prelu(x[0], x[1]); }},
      {"square", {s}, [](const Inputs& x) { return square(x[0]); }},
      {"sqrt", {s}, [](const Inputs& x) { return autograd::sqrt(x[0]); }, 0.5, 3},
      {"negate", {s}, [](const Inputs& x) { return negate(x[0]); }},
      {"scale", {s}, [](const Inputs& x) { return scale(x[0], -3.5); }},
      {"combination1",
       {s},
       [](const Inputs& x) {
         return autograd::linear_combination({{2, x[0]}});
       }},
      {"combination2",
       {s, s},
       [](const Inputs& x) {
         return autograd::linear_combination({{2, x[0]}, {1, x[1]}});
       }},
      {"combination3",
       {s, s, s},
       [](const Inputs& x) {
         return autograd::linear_combination({{2, x[0]}, {-1, x[1]}, {3, x[2]}});
       }},
      {"combination4",
       {s, s, s, s},
       [](const Inputs& x) {
         return autograd::linear_combination({{2, x[0]}, {-1, x[1]}, {3, x[2]}, {1, x[3]}});
       }},
      {"weighted_sum",
       {s, s},
       [](const Inputs& x) {
         const Tensor weights = Tensor::from<double>({2, -0.5}, {2}, x[0].value().device());
         return autograd::weighted_sum(weights, x[0], x[1]);
       }},
      {"dropout", {s}, [](const Inputs& x) { return autograd::dropout(x[0], 0.4, kMask); }},
      {"dropout_rows",
       {s},
       [](const Inputs& x) {
         return autograd::dropout(x[0], 0.4, kMask, indices({3, 1, 4, 1, 5}));
       }},
  };
}

std::vector<GradientCase> matrix_cases() {
  std::vector<GradientCase> cases = {
      {"embedding",
       {{4, 3}},
       [](const Inputs& x) {
         return embedding(x[0], indices({2, 0, 2, 2, 3}));
       }},
      {"concat_columns", {{5, 2}, {5, 1}, {5, 4}}, [](const Inputs& x) { return autograd::concat_columns(x); }},
      {"concat_rows", {{2, 3}, {1, 3}, {4, 3}}, [](const Inputs& x) { return autograd::concat_rows(x); }},
      {"concat_same",
       {{2, 3}},
       [](const Inputs& x) {
         return autograd::concat_columns({x[0], constant({2, 2}), x[0]});
       }},
      {"slice_columns", {{5, 7}}, [](const Inputs& x) { return autograd::slice_columns(x[0], 2, 6); }},
      {"slice_rows", {{5, 7}}, [](const Inputs& x) { return slice_rows(x[0], 1, 4); }},
      {"slices_overlap", {{5, 7}}, [](const Inputs& x) { return multiply(slice_rows(x[0], 0, 3), slice_rows(x[0], 1, 4)); }},
      {"column_slices_overlap",
       {{5, 7}},
       [](const Inputs& x) { return add(autograd::slice_columns(x[0], 0, 4), square(autograd::slice_columns(x[0], 2, 6))); }},
      {"reshape",
       {{6, 4}},
       [](const Inputs& x) {
         return square(reshape(x[0], {3, 8}));
       }},
  };
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const Shape a = ta ? Shape{4, 5} : Shape{5, 4};
      const Shape b = tb ? Shape{3, 4} : Shape{4, 3};
      cases.push_back({concat("matmul", ta, tb), {a, b}, [=](const Inputs& x) { return autograd::matmul(x[0], x[1], ta, tb); }});
    }
    cases.push_back(
        {concat("matmul_gram", ta), {{4, 5}}, [=](const Inputs& x) { return autograd::matmul(x[0], x[0], ta, !ta); }});
  }
  for (const auto& [value, name] : std::vector<std::pair<Activation, std::string>>{{Activation::kNone, "none"},
                                                                                   {Activation::kTanh, "tanh"},
                                                                                   {Activation::kRelu, "relu"},
                                                                                   {Activation::kSigmoid, "sigmoid"},
                                                                                   {Activation::kPrelu, "prelu"}}) {
    const Activation activation = value;  // Clang captures no structured bindings before its version 16
    const bool prelu = activation == Activation::kPrelu;
    for (const bool with_bias : {true, false}) {
      std::vector<Shape> shapes = {{5, 4}, {3, 4}};
      if (with_bias) shapes.push_back({3});
      if (prelu) shapes.push_back({1});
      cases.push_back({concat("linear_", name, with_bias ? "_bias" : ""), shapes, [=](const Inputs& x) {
                         return linear(x[0], x[1], with_bias ? x[2] : Variable(), activation, prelu ? x.back() : Variable());
                       }});
      if (prelu) continue;
      for (const bool values : {true, false}) {
        shapes = {{7, 3}};
        if (with_bias) shapes.push_back({3});
        cases.push_back(
            {concat("sparse_linear_", name, with_bias ? "_bias" : "", values ? "" : "_ones"), shapes,
             [=](const Inputs& x) { return sparse_linear(sparse(values), x[0], with_bias ? x[1] : Variable(), activation); }});
      }
    }
  }
  for (const bool values : {true, false}) {
    const std::string suffix = values ? "" : "_ones";
    cases.push_back({"sparse_matmul" + suffix, {{7, 3}}, [=](const Inputs& x) { return sparse_matmul(sparse(values), x[0]); }});
    cases.push_back({"sparse_transpose_matmul" + suffix, {{5, 3}}, [=](const Inputs& x) {
                       return sparse_transpose_matmul(sparse(values), x[0]);
                     }});
    cases.push_back({"linear_multinomial_nll" + suffix, {{5, 3}, {7, 3}, {7}}, [=](const Inputs& x) {
                       return autograd::linear_multinomial_nll(x[0], x[1], x[2], sparse(values));
                     }});
    cases.push_back(
        {"multinomial_nll" + suffix, {{5, 7}}, [=](const Inputs& x) { return autograd::multinomial_nll(x[0], sparse(values)); }});
  }
  return cases;
}

/// A layer behind a table of two vectors; its weights' own gradient is left in factors (tests/recsys/recommenders/mlp_test.cpp).
std::vector<GradientCase> value_linear_cases() {
  const auto layer = [](const Inputs& x, Activation activation) {
    const Tensor w = constant({7, 3, 4}), total = tapestry::column_sum(w.reshape({7, 12})).reshape({3, 4});
    return autograd::value_linear(sparse(false), x[0], w, total, x[1], activation, std::make_shared<ValueLinearGradients>());
  };
  return {{"value_linear", {{2, 3}, {4}}, [=](const Inputs& x) { return layer(x, Activation::kNone); }},
          {"value_linear_relu", {{2, 3}, {4}}, [=](const Inputs& x) { return layer(x, Activation::kRelu); }}};
}

std::vector<GradientCase> reduction_and_loss_cases() {
  using Function = Variable (*)(const Variable&);
  std::vector<GradientCase> cases = {
      {"bce_with_logits",
       {{5, 7}},
       [](const Inputs& x) {
         return autograd::bce_with_logits(x[0], constant({5, 7}, 0, 1));
       }},
      {"gaussian_nll",
       {{5, 14}},
       [](const Inputs& x) {
         return autograd::gaussian_nll(x[0], constant({5, 7}));
       }},
      {"score_matching",
       {{15, 7}},
       [](const Inputs& x) {
         return autograd::score_matching(x[0], constant({5, 7}), 4);
       }},
      {"mse", {{5, 7}, {5, 7}}, [](const Inputs& x) { return mse(x[0], x[1]); }},
  };
  for (const auto& [function, name] : std::vector<std::pair<Function, std::string>>{{autograd::sum, "sum"},
                                                                                    {mean, "mean"},
                                                                                    {mean_square, "mean_square"},
                                                                                    {variance, "variance"},
                                                                                    {norm, "norm"},
                                                                                    {autograd::row_sum, "row_sum"},
                                                                                    {row_mean, "row_mean"},
                                                                                    {row_sum_squares, "row_sum_squares"},
                                                                                    {row_norm, "row_norm"},
                                                                                    {autograd::column_sum, "column_sum"},
                                                                                    {autograd::log_softmax, "log_softmax"}}) {
    for (const Shape& shape : {Shape{5, 7}, Shape{1, 7}, Shape{5, 1}, Shape{7}, Shape{2, 3, 4}}) {
      cases.push_back({concat(name, shape), {shape}, [function = function](const Inputs& x) { return function(x[0]); }});
    }
  }
  return cases;
}

/// What goes wrong where several gradients meet: values used more than once, constants, gradients that share memory.
std::vector<GradientCase> graph_cases() {
  const Shape s = {5, 7};
  return {
      {"times_itself", {s}, [](const Inputs& x) { return multiply(x[0], x[0]); }},
      {"plus_itself", {s}, [](const Inputs& x) { return add(x[0], x[0]); }},
      {"over_itself", {s}, [](const Inputs& x) { return divide(x[0], add(x[0], x[0])); }, 0.5, 2},
      {"three_uses", {s}, [](const Inputs& x) { return add(multiply(x[0], autograd::tanh(x[0])), autograd::exp(x[0])); }},
      {"constant_branch",
       {s},
       [](const Inputs& x) {
         return add(multiply(x[0], constant({5, 7})), square(Variable(constant({5, 7}))));
       }},
      {"linear_of_constant",
       {{3, 7}},
       [](const Inputs& x) {
         return linear(constant({5, 7}), x[0], {}, Activation::kTanh);
       }},
      {"linear_with_constant_weight",
       {s},
       [](const Inputs& x) {
         return linear(x[0], constant({3, 7}), constant({3}), Activation::kTanh);
       }},
      {"both_then_overwritten",
       {s, s},
       [](const Inputs& x) {  // add hands one gradient to both, then both are written over
         return add(autograd::tanh(square(x[0])), sigmoid(square(x[1])));
       }},
      {"same_then_overwritten",
       {s},
       [](const Inputs& x) {
         const Variable y = autograd::tanh(x[0]);
         return add(square(y), add(y, sigmoid(y)));
       }},
      {"shared_by_two_layers",
       {s, {3, 7}, {3, 7}},
       [](const Inputs& x) {
         const Variable h = autograd::tanh(x[0]);
         return multiply(linear(h, x[1], {}, Activation::kTanh), linear(h, x[2], {}, Activation::kRelu));
       }},
      {"rows_then_overwritten",
       {{2, 3}, {3, 3}},
       [](const Inputs& x) {  // both parts get views of one gradient
         return square(autograd::concat_rows({autograd::tanh(x[0]), sigmoid(x[1])}));
       }},
      {"rows_cut_and_joined",
       {s},
       [](const Inputs& x) {
         const Variable y = autograd::tanh(x[0]);
         return autograd::concat_rows({square(slice_rows(y, 3, 5)), y, slice_rows(y, 0, 4)});
       }},
      {"reshaped_and_direct",
       {s},
       [](const Inputs& x) {
         const Variable y = autograd::exp(x[0]);
         return add(y, reshape(sigmoid(reshape(y, {7, 5})), {5, 7}));
       }},
      {"residual",
       {s, {7, 7}},
       [](const Inputs& x) { return add(x[0], linear(add(x[0], x[0]), x[1], {}, Activation::kSigmoid)); }},
      {"sparse_product_into_existing",
       {{7, 4}},
       [](const Inputs& x) {  // the second product is added into the first
         return add(autograd::sparse_matmul(sparse(true), x[0]),
                    autograd::sparse_matmul(sparse(false), autograd::add(x[0], x[0])));
       }},
      {"product_into_existing",
       {s, {7, 7}},
       [](const Inputs& x) {  // the second product is added into the first
         return add(autograd::matmul(x[0], x[1]), autograd::matmul(autograd::tanh(x[0]), x[1], false, true));
       }},
      {"product_into_a_shared_one",
       {s, {7, 7}},
       [](const Inputs& x) {  // what add handed to x[0] is the cotangent, which matmul reads and the caller holds
         return add(x[0], autograd::matmul(x[0], x[1]));
       }},
      {"sparse_product_into_a_shared_one",
       {{7, 4}},
       [](const Inputs& x) {
         return add(x[0], sparse_transpose_matmul(sparse(true), autograd::sparse_matmul(sparse(false), x[0])));
       }},
  };
}

/// A table of 5 columns, 4 with two and 2 with three categories: 11 categories, 6 differences.
constexpr CategoryPlanes kPlanes = {5, 4, 2};

std::vector<GradientCase> category_cases() {
  const CsrMatrix target = CsrMatrix::from_rows(6, {{0, 3}, {}, {4}}).to(test_device());
  return {
      {"difference_rows", {{11, 3}}, [](const Inputs& x) { return autograd::difference_rows(kPlanes, x[0]); }},
      {"difference_rows_of_a_bias", {{11}}, [](const Inputs& x) { return autograd::difference_rows(kPlanes, x[0]); }},
      {"difference_columns", {{3, 11}}, [](const Inputs& x) { return autograd::difference_columns(kPlanes, x[0]); }},
      {"gumbel_softmax",
       {{3, 6}},
       [](const Inputs& x) {
         return autograd::gumbel_softmax(kPlanes, x[0], constant({3, 11}), 0.7);
       }},
      {"category_cross_entropy",
       {{3, 6}},
       [=](const Inputs& x) { return autograd::category_cross_entropy(kPlanes, x[0], target); }},
      {"column_cross_entropy",
       {{4, 6}},
       [](const Inputs& x) {
         return autograd::column_cross_entropy(kPlanes, x[0], indices({0, 1, 3, 2}), indices({2, 0, 1, 0}));
       }},
      {"both_losses",
       {{3, 6}},
       [=](const Inputs& x) {
         const Variable one = autograd::column_cross_entropy(kPlanes, x[0], indices({4, 1, 3}), indices({0, 1, 0}));
         return add(one, autograd::category_cross_entropy(kPlanes, x[0], target));
       }},
  };
}

class GradientTest : public DeviceTest {
 protected:
  static void check_all(const std::vector<GradientCase>& cases) {
    ASSERT_FALSE(cases.empty());
    for (const GradientCase& one : cases) {
      std::vector<Tensor> inputs;
      for (std::size_t i = 0; i < one.shapes.size(); ++i) {
        inputs.push_back(random_tensor(one.shapes[i], 17 + i, one.low, one.high, DType::kFloat64, test_device()));
      }
      const GradientCheck result = check_gradients(one.function, inputs);
      EXPECT_TRUE(result.within(1e-6)) << one.name << ": " << result.worst << " at " << result.location;
    }
  }
};

TEST_F(GradientTest, Arithmetic) { check_all(arithmetic_cases()); }
TEST_F(GradientTest, Elementwise) { check_all(elementwise_cases()); }
TEST_F(GradientTest, Matrices) { check_all(matrix_cases()); }
TEST_F(GradientTest, LayersBehindATable) {
  check_all(value_linear_cases());
  const Tensor w = constant({7, 3, 4}), total = constant({3, 4});
  EXPECT_THROW(autograd::value_linear(sparse(false), constant({2, 3}), w, total, constant({4}), Activation::kTanh,
                                      std::make_shared<ValueLinearGradients>()),
               Error);
}
TEST_F(GradientTest, ReductionsAndLosses) { check_all(reduction_and_loss_cases()); }
TEST_F(GradientTest, Categories) { check_all(category_cases()); }
TEST_F(GradientTest, Graphs) { check_all(graph_cases()); }

}  // namespace
}  // namespace tapestry::tests
