#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "autograd/elementwise.h"
#include "autograd/matrix.h"
#include "nn/init.h"
#include "nn/module.h"

namespace tapestry::nn {

using autograd::Variable;

/// How a layer's weight and bias start.
enum class LinearInit : std::uint8_t {
  kFanIn,     ///< weight and bias U(-1/sqrt(fan_in), 1/sqrt(fan_in))
  kXavier,    ///< weight Xavier-uniform, bias 0
  kLecun,     ///< weight U(-sqrt(3/fan_in), sqrt(3/fan_in)), bias 0
  kMultiVae,  ///< weight Xavier-uniform, bias N(0, 0.001^2)
  kDiffRec,   ///< weight Xavier-normal, N(0, 2 / (fan_in + fan_out)), bias N(0, 0.001^2)
  kTiny,      ///< weight and bias N(0, 0.0001^2): the first layers of CODIGEM's reverse networks
};

/// A layer of a Sequential: one tensor in, one out. Without a stream it is in evaluation: nothing is random.
class Layer : public Module {
 public:
  virtual Variable forward(const Variable& x, const std::optional<RandomStream>& random) const = 0;
};

/// activation(x W^T + b): [B, in] -> [B, out]. Parameters "weight" [out, in], "bias" [out], and "slope" [1] with PReLU.
class Linear : public Layer {
 public:
  Linear(std::int64_t in, std::int64_t out, Initializer& init, Activation activation = Activation::kNone,
         LinearInit how = LinearInit::kFanIn, double prelu_slope = 0.25);
  Variable forward(const Variable& x, const std::optional<RandomStream>& random = {}) const override;
  /// The same, with what the sweep multiplies into the weight's gradient left in `trace` (autograd::linear says when).
  Variable forward(const Variable& x, autograd::LinearTrace& trace) const;
  /// For ops that fuse the layer with what follows it.
  const Variable& weight() const { return weight_; }
  const Variable& bias() const { return bias_; }

 private:
  Activation activation_;
  Variable weight_;
  Variable bias_;
  Variable slope_;
};

/// The same for sparse rows: [B, in] -> [B, out]. Parameters "weight" [in, out] (input-major: see autograd::sparse_linear),
/// "bias". Throws Error(kMisuse) for kPrelu, which is not fused here.
class SparseLinear : public Module {
 public:
  SparseLinear(std::int64_t in, std::int64_t out, Initializer& init, Activation activation = Activation::kNone,
               LinearInit how = LinearInit::kFanIn);
  Variable forward(const CsrMatrix& x) const;

 private:
  Activation activation_;
  Variable weight_;
  Variable bias_;
};

/// A table of `count` vectors, N(0, deviation^2). Parameter "weight" [count, width]. Its gradient is as large, and so is each
/// step of an optimiser, however few rows a batch picks.
class Embedding : public Module {
 public:
  Embedding(std::int64_t count, std::int64_t width, Initializer& init, double deviation = 1.0);
  /// int32 [n] -> [n, width]. On a GPU nobody looks whether an index is in the table (autograd::embedding).
  Variable forward(const Tensor& index) const;
  const Variable& weight() const { return weight_; }

 private:
  Variable weight_;
};

/// Zeroes with probability p while a stream is given, else passes through.
class Dropout : public Layer {
 public:
  explicit Dropout(double p) : p_(p) { check(p >= 0 && p < 1, "Dropout: probability ", p, " is not in [0, 1)"); }
  Variable forward(const Variable& x, const std::optional<RandomStream>& random) const override {
    return random ? autograd::dropout(x, p_, *random) : x;
  }

 private:
  double p_;
};

/// Batch normalisation (Ioffe & Szegedy 2015): every column of [B, N] less its mean, over its deviation (biased, epsilon under
/// the root), times a scale and plus a shift. The batch's own statistics are used always: there are no running ones. Parameters
/// "weight" [N], 1 at first, and "bias" [N], 0.
class BatchNorm : public Layer {
 public:
  BatchNorm(std::int64_t width, Initializer& init, double epsilon = 1e-5);
  Variable forward(const Variable& x, const std::optional<RandomStream>& random = {}) const override;

 private:
  double epsilon_;
  Variable weight_;
  Variable bias_;
};

/// An activation as a layer of its own.
class UnaryLayer : public Layer {
 public:
  explicit UnaryLayer(Variable (*function)(const Variable&)) : function_(function) {}
  Variable forward(const Variable& x, const std::optional<RandomStream>&) const override { return function_(x); }

 private:
  Variable (*function_)(const Variable&);
};

/// PReLU with one learned slope. Parameter "slope" [1].
class PRelu : public Layer {
 public:
  explicit PRelu(Initializer& init, double slope = 0.25) : slope_(add_parameter("slope", init.constant({1}, slope))) {}
  Variable forward(const Variable& x, const std::optional<RandomStream>&) const override { return autograd::prelu(x, slope_); }

 private:
  Variable slope_;
};

/// Layers one after the other; their names are their positions. Layer i draws from an independent seed derived from the stream's.
class Sequential : public Layer {
 public:
  /// Appends a layer and returns it.
  template <typename L, typename... Arguments>
  L& add(Arguments&&... arguments) {
    auto layer = std::make_unique<L>(std::forward<Arguments>(arguments)...);
    L& added = *layer;
    add_module(std::to_string(layers_.size()), added);
    layers_.push_back(std::move(layer));
    return added;
  }
  Variable forward(const Variable& x, const std::optional<RandomStream>& random = {}) const override;

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace tapestry::nn
