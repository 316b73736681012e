// What operations refuse: operands whose shapes would let a kernel read or write other memory, and operands on different devices.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tensor/ops.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"
#include "tests/support/misuse.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

constexpr RandomStream kStream = {3, Purpose::kTest, 0};

Tensor numbers(const Shape& shape, Device device) { return random_tensor(shape, 1, 0.1, 1, DType::kFloat32, device); }
Tensor integers(std::int64_t count, Device device) { return Tensor::zeros({count}, DType::kInt32, device); }

class OperandsTest : public DeviceTest {};

TEST_F(OperandsTest, ShapesThatWouldReachOtherMemoryAreRefused) {
  const Device device = test_device();
  const Tensor x = numbers({4, 3}, device);
  const Tensor none = Tensor::empty({0}, DType::kFloat32, device);
  expect_misuse([&] { prelu_backward(x, none, numbers({4, 3}, device)); }, {"prelu_backward", "slope", "[0]"});
  expect_misuse([&] { bias_activation(Activation::kPrelu, x, {}, none); }, {"bias_activation", "slope", "[0]"});
  expect_misuse([&] { bce_with_logits_backward(x, numbers({2, 3}, device), x); }, {"bce_with_logits_backward", "[2, 3]"});
  const Tensor fewer = numbers({2, 3}, device), scale = numbers({1}, device);
  expect_misuse([&] { unary_backward(UnaryOp::kExp, x, fewer); }, {"unary_backward", "[2, 3]"});
  expect_misuse([&] { prelu(x, none); }, {"prelu", "slope", "[0]"});
  expect_misuse([&] { prelu_backward(x, scale, fewer); }, {"prelu_backward", "[2, 3]"});
  expect_misuse([&] { bce_with_logits(x, fewer); }, {"bce_with_logits", "[2, 3]"});
  expect_misuse([&] { bce_with_logits_backward(x, x, fewer); }, {"bce_with_logits_backward", "[2, 3]"});
  expect_misuse([&] { sum_squares(x, none); }, {"sum_squares", "shift", "[0]"});
  expect_misuse([&] { log_softmax_backward(x, fewer); }, {"log_softmax_backward", "[2, 3]"});
  expect_misuse([&] { weighted_sum(scale, {x, x}); }, {"weighted_sum", "[1]", "2 terms"});
  const Tensor levels = integers(4, device), three = integers(3, device);
  expect_misuse([&] { replace_rows(levels, levels, x, fewer); }, {"replace_rows", "[2, 3]"});
  expect_misuse([&] { replace_rows(levels, three, x, x); }, {"replace_rows", "[3]"});
  expect_misuse([&] { replace_rows(three, three, x, x); }, {"replace_rows", "[3]", "4 rows"});
  expect_misuse([&] { replace_rows(numbers({4}, device), numbers({4}, device), x, x); }, {"replace_rows", "float32"});
  expect_misuse([&] { add_to_columns(numbers({4, 2}, device), x, 2); }, {"add_to_columns", "[4, 2]", "column 2"});
  expect_misuse([&] { add_to_columns(numbers({4, 2}, device), x, -1); }, {"add_to_columns", "column -1"});
  expect_misuse([&] { add_to_columns(x, x, std::numeric_limits<std::int64_t>::max()); },
                {"add_to_columns", "9223372036854775807"});
  expect_misuse([&] { add_to_columns(fewer, x, 0); }, {"add_to_columns", "[2, 3]"});
}

