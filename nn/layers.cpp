#include "nn/layers.h"

#include "autograd/reduction.h"

namespace tapestry::nn {
namespace {

constexpr double kTinyDeviation = 1e-4;

Tensor initial_weight(const Shape& shape, std::int64_t in, std::int64_t out, Initializer& init, LinearInit how) {
  switch (how) {
    case LinearInit::kFanIn:
      return init.fan_in_uniform(shape, in);
    case LinearInit::kLecun:
      return init.lecun_uniform(shape, in);
    case LinearInit::kDiffRec:
      return init.xavier_normal(shape, in, out);
    case LinearInit::kTiny:
      return init.normal(shape, kTinyDeviation);
    case LinearInit::kXavier:
    case LinearInit::kMultiVae:
      break;
  }
  return init.xavier_uniform(shape, in, out);
}

Tensor initial_bias(std::int64_t in, std::int64_t out, Initializer& init, LinearInit how) {
  switch (how) {
    case LinearInit::kFanIn:
      return init.fan_in_uniform({out}, in);
    case LinearInit::kXavier:
    case LinearInit::kLecun:
      return init.constant({out}, 0);
    case LinearInit::kTiny:
      return init.normal({out}, kTinyDeviation);
    case LinearInit::kMultiVae:
    case LinearInit::kDiffRec:
      break;
  }
  return init.normal({out}, 0.001);
}

}  // namespace

Linear::Linear(std::int64_t in, std::int64_t out, Initializer& init, Activation activation, LinearInit how, double prelu_slope)
    : activation_(activation),
      weight_(add_parameter("weight", initial_weight({out, in}, in, out, init, how))),
      bias_(add_parameter("bias", initial_bias(in, out, init, how))) {
  if (activation == Activation::kPrelu) slope_ = add_parameter("slope", init.constant({1}, prelu_slope));
}

Variable Linear::forward(const Variable& x, const std::optional<RandomStream>&) const {
  return autograd::linear(x, weight_, bias_, activation_, slope_);
}

Variable Linear::forward(const Variable& x, autograd::LinearTrace& trace) const {
  return autograd::linear(x, weight_, bias_, activation_, slope_, &trace);
}

SparseLinear::SparseLinear(std::int64_t in, std::int64_t out, Initializer& init, Activation activation, LinearInit how)
    : activation_(activation),
      weight_(add_parameter("weight", initial_weight({in, out}, in, out, init, how))),
      bias_(add_parameter("bias", initial_bias(in, out, init, how))) {
  check(activation != Activation::kPrelu,
        "SparseLinear: PReLU is not fused here; put autograd::prelu or nn::PRelu behind the layer");
}

Variable SparseLinear::forward(const CsrMatrix& x) const { return autograd::sparse_linear(x, weight_, bias_, activation_); }

Embedding::Embedding(std::int64_t count, std::int64_t width, Initializer& init, double deviation)
    : weight_(add_parameter("weight", init.normal({count, width}, deviation))) {}

Variable Embedding::forward(const Tensor& index) const { return autograd::embedding(weight_, index); }

BatchNorm::BatchNorm(std::int64_t width, Initializer& init, double epsilon)
    : epsilon_(epsilon),
      weight_(add_parameter("weight", init.constant({width}, 1))),
      bias_(add_parameter("bias", init.constant({width}, 0))) {}

Variable BatchNorm::forward(const Variable& x, const std::optional<RandomStream>&) const {
  const double share = 1.0 / static_cast<double>(x.value().rows());
  const Variable mean = autograd::scale(autograd::column_sum(x), share);                               // [N]
  const Variable centered = autograd::subtract(x, mean);                                               // [B, N]
  const Variable variance = autograd::scale(autograd::column_sum(autograd::square(centered)), share);  // [N]
  const Variable epsilon = Tensor::full({1}, epsilon_, x.value().dtype(), x.value().device());
  const Variable deviation = autograd::sqrt(autograd::add(variance, epsilon));
  return autograd::add(autograd::multiply(autograd::divide(centered, deviation), weight_), bias_);
}

Variable Sequential::forward(const Variable& x, const std::optional<RandomStream>& random) const {
  Variable y = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    std::optional<RandomStream> own = random;
    if (own) own->seed = derive_seed(random->seed, i);
    y = layers_[i]->forward(y, own);
  }
  return y;
}

}  // namespace tapestry::nn
