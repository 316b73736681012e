#pragma once

#include <functional>

#include "nn/layers.h"
#include "recsys/recommenders/neumf_config.h"

namespace tapestry::recsys {

/// Neural matrix factorisation (He, Liao, Zhang, Nie, Hu, Chua 2017, Eq. 12). U users, I items.
///   GMF:   g = p_u * q_i, elementwise, p [U, 8], q [I, 8]
///   tower: h = [s_u, t_i], s [U, 32], t [I, 32]; three times: dropout, Linear to half the width, ReLU: 64 -> 32 -> 16 -> 8
///   logit = w . [h, g] + b
/// Parameters "user_gmf.weight", "item_gmf.weight", "user_mlp.weight", "item_mlp.weight", "0.weight" [32, 64], "0.bias", "1.*",
/// "2.*", "output.weight" [1, 16], "output.bias".
class NeuMfModel : public nn::Module {
 public:
  NeuMfModel(std::int64_t users, std::int64_t items, const NeuMfConfig& config, nn::Initializer& init);

  /// What happens to the inputs of tower layer 0, 1, 2 during training.
  using Drop = std::function<autograd::Variable(const autograd::Variable& h, int layer)>;
  /// Logits [n, 1] of pairs: int32 [n] each.
  autograd::Variable logits(const Tensor& users, const Tensor& items, const Drop& drop = {}) const;

  /// Logits of all items for users [begin, end): float32 [end - begin, I] on the model's device. The first layer is taken apart
  /// into a user's and an item's share, which are computed once for each and not for each pair.
  Tensor all_items(std::int64_t begin, std::int64_t end) const;

  DType dtype() const { return output_.bias().value().dtype(); }
  Device device() const { return output_.bias().value().device(); }
  std::int64_t users() const { return user_gmf_.weight().shape()[0]; }
  std::int64_t items() const { return item_gmf_.weight().shape()[0]; }

 private:
  /// The tower's share of logits [n, 1], the output's bias included, from its first layer's outputs h [n, 32].
  Tensor tower(Tensor h) const;

  nn::Embedding user_gmf_, item_gmf_, user_mlp_, item_mlp_;
  nn::Linear first_, second_, third_, output_;
};

}  // namespace tapestry::recsys