TEST_F(OperandsTest, SparseShapesThatWouldReachOtherMemoryAreRefused) {
  const Device device = test_device();
  const Tensor x = numbers({4, 3}, device);
  const CsrMatrix target = random_csr(4, 3, 1, false, DType::kFloat32, device);
  const Tensor h = numbers({4, 5}, device), w = numbers({3, 5}, device), scale = numbers({1}, device);
  const LinearMultinomialNll forward = linear_multinomial_nll(h, w, numbers({3}, device), target);
  const auto backward = [&](const Tensor& given_h, const Tensor& given_w) {
    linear_multinomial_nll_backward(given_h, given_w, target, forward, scale);
  };
  expect_misuse([&] { backward(numbers({3, 5}, device), w); }, {"linear_multinomial_nll_backward", "[3, 5]"});
  expect_misuse([&] { backward(h, numbers({2, 5}, device)); }, {"linear_multinomial_nll_backward", "[2, 5]"});
  expect_misuse([&] { backward(h, numbers({3, 4}, device)); }, {"linear_multinomial_nll_backward", "[3, 4]"});
  const auto backward_of = [&](const LinearMultinomialNll& other) {
    linear_multinomial_nll_backward(h, w, target, other, scale);
  };
  expect_misuse([&] { backward_of({forward.loss, numbers({1}, device)}); }, {"linear_multinomial_nll_backward", "forward pass"});
  expect_misuse([&] { backward_of({numbers({3}, device), forward.kept}); }, {"linear_multinomial_nll_backward", "3 rows"});
  expect_misuse([&] { linear_multinomial_nll(h, w, numbers({2}, device), target); }, {"linear_multinomial_nll", "bias [2]"});
  expect_misuse([&] { multinomial_nll_backward(x, target, numbers({3}, device), scale); },
                {"multinomial_nll_backward", "lse [3]"});
  const Tensor dy = numbers({4, 5}, device);
  expect_misuse([&] { csr_transpose_matmul_add(target, dy, numbers({2, 5}, device)); }, {"csr_transpose_matmul_add", "[2, 5]"});
  expect_misuse([&] { csr_transpose_matmul_add(target, numbers({3, 5}, device), w); }, {"csr_transpose_matmul_add", "[3, 5]"});
}

TEST_F(OperandsTest, ShapesOfOneModelsLossThatWouldReachOtherMemoryAreRefused) {
  const Device device = test_device();
  const auto shape = [&](const Shape& size) { return numbers(size, device); };
  const Tensor z0 = shape({2, 3}), s = shape({6, 3}), moments = shape({3}), scale = shape({1});
  expect_misuse([&] { score_matching(shape({5, 3}), z0, 1); }, {"score_matching", "[5, 3]"});
  expect_misuse(
      [&] {
        score_matching(shape({3, 1}), shape({1, 1}), 1);
      },
      {"score_matching", "one row and one latent", "variance"});
  EXPECT_NO_THROW(score_matching(s, z0, 1));
  expect_misuse([&] { score_matching_backward(shape({5, 3}), z0, 1, moments, scale); }, {"score_matching_backward", "[5, 3]"});
  expect_misuse([&] { score_matching_backward(s, z0, 1, shape({2}), scale); }, {"score_matching_backward", "moments [2]"});
  expect_misuse([&] { gaussian_nll(shape({4, 3}), shape({4, 3}), 5); }, {"gaussian_nll", "[4, 3]"});
  expect_misuse([&] { gaussian_nll(shape({2, 6}), shape({4, 3}), 5); }, {"gaussian_nll", "[2, 6]"});
  expect_misuse([&] { gaussian_nll(shape({4, 6}), shape({4, 3}), 0); }, {"gaussian_nll", "limit 0"});
  const CategoryPlanes planes = {2, 2, 1};
  const Tensor y = shape({4, 5});
  expect_misuse([&] { category_softmax_backward(planes, y, y, 0); }, {"category_softmax_backward", "temperature 0"});
  const StepProbabilities steps = step_probabilities(LossHistory(5, DType::kFloat32, device));
  const Tensor u = Tensor::zeros({2}, DType::kFloat64, device), nothing = u.slice_rows(0, 0);
  expect_misuse([&] { draw_steps({steps.p, steps.until.slice_rows(0, 4)}, u, DType::kFloat32); }, {"draw_steps", "5", "4"});
  expect_misuse([&] { draw_steps({nothing, nothing}, u, DType::kFloat32); }, {"draw_steps", "0 probabilities"});
}

