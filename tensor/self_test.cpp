#include "tensor/self_test.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <span>

#include "tensor/dispatch.h"
#include "tensor/ops.h"
#include "tensor/update_factors.h"

namespace tapestry {
namespace {

constexpr std::int64_t kRows = 67;
constexpr std::int64_t kCols = 301;
constexpr std::int64_t kHidden = 40;
constexpr RandomStream kStream = {2024, Purpose::kTest, 1};
constexpr double kRounding = 1e-4;  ///< of float32 sums over a few hundred terms in two orders

/// Inputs on the device; the random numbers themselves are drawn on the CPU.
struct Inputs {
  Tensor a;     ///< [kRows, kCols]
  Tensor b;     ///< [kRows, kCols]
  Tensor h;     ///< [kRows, kHidden]
  Tensor w;     ///< [kCols, kHidden]
  CsrMatrix x;  ///< [kRows, kCols], a few dozen entries a row
};

Inputs make_inputs(Device device) {
  std::vector<std::vector<std::int32_t>> rows(kRows);
  RandomSequence random(kStream);
  for (std::vector<std::int32_t>& row : rows) {
    for (std::int32_t col = 0; col < kCols; ++col) {
      if (random.below(10) == 0) row.push_back(col);
    }
  }
  const auto normal = [&](const Shape& shape, std::uint32_t step) { return random_normal(shape, kStream.at(step)).to(device); };
  return {normal({kRows, kCols}, 2), normal({kRows, kCols}, 3), normal({kRows, kHidden}, 4),
          scaled(normal({kCols, kHidden}, 5), 0.1), CsrMatrix::from_rows(kCols, rows).to(device)};
}

/// All numbers of several results, one behind the other.
Tensor together(const std::vector<Tensor>& results) {
  std::vector<Tensor> flat;
  for (const Tensor& result : results) flat.push_back(result.reshape({result.numel()}));
  return concat_rows(flat);
}

/// MultiVAE's output layer and loss, with its gradients for a mean over the rows.
Tensor output_layer(const Inputs& in, Device device) {
  const LinearMultinomialNll forward = linear_multinomial_nll(in.h, in.w, in.a.slice_rows(0, 1).reshape({kCols}), in.x);
  const LinearMultinomialGradients gradients =
      linear_multinomial_nll_backward(in.h, in.w, in.x, forward, Tensor::full({1}, 1.0 / kRows, DType::kFloat32, device));
  return together({forward.loss, gradients.dh, gradients.dw, gradients.dbias});
}

/// SDRM's objective and its gradient, a and b taken for the outputs and the latents of kRows / 3 rows.
Tensor objective(const Inputs& in, Device device) {
  constexpr double kInverse = 100;
  const Tensor s = in.a.slice_rows(0, kRows / 3 * 3), z0 = in.b.slice_rows(0, kRows / 3);
  const ScoreMatching forward = score_matching(s, z0, kInverse);
  const Tensor scale = Tensor::full({1}, 1, DType::kFloat32, device);
  return together({forward.loss, forward.moments, score_matching_backward(s, z0, kInverse, forward.moments, scale)});
}

/// One step in which every constant counts, for a hundredth of any one moves some result by more than kRounding: the parameter
/// and both moments afterwards.
Tensor adam_step(const Inputs& in, Device device) {
  const Tensor value = in.a.clone(), first = in.b.clone(), second = unary(UnaryOp::kSquare, in.b);
  const AdamFactors<float> factors = {0.9f, 0.999f, 0.1f, 0.001f, 0.3f, 0.97f, 0.5f, 1.2f, 0.3f};
  const Tensor prepared =
      Tensor::from<float>(std::span(reinterpret_cast<const float*>(&factors), kAdamFactors), {kAdamFactors}, device);
  dispatch<float>(device, [&](auto kernels) {
    const ParameterView<float> parameter = {value.data<float>(), in.a.data<float>(), first.data<float>(), second.data<float>(),
                                            value.numel()};
    kernels.adam_prepared(&parameter, 1, prepared.data<float>());
  });
  return together({value, first, second});
}

struct Operation {
  const char* name;
  double allowed;
  std::function<Tensor(const Inputs&, Device)> run;
};

std::vector<Operation> operations() {
  return {
      {"normal numbers", 0,
       [](const Inputs&, Device d) {
         return random_normal({50, 200}, kStream, 0, 1, DType::kFloat32, d);
       }},
      {"dropout", 0, [](const Inputs& in, Device) { return dropout(in.a, 0.5, kStream); }},
      {"exp", 1e-6, [](const Inputs& in, Device) { return unary(UnaryOp::kExp, in.a); }},
      {"tanh", 1e-6, [](const Inputs& in, Device) { return unary(UnaryOp::kTanh, in.a); }},
      {"matrix product", kRounding, [](const Inputs& in, Device) { return matmul(in.a, in.b, false, true); }},
      {"matrix product, transposed", kRounding, [](const Inputs& in, Device) { return matmul(in.a, in.b, true, false); }},
      {"sparse product", kRounding, [](const Inputs& in, Device) { return csr_matmul(in.x, matmul(in.a, in.b, true, false)); }},
      {"sparse product, transposed", kRounding, [](const Inputs& in, Device) { return csr_transpose_matmul(in.x, in.a); }},
      {"column sums", kRounding, [](const Inputs& in, Device) { return column_sum(in.a); }},
      {"sum of squares", kRounding, [](const Inputs& in, Device) { return sum_squares(in.a); }},
      {"log-softmax", kRounding, [](const Inputs& in, Device) { return log_softmax(in.a); }},
      {"output layer and loss", kRounding, output_layer},
      {"score matching", kRounding, objective},
      {"Adam", kRounding, adam_step},
      {"best of each row", 0, [](const Inputs& in, Device) { return rank_rows(in.a, in.x, 20); }},
      {"ones at the best of each row", 0,
       [](const Inputs& in, Device) { return top_lengths_rows(in.a, std::vector<std::int64_t>(kRows, 20)).columns(); }},
      {"a number of a given rank", 0,
       [](const Inputs& in, Device d) { return Tensor::full({1}, kth_largest(in.a, 1000), DType::kFloat32, d); }},
      {"ones at numbers above a bound", 0,
       [](const Inputs& in, Device) { return dense(ones_at_least(in.a, 1, 1.5), DType::kFloat32); }},
  };
}

}  // namespace

double largest_difference(const Tensor& found, const Tensor& expected) {
  check(found.numel() == expected.numel(), "largest_difference: ", found.shape(), " and ", expected.shape());
  const Tensor device = (found.dtype() == DType::kInt32 ? found : found.to(DType::kFloat64)).to(Device::kCpu);
  double largest = 0;
  const auto compare = [&](double value, double wanted) {
    const double gap = std::abs(value - wanted) / std::max(1.0, std::abs(wanted));
    largest = std::isfinite(gap) ? std::max(largest, gap) : std::numeric_limits<double>::infinity();
  };
  if (found.dtype() == DType::kInt32) {
    for (std::size_t i = 0; i < device.span<std::int32_t>().size(); ++i) {
      compare(device.span<std::int32_t>()[i], expected.span<std::int32_t>()[i]);
    }
    return largest;
  }
  const Tensor wanted = expected.to(DType::kFloat64);
  for (std::size_t i = 0; i < device.span<double>().size(); ++i) compare(device.span<double>()[i], wanted.span<double>()[i]);
  return largest;
}

std::vector<SelfTestResult> self_test(Device device) {
  const Inputs on_device = make_inputs(device);
  const Inputs on_host = make_inputs(Device::kCpu);
  std::vector<SelfTestResult> results;
  for (const Operation& operation : operations()) {
    const Tensor found = operation.run(on_device, device);
    results.push_back({operation.name, largest_difference(found, operation.run(on_host, Device::kCpu)), operation.allowed});
  }
  return results;
}

}  // namespace tapestry
