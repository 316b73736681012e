// What operations refuse: operands whose shapes would let a kernel read or write other memory, and operands on different devices.
#include <gtest/gtest.h>

#include <functional>
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
  const CsrMatrix target = random_csr(4, 3, 1, false, DType::kFloat32, device);
  const Tensor h = numbers({4, 5}, device), w = numbers({3, 5}, device), scale = numbers({1}, device);
  const LinearMultinomialNll forward = linear_multinomial_nll(h, w, numbers({3}, device), target);
  const auto backward = [&](const Tensor& given_h, const Tensor& given_w) {
    linear_multinomial_nll_backward(given_h, given_w, target, forward, scale);
  };
  expect_misuse([&] { backward(numbers({3, 5}, device), w); }, {"linear_multinomial_nll_backward", "[3, 5]"});
  expect_misuse([&] { backward(h, numbers({2, 5}, device)); }, {"linear_multinomial_nll_backward", "[2, 5]"});
  expect_misuse([&] { backward(h, numbers({3, 4}, device)); }, {"linear_multinomial_nll_backward", "[3, 4]"});
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
      {"binary", [&] { binary(BinaryOp::kAdd, x_, host); }},
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
