#include "recsys/recommenders/neumf_tower.h"

#include <algorithm>

#include "tensor/error.h"

namespace tapestry::recsys {

NeuMfTower::Layer NeuMfTower::layer_of(const Tensor& weight, const Tensor& bias) {
  Layer layer = {weight.cols(), weight.rows(), {}, {}};
  const auto w = weight.span<float>();
  for (std::int64_t p = 0; p < layer.in; ++p) {
    for (std::int64_t j = 0; j < layer.out; ++j) layer.weight.push_back(w[static_cast<std::size_t>(j * layer.in + p)]);
  }
  const auto b = bias.span<float>();
  layer.bias.assign(b.begin(), b.end());
  return layer;
}

NeuMfTower::NeuMfTower(const Tensor& items, const nn::Linear& second, const nn::Linear& third, const Tensor& output,
                       const Tensor& bias)
    : count_(items.rows()),
      width_(items.cols()),
      items_(static_cast<std::size_t>((count_ + kItems - 1) / kItems * width_), Sixteen{}),
      second_(layer_of(second.weight().value(), second.bias().value())),
      third_(layer_of(third.weight().value(), third.bias().value())),
      output_(layer_of(output, bias)) {
  check(second_.in == width_ && third_.in == second_.out && output_.in == third_.out && output_.out == 1, "NeuMfTower: layers ",
        width_, " -> ", second_.in, " x ", second_.out, ", ", third_.in, " x ", third_.out, ", ", output_.in, " x ", output_.out);
  const auto values = items.span<float>();
  for (std::int64_t item = 0; item < count_; ++item) {
    for (std::int64_t p = 0; p < width_; ++p) {
      items_[static_cast<std::size_t>(item / kItems * width_ + p)].of[item % kItems] =
          values[static_cast<std::size_t>(item * width_ + p)];
    }
  }
}

template <int kOutputs, bool rectified>
void NeuMfTower::outputs(const Layer& layer, std::int64_t first, const Sixteen* in, Sixteen* out) {
  Lanes sum[kOutputs] = {};
  for (std::int64_t p = 0; p < layer.in; ++p) {
    const float* weight = layer.weight.data() + p * layer.out + first;
    // Unrolled, or the compiler would keep the sums in memory.
#pragma GCC unroll 8
    for (int j = 0; j < kOutputs; ++j) sum[j] += weight[j] * in[p].of;
  }
#pragma GCC unroll 8
  for (int j = 0; j < kOutputs; ++j) {
    const Lanes h = sum[j] + layer.bias[static_cast<std::size_t>(first + j)];
    out[first + j].of = rectified ? (h < 0.0f ? Lanes{} : h) : h;
  }
}

template <bool rectified>
void NeuMfTower::apply(const Layer& layer, const Sixteen* in, Sixteen* out) {
  constexpr int kTogether = 8;
  std::int64_t first = 0;
  for (; first + kTogether <= layer.out; first += kTogether) outputs<kTogether, rectified>(layer, first, in, out);
  for (; first < layer.out; ++first) outputs<1, rectified>(layer, first, in, out);
}

void NeuMfTower::add_to(const float* user, float* scores) const {
  std::vector<Sixteen> scratch(static_cast<std::size_t>(width_ + second_.out + third_.out));
  Sixteen* const h1 = scratch.data();
  Sixteen* const h2 = h1 + width_;
  Sixteen* const h3 = h2 + second_.out;
  for (std::int64_t begin = 0; begin < count_; begin += kItems) {
    const Sixteen* items = items_.data() + begin / kItems * width_;
    for (std::int64_t p = 0; p < width_; ++p) {
      const Lanes h = items[p].of + user[p];
      h1[p].of = h < 0.0f ? Lanes{} : h;
    }
    apply<true>(second_, h1, h2);
    apply<true>(third_, h2, h3);
    Sixteen logits;
    apply<false>(output_, h3, &logits);
    const std::int64_t count = std::min(kItems, count_ - begin);
    for (std::int64_t i = 0; i < count; ++i) scores[begin + i] += logits.of[i];
  }
}

}  // namespace tapestry::recsys