TEST_F(OperandsTest, ValueLayersThatWouldReachOtherMemoryAreRefused) {
  const Device device = test_device();
  const auto shape = [&](const Shape& size) { return numbers(size, device); };
  const CsrMatrix x = random_csr(4, 3, 1, false, DType::kFloat32, device);
  const Tensor w = shape({3, 2, 5}), total = shape({2, 5}), table = shape({2, 2}), dy = shape({4, 5});
  const CsrMatrix weighted = random_csr(4, 3, 1, true, DType::kFloat32, device);
  expect_misuse([&] { value_linear(weighted, table, w, total); }, {"value_linear", "values of its own"});
  expect_misuse([&] { value_linear(x, table, shape({2, 2, 5}), total); }, {"value_linear", "[2, 2, 5]"});
  expect_misuse([&] { value_linear(x, table, w, shape({2, 4})); }, {"value_linear", "total [2, 4]"});
  expect_misuse([&] { value_linear(x, shape({1, 2}), w, total); }, {"value_linear", "table [1, 2]"});
  expect_misuse([&] { value_linear_backward(x, w, total, shape({3, 5})); }, {"value_linear_backward", "dy [3, 5]"});
  const ValueLinearGradients gradients = value_linear_backward(x, w, total, dy);
  ValueLinearGradients short_all = gradients, short_seen = gradients;
  short_all.all = shape({4});
  short_seen.seen = shape({2, 5});
  struct Operands {
    Tensor table, factors, w, first, second, total;
  };
  const Operands sound = {table, shape({kAdamFactors}), w, shape({3, 2, 5}), shape({3, 2, 5}), total};
  const auto expect_refused = [&](const std::function<void(Operands&)>& spoil, const ValueLinearGradients& given,
                                  const std::string& part) {
    Operands o = sound;
    spoil(o);
    expect_misuse([&] { value_linear_adam(o.table, given, o.factors, o.w, o.first, o.second, o.total); },
                  {"value_linear_adam", part});
  };
  expect_refused([](Operands&) {}, short_all, "all [4]");
  expect_refused([](Operands&) {}, short_seen, "seen [2, 5]");
  expect_refused([&](Operands& o) { o.table = shape({1, 2}); }, gradients, "table [1, 2]");
  expect_refused([&](Operands& o) { o.factors = shape({1}); }, gradients, "factors [1]");
  expect_refused([&](Operands& o) { o.w = shape({3, 10}); }, gradients, "w [3, 10]");
  expect_refused([&](Operands& o) { o.first = shape({2, 2, 5}); }, gradients, "[2, 2, 5]");
  expect_refused([&](Operands& o) { o.second = shape({2, 2, 5}); }, gradients, "[2, 2, 5]");
  expect_refused([&](Operands& o) { o.total = shape({2, 4}); }, gradients, "total [2, 4]");
}

TEST_F(OperandsTest, SelectionsThatWouldReachOtherMemoryAreRefused) {
  const Device device = test_device();
  const Tensor x = Tensor::full({4, 3}, 1, DType::kFloat32, device);
  const AtLeast found = count_at_least(x, 1, 1);  // all twelve
  const auto places = [&](std::int64_t count) { return Tensor::zeros({count}, DType::kInt64, device); };
  expect_misuse([&] { take_at_least(x, found, {}, 0, {}, places(11)); }, {"take_at_least", "12 finds", "11 places"});
  expect_misuse([&] { take_at_least(x, found, {}, 0, numbers({11}, device), places(12)); }, {"take_at_least", "11 values"});
  expect_misuse([&] { take_at_least(x, found, places(11), 0, {}, places(12)); }, {"take_at_least", "11 places of 12"});
  expect_misuse([&] { take_at_least(numbers({1025}, device), found, {}, 0, {}, places(12)); },
                {"take_at_least", "1025", "another tensor"});
  expect_misuse([&] { kth_largest(x, 0); }, {"kth_largest", "k = 0"});
  expect_misuse([&] { kth_largest(x, 13); }, {"kth_largest", "k = 13", "12"});
  using Lengths = std::vector<std::int64_t>;
  expect_misuse([&] { top_lengths_rows(x, Lengths{1, 1, 1}); }, {"top_lengths_rows", "3 lengths"});
  expect_misuse([&] { top_lengths_rows(x, Lengths{1, 1, 1, 4}); }, {"top_lengths_rows", "length 4"});
  expect_misuse([&] { rank_rows(x, random_csr(4, 2, 1, false, DType::kFloat32, device), 1); }, {"rank_rows", "[4, 2]"});
  expect_misuse([&] { places_to_csr(-1, 3, places(0)); }, {"places_to_csr", "[-1, 3]"});
  expect_misuse([&] { places_to_csr(1, -3, places(0)); }, {"places_to_csr", "[1, -3]"});
  constexpr std::int64_t kMany = std::int64_t{1} << 31;
  const Tensor wide = Tensor::empty({0, kMany}, DType::kFloat32, device);
  const CsrMatrix none = CsrMatrix::from(0, kMany, {0}, {}).to(device);
  expect_misuse([&] { rank_rows(wide, none, 1); }, {"rank_rows", "2147483648 columns"});
  expect_misuse([&] { top_lengths_rows(wide, {}); }, {"top_lengths_rows", "2147483648 columns"});
  expect_misuse([&] { places_to_csr(0, kMany, places(0)); }, {"places_to_csr", "2147483648 columns"});
}

