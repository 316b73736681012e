#pragma once

#include <cstdint>

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace tapestry::nn {

/// Where a model's initial values come from and live: each parameter takes the stream of the next step, so that the order of
/// construction is the only thing that decides its numbers.
class Initializer {
 public:
  Initializer(std::uint64_t seed, DType dtype = DType::kFloat32, Device device = Device::kCpu)
      : stream_{seed, Purpose::kInit, 0}, dtype_(dtype), device_(device) {}

  /// U(-bound, bound).
  Tensor uniform(const Shape& shape, double bound);
  /// N(0, deviation^2).
  Tensor normal(const Shape& shape, double deviation);
  /// N(0, deviation^2) cut at two deviations by drawing again, then rescaled so that `deviation` is the one after the cut.
  Tensor truncated_normal(const Shape& shape, double deviation);
  /// U(-b, b), b = sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).
  Tensor xavier_uniform(const Shape& shape, std::int64_t fan_in, std::int64_t fan_out);
  /// N(0, 2 / (fan_in + fan_out)) (Glorot & Bengio 2010).
  Tensor xavier_normal(const Shape& shape, std::int64_t fan_in, std::int64_t fan_out);
  /// U(-b, b), b = sqrt(3 / fan_in): variance 1 / fan_in (LeCun et al. 1998).
  Tensor lecun_uniform(const Shape& shape, std::int64_t fan_in);
  /// U(-b, b), b = sqrt(6 / ((1 + a^2) fan_in)) (He et al. 2015), a the negative slope behind the layer.
  Tensor kaiming_uniform(const Shape& shape, std::int64_t fan_in, double negative_slope);
  /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)): what PyTorch gives a Linear.
  Tensor fan_in_uniform(const Shape& shape, std::int64_t fan_in);
  Tensor constant(const Shape& shape, double value) const { return Tensor::full(shape, value, dtype_, device_); }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }

 private:
  RandomStream next();

  RandomStream stream_;
  DType dtype_;
  Device device_;
};

}  // namespace tapestry::nn
