#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "nn/layers.h"
#include "tensor/csr.h"

namespace tapestry::recsys {

/// The multilayer perceptron's sizes and training.
struct MlpConfig {
  std::int64_t width = 8;     ///< K, of the embedding of an entry's value
  std::int64_t first = 512;   ///< outputs of the first layer
  std::int64_t hidden = 256;  ///< of the next two
  double dropout = 0.5;
  double learning_rate = 1e-3;
  double epsilon = 1e-7;  ///< Adam's
  std::int64_t batch = 16;
  std::int64_t max_epochs = 200;
  std::int64_t patience = 10;     ///< epochs without an improvement after which training ends
  double min_delta = 1e-3;        ///< by how much the validation error must fall to count as one
  double validation_share = 0.2;  ///< of the rows
};

/// MLP's first two layers. Every entry x_i of a user's 0/1 vector passes through a table of two vectors by its *value*, and all
/// of them, side by side, through a dense layer: h = relu(sum_i table[x_i] W_i + b), table [2, K], W [I, K, N]. Because x_i takes
/// two values, sum_i table[x_i] W_i is table[0] sum_i W_i plus a term for each one in x: it is computed from the sparse x and the
/// sum of W over the items, which the update of W keeps. Its gradient has rank two in each item; it is never stored (value_linear
/// in tensor/ops.h). What has to be stored is W and its two moments: Adam moves each entry of W on a path of its own.
///
/// Parameters "table" [2, K], "weight" [I, K, N], "bias" [N].
class ValueLayer : public nn::Module {
 public:
  /// What training keeps of W beside its values. A fit has its own, since the moments belong to its count of steps, and lets go
  /// of them at its end: together they take twice W.
  struct Update {
    Tensor first, second;  ///< Adam's moments [I, K, N], zero at first
    /// Of W, from the backward sweep until update_weight() takes it; empty otherwise.
    std::shared_ptr<ValueLinearGradients> gradients = std::make_shared<ValueLinearGradients>();
  };
  Update new_update() const;

  /// table truncated normal of this deviation, W Glorot-uniform over I K inputs, bias 0.
  ValueLayer(std::int64_t items, std::int64_t width, std::int64_t out, double table_deviation, nn::Initializer& init);

  /// x [B, I] ones -> [B, N]. A backward sweep leaves the gradient of W in `gradients` (null: W is a constant) and throws
  /// Error(kMisuse) where there is one already.
  autograd::Variable forward(const CsrMatrix& x, const std::shared_ptr<ValueLinearGradients>& gradients = {}) const;

  /// One Adam step of W with the gradient in `update`, which is cleared; to be called before table is changed. factors
  /// [kAdamFactors]: a row of Adam::prepare without weight decay, where W is. Throws Error(kMisuse) when there is no gradient.
  void update_weight(Update& update, const Tensor& factors) const;
  /// The gradient of W, written out [I, K, N]: for tests.
  Tensor weight_gradient(const ValueLinearGradients& gradients) const;

  const autograd::Variable& table() const { return table_; }
  const autograd::Variable& weight() const { return weight_; }
  const autograd::Variable& bias() const { return bias_; }
  /// sum_i W_i [K, N] as the last update left it: a GPU rounds it otherwise than the sum that it takes of weights put back.
  const Tensor& total() const { return total_; }

 private:
  void values_changed() const override;  // total_ anew

  autograd::Variable table_, weight_, bias_;
  Tensor total_;  // sum_i W_i [K, N]
};

/// A user's items to scores of all items, after Covington, Adams, Sargin 2016:
///   value table -> Dense(I K -> 512) ReLU -> Dense(512 -> 256) ReLU -> Dense(256 -> 256) ReLU -> Dense(256 -> I) = logits,
/// with dropout behind every ReLU. Parameters "first.*" (ValueLayer), then "1.weight" [256, 512], "1.bias", "2.*", "3.*".
class MlpModel : public nn::Module {
 public:
  /// table_rows: the table's deviation is sqrt(2 / table_rows) (He et al. 2015).
  MlpModel(std::int64_t items, std::int64_t table_rows, const MlpConfig& config, nn::Initializer& init);

  /// What happens to the outputs of hidden layer 0, 1, 2 during training.
  using Drop = std::function<autograd::Variable(const autograd::Variable& h, int layer)>;
  /// x [B, I] ones -> [B, I]. gradients: of the first layer's weight, as ValueLayer::forward takes them.
  autograd::Variable logits(const CsrMatrix& x, const Drop& drop = {},
                            const std::shared_ptr<ValueLinearGradients>& gradients = {}) const;

  /// All parameters but the first layer's weight, which has a ValueLayer::Update instead.
  std::vector<autograd::Variable> dense_parameters() const;
  const ValueLayer& first() const { return first_; }
  std::int64_t items() const { return items_; }
  DType dtype() const { return first_.bias().value().dtype(); }
  Device device() const { return first_.bias().value().device(); }

 private:
  std::int64_t items_;
  ValueLayer first_;
  nn::Linear second_, third_, output_;
};

}  // namespace tapestry::recsys