TEST_F(OperandsTest, AdamOnRowsOutsideIsRefused) {
  const Device device = test_device();
  const auto given = [&](const std::vector<std::int32_t>& values) {
    return Tensor::from<std::int32_t>(values, {static_cast<std::int64_t>(values.size())}, device);
  };
  const Tensor factors = Tensor::full({3, kAdamFactors}, 1, DType::kFloat32, device);
  using Integers = std::vector<std::int32_t>;
  const auto update = [&](const Integers& index, const Integers& done, std::int32_t count, const Shape& value = {7, 3}) {
    const Tensor table = numbers(value, device), moments = numbers(value, device);
    adam_rows(given(index), given(done), factors, given({count}), {}, table, moments, moments.clone());
  };
  EXPECT_NO_THROW(update({5, 2, -1, -1}, {0, 2, 2, 2}, 2));
  expect_misuse([&] { update({1}, {0}, 2, {7}); }, {"adam_rows", "[7]"});
  expect_misuse([&] { update({1, 2}, {0}, 2); }, {"adam_rows", "1 indices"});
  const Tensor table = numbers({7, 3}, device), gradient = numbers({2, 3}, device);
  const auto apply = [&](const Tensor& prepared, const Tensor& rows, const Tensor& first, const Tensor& second) {
    adam_rows(given({1}), given({0}), prepared, given({2}), rows, table, first, second);
  };
  expect_misuse([&] { apply(numbers({3, 2}, device), {}, table, table); }, {"adam_rows", "factors [3, 2]"});
  expect_misuse([&] { apply(factors, gradient, table, table); }, {"adam_rows", "[2, 3]", "1 rows"});
  expect_misuse([&] { apply(factors, {}, gradient, table); }, {"adam_rows", "[2, 3]"});
  expect_misuse([&] { apply(factors, {}, table, gradient); }, {"adam_rows", "[2, 3]"});
  if (device != Device::kCpu) return;  // a GPU does not look at indices and counts
  expect_misuse([&] { update({1}, {0}, -1); }, {"adam_rows", "step -1"});
  expect_misuse([&] { update({1}, {0}, 4); }, {"adam_rows", "step 4", "3 steps"});
  expect_misuse([&] { update({1}, {-1}, 2); }, {"adam_rows", "row 1", "-1 steps"});
  expect_misuse([&] { update({7}, {0}, 2); }, {"adam_rows", "index 7"});
  expect_misuse([&] { update({5, 2, -1, 5}, {0, 0, 0, 0}, 2); }, {"adam_rows", "row 5", "twice"});
}

TEST_F(OperandsTest, AColumnsPlaceOutsideIsRefused) {
  if (test_device() != Device::kCpu) GTEST_SKIP() << "a GPU does not look at places";
  const CategoryPlanes planes = {2, 2, 1};
  const Tensor scores = numbers({4, 5}, Device::kCpu);
  const auto choose = [&](std::int32_t place) {
    const CategoryTable table = {integers(5, Device::kCpu), integers(5, Device::kCpu),
                                 Tensor::from<std::int32_t>({0, place}, {2})};
    category_choice(planes, scores, table);
  };
  EXPECT_NO_THROW(choose(1));
  expect_misuse([&] { choose(2); }, {"category_choice", "place 2"});
  expect_misuse([&] { choose(-1); }, {"category_choice", "place -1"});
  const CategoryTable outside = {integers(5, Device::kCpu), integers(5, Device::kCpu), Tensor::from<std::int32_t>({0, 2}, {2})};
  expect_misuse([&] { category_odds(planes, scores, outside, 1); }, {"category_odds", "place 2"});
}

