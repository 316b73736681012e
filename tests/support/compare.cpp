#include "tests/support/compare.h"

#include <cmath>
#include <cstring>

namespace tapestry::tests {

double relative_error(const Tensor& ours, const Tensor& expected) {
  check(ours.numel() == expected.numel(), "relative_error: ", ours.shape(), " and ", expected.shape());
  const Tensor a = ours.to(Device::kCpu).to(DType::kFloat64);
  const Tensor b = expected.to(Device::kCpu).to(DType::kFloat64);
  double difference = 0;
  double norm = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const double delta = a.data<double>()[i] - b.data<double>()[i];
    difference += delta * delta;
    norm += b.data<double>()[i] * b.data<double>()[i];
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         (a.bytes() == 0 || std::memcmp(a.raw_data(), b.raw_data(), static_cast<std::size_t>(a.bytes())) == 0);
}

}  // namespace tapestry::tests
