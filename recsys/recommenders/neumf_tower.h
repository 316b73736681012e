#pragma once

#include <cstdint>
#include <vector>

#include "nn/layers.h"

namespace tapestry::recsys {

/// NeuMF's tower behind its first layer (neumf_model.h) for all items of a user at a time, on a CPU in float32: sixteen items
/// side by side go from the first layer's outputs to their logits without leaving the registers and the first cache. The same
/// sums in the same order as with a product per layer, whose outputs for thousands of items would have to be written and read.
class NeuMfTower {
 public:
  /// items [I, K]: what the items add to the first layer's outputs, its bias included; second K -> K/2, third K/2 -> K/4, both
  /// with ReLU; output [1, K/4] with bias [1].
  NeuMfTower(const Tensor& items, const nn::Linear& second, const nn::Linear& third, const Tensor& output, const Tensor& bias);

  /// scores [I] += the tower's logits for a user who adds `user` [K] to the first layer's outputs. Safe to call from several
  /// threads.
  void add_to(const float* user, float* scores) const;

 private:
  static constexpr std::int64_t kItems = 16;
  using Lanes [[gnu::vector_size(kItems * sizeof(float))]] = float;
  struct Sixteen {
    Lanes of;
  };
  struct Layer {
    std::int64_t in = 0, out = 0;
    std::vector<float> weight;  ///< [in, out]
    std::vector<float> bias;    ///< [out]
  };

  static Layer layer_of(const Tensor& weight, const Tensor& bias);
  template <int kOutputs, bool rectified>
  static void outputs(const Layer& layer, std::int64_t first, const Sixteen* in, Sixteen* out);
  template <bool rectified>
  static void apply(const Layer& layer, const Sixteen* in, Sixteen* out);

  std::int64_t count_;          ///< I
  std::int64_t width_;          ///< K
  std::vector<Sixteen> items_;  ///< [I / 16 rounded up, K], zero behind the last item
  Layer second_, third_, output_;
};

}  // namespace tapestry::recsys
