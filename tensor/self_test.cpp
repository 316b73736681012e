#include "tensor/self_test.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "tensor/ops.h"

namespace tapestry {
namespace {

constexpr std::int64_t kRows = 67;
constexpr std::int64_t kCols = 301;
constexpr RandomStream kStream = {2024, Purpose::kTest, 1};
constexpr double kRounding = 1e-4;  ///< of float32 sums over a few hundred terms in two orders

/// Inputs on the device; the random numbers themselves are drawn on the CPU.
struct Inputs {
  Tensor a;     ///< [kRows, kCols]
  Tensor b;     ///< [kRows, kCols]
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
  return {random_normal({kRows, kCols}, kStream.at(2)).to(device), random_normal({kRows, kCols}, kStream.at(3)).to(device),
          CsrMatrix::from_rows(kCols, rows).to(device)};
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
      {"multinomial loss", kRounding, [](const Inputs& in, Device) { return multinomial_nll(in.a, in.x).loss; }},
      {"best of each row", 0, [](const Inputs& in, Device) { return top_k_rows(in.a, 20); }},
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
