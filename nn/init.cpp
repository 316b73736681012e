#include "nn/init.h"

#include <cmath>
#include <vector>

#include "tensor/ops.h"

namespace tapestry::nn {

RandomStream Initializer::next() {
  const RandomStream stream = stream_;
  ++stream_.step;
  return stream;
}

Tensor Initializer::uniform(const Shape& shape, double bound) {
  return random_uniform(shape, next(), -bound, bound, dtype_, device_);
}

Tensor Initializer::normal(const Shape& shape, double deviation) {
  return random_normal(shape, next(), 0, deviation, dtype_, device_);
}

Tensor Initializer::truncated_normal(const Shape& shape, double deviation) {
  // The standard normal cut at two deviations has this standard deviation.
  constexpr double kCutDeviation = 0.87962566103423978;
  RandomSequence sequence(next());
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (float& value : values) {
    double draw = sequence.normal();
    while (std::abs(draw) > 2) draw = sequence.normal();
    value = static_cast<float>(draw * deviation / kCutDeviation);
  }
  return Tensor::from<float>(values, shape).to(dtype_).to(device_);
}

Tensor Initializer::xavier_uniform(const Shape& shape, std::int64_t fan_in, std::int64_t fan_out) {
  return uniform(shape, std::sqrt(6.0 / static_cast<double>(fan_in + fan_out)));
}

Tensor Initializer::xavier_normal(const Shape& shape, std::int64_t fan_in, std::int64_t fan_out) {
  return normal(shape, std::sqrt(2.0 / static_cast<double>(fan_in + fan_out)));
}

namespace {

/// sqrt(number / fan); 0 where nothing comes in, as into the bias of a layer without inputs.
double bound_of(double number, std::int64_t fan) { return fan > 0 ? std::sqrt(number / static_cast<double>(fan)) : 0; }

}  // namespace

Tensor Initializer::lecun_uniform(const Shape& shape, std::int64_t fan_in) { return uniform(shape, bound_of(3.0, fan_in)); }

Tensor Initializer::kaiming_uniform(const Shape& shape, std::int64_t fan_in, double negative_slope) {
  return uniform(shape, bound_of(6.0 / (1 + negative_slope * negative_slope), fan_in));
}

Tensor Initializer::fan_in_uniform(const Shape& shape, std::int64_t fan_in) {
  return uniform(shape, fan_in > 0 ? 1 / std::sqrt(static_cast<double>(fan_in)) : 0);
}

}  // namespace tapestry::nn