/// Every operation with one operand on the host and the others on the GPU.
class OperandsOnDevice : public GpuTest {
 protected:
  using Calls = std::vector<std::pair<std::string, std::function<void()>>>;

  static void expect_refused(const Calls& calls) {
    for (const auto& [op, call] : calls) expect_misuse(call, {op, "cpu", "cuda"});
  }

  static constexpr Device kHost = Device::kCpu;
  static constexpr Device kGpu = Device::kCuda;
  /// Not made before it is known that there is a GPU.
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    x_ = numbers({4, 3}, kGpu);
    scale_ = numbers({1}, kGpu);
    host_scale_ = scale_.to(kHost);
  }
  Tensor x_, scale_, host_scale_;
};

TEST_F(OperandsOnDevice, ElementwiseOperandsElsewhereAreRefused) {
  const Tensor host = numbers({4, 3}, kHost);
  const Tensor z0 = numbers({2, 3}, kGpu), s = numbers({6, 3}, kGpu), moments = numbers({3}, kGpu);
  const Tensor output = numbers({4, 6}, kGpu);
  expect_refused({
      {"add: operands are float32 [4, 3] on cuda and float32 [4, 3] on cpu", [&] { binary(BinaryOp::kAdd, x_, host); }},
      {"prelu_backward",
       [&] {
         prelu_backward(x_, host_scale_, numbers({4, 3}, kGpu));
       }},
      {"bce_with_logits_backward", [&] { bce_with_logits_backward(x_, host, x_); }},
      {"bias_activation", [&] { bias_activation(Activation::kTanh, x_, numbers({3}, kHost)); }},
      {"bias_activation", [&] { bias_activation(Activation::kPrelu, x_, {}, host_scale_); }},
      {"sum_squares", [&] { sum_squares(x_, host_scale_); }},
      {"score_matching_backward",
       [&] {
         score_matching_backward(s, numbers({2, 3}, kHost), 1, moments, scale_);
       }},
      {"score_matching_backward", [&] { score_matching_backward(s, z0, 1, numbers({3}, kHost), scale_); }},
      {"score_matching_backward", [&] { score_matching_backward(s, z0, 1, moments, host_scale_); }},
      {"gaussian_nll_backward", [&] { gaussian_nll_backward(output, x_, 5, host_scale_); }},
  });
}

TEST_F(OperandsOnDevice, SparseOperandsElsewhereAreRefused) {
  const CsrMatrix host = random_csr(4, 3, 1, false), target = host.to(kGpu);
  const Tensor lse = numbers({4}, kGpu), h = numbers({4, 5}, kGpu), w = numbers({3, 5}, kGpu), bias = numbers({3}, kGpu);
  const LinearMultinomialNll forward = linear_multinomial_nll(h, w, bias, target);
  const LinearMultinomialNll host_forward = {forward.loss, forward.kept.to(kHost)};
  const CategoryPlanes planes = {2, 2, 1};
  const Tensor layer = numbers({3, 2, 5}, kGpu), total = numbers({2, 5}, kGpu), dy = numbers({4, 5}, kGpu);
  expect_refused({
      {"multinomial_nll", [&] { multinomial_nll(x_, host); }},
      {"multinomial_nll_backward", [&] { multinomial_nll_backward(x_, host, lse, scale_); }},
      {"multinomial_nll_backward", [&] { multinomial_nll_backward(x_, target, numbers({4}, kHost), scale_); }},
      {"multinomial_nll_backward", [&] { multinomial_nll_backward(x_, target, lse, host_scale_); }},
      {"linear_multinomial_nll", [&] { linear_multinomial_nll(h, w, bias, host); }},
      {"linear_multinomial_nll_backward", [&] { linear_multinomial_nll_backward(h, w, host, forward, scale_); }},
      {"linear_multinomial_nll_backward",
       [&] {
         linear_multinomial_nll_backward(h, numbers({3, 5}, kHost), target, forward, scale_);
       }},
      {"linear_multinomial_nll_backward", [&] { linear_multinomial_nll_backward(h, w, target, host_forward, scale_); }},
      {"linear_multinomial_nll_backward", [&] { linear_multinomial_nll_backward(h, w, target, forward, host_scale_); }},
      {"category_cross_entropy", [&] { category_cross_entropy(planes, x_, host); }},
      {"category_cross_entropy_backward", [&] { category_cross_entropy_backward(planes, x_, host, scale_); }},
      {"category_cross_entropy_backward", [&] { category_cross_entropy_backward(planes, x_, target, host_scale_); }},
      {"csr_matmul", [&] { csr_matmul(host, w); }},
      {"csr_transpose_matmul", [&] { csr_transpose_matmul(host, dy); }},
      {"csr_transpose_matmul_add", [&] { csr_transpose_matmul_add(host, dy, w); }},
      {"value_linear",
       [&] {
         value_linear(host, numbers({2, 2}, kGpu), layer, total);
       }},
      {"value_linear_backward", [&] { value_linear_backward(host, layer, total, dy); }},
      {"rank_rows", [&] { rank_rows(x_, host, 2); }},
      {"CsrMatrix", [&] { CsrMatrix(4, 3, target.offsets(), host.columns()); }},
      {"CsrMatrix", [&] { CsrMatrix(4, 3, target.offsets(), target.columns(), numbers({host.nnz()}, kHost)); }},
      {"with_values", [&] { target.with_values(numbers({host.nnz()}, kHost)); }},
  });
}

TEST_F(OperandsOnDevice, IndicesElsewhereAreRefused) {
  const Tensor rows = integers(4, kGpu), host_rows = integers(4, kHost), one = integers(1, kGpu);
  const Tensor factors = numbers({3, kAdamFactors}, kGpu), table = numbers({7, 3}, kGpu);
  const CsrMatrix sparse = random_csr(4, 3, 1, false).to(kGpu);
  const auto update = [&](const Tensor& index, const Tensor& done, const Tensor& count) {
    adam_rows(index, done, factors, count, x_, table, numbers({7, 3}, kGpu), numbers({7, 3}, kGpu));
  };
  AtLeast found = count_at_least(x_, 1, 0);
  found.starts = found.starts.to(kHost);
  const StepProbabilities probabilities = step_probabilities(LossHistory(5, DType::kFloat32, kGpu));
  const Tensor u = Tensor::zeros({2}, DType::kFloat64, kGpu);
  expect_refused({
      {"gather_rows", [&] { gather_rows(table, host_rows); }},
      {"gather_rows",
       [&] {
         gather_rows(integers(4, kGpu).reshape({2, 2}), host_rows);
       }},
      {"gather_rows", [&] { gather_rows(sparse, host_rows, 12); }},
      {"scatter_add_rows", [&] { scatter_add_rows(x_, host_rows, table); }},
      {"adam_rows", [&] { update(host_rows, rows, one); }},
      {"adam_rows", [&] { update(rows, host_rows, one); }},
      {"adam_rows", [&] { update(rows, rows, integers(1, kHost)); }},
      {"dropout", [&] { dropout(x_, 0.5, kStream, host_rows); }},
      {"dropout", [&] { dropout(sparse, 0.5, kStream, host_rows); }},
      {"random_uniform",
       [&] {
         random_uniform({4, 3}, kStream, 0, 1, DType::kFloat32, kGpu, host_rows);
       }},
      {"random_normal",
       [&] {
         random_normal({4, 3}, kStream, 0, 1, DType::kFloat32, kGpu, host_rows);
       }},
      {"random_gumbel",
       [&] {
         random_gumbel({4, 3}, kStream, DType::kFloat32, kGpu, host_rows);
       }},
      {"take_at_least", [&] { take_at_least(x_, found, {}, 0, {}, Tensor::empty({found.count}, DType::kInt64, kGpu)); }},
      {"draw_steps",
       [&] {
         draw_steps({probabilities.p, probabilities.until.to(kHost)}, u, DType::kFloat32);
       }},
  });
}

}  // namespace
}  // namespace tapestry::tests
