#include "recsys/recommenders/neumf_model.h"

#include <algorithm>
#include <vector>

#include "recsys/recommenders/neumf_tower.h"
#include "tensor/parallel.h"

namespace tapestry::recsys {

using autograd::Variable;

namespace {

/// Pairs of a user and an item that go through the tower together where a product per layer is made: 64 MiB at its widest.
constexpr std::int64_t kPairs = 1 << 19;

/// All pairs of `users` users and `items` items, user by user: int32 [users * items] each.
struct PairIndex {
  Tensor user, item;

  PairIndex(std::int64_t users, std::int64_t items, Device device) {
    std::vector<std::int32_t> of_user, of_item;
    for (std::int64_t u = 0; u < users; ++u) {
      for (std::int64_t i = 0; i < items; ++i) {
        of_user.push_back(static_cast<std::int32_t>(u));
        of_item.push_back(static_cast<std::int32_t>(i));
      }
    }
    user = Tensor::from<std::int32_t>(of_user, {users * items}, device);
    item = Tensor::from<std::int32_t>(of_item, {users * items}, device);
  }
};

}  // namespace

NeuMfModel::NeuMfModel(std::int64_t users, std::int64_t items, const NeuMfConfig& config, nn::Initializer& init)
    : user_gmf_(users, config.gmf_width, init, config.embedding_deviation),
      item_gmf_(items, config.gmf_width, init, config.embedding_deviation),
      user_mlp_(users, config.mlp_width, init, config.embedding_deviation),
      item_mlp_(items, config.mlp_width, init, config.embedding_deviation),
      first_(2 * config.mlp_width, config.mlp_width, init, Activation::kRelu, nn::LinearInit::kXavier),
      second_(config.mlp_width, config.mlp_width / 2, init, Activation::kRelu, nn::LinearInit::kXavier),
      third_(config.mlp_width / 2, config.mlp_width / 4, init, Activation::kRelu, nn::LinearInit::kXavier),
      // Kaiming-uniform with a = 1 is LeCun's: sqrt(6 / (2 fan_in)).
      output_(config.mlp_width / 4 + config.gmf_width, 1, init, Activation::kNone, nn::LinearInit::kLecun) {
  check(config.mlp_width % 4 == 0 && config.mlp_width > 0, "NeuMfModel: a tower of width ", config.mlp_width,
        " cannot be halved, expected a multiple of 4");
  add_module("user_gmf", user_gmf_);
  add_module("item_gmf", item_gmf_);
  add_module("user_mlp", user_mlp_);
  add_module("item_mlp", item_mlp_);
  add_module("0", first_);
  add_module("1", second_);
  add_module("2", third_);
  add_module("output", output_);
}

Variable NeuMfModel::logits(const Tensor& users, const Tensor& items, const Drop& drop) const {
  const auto dropped = [&](const Variable& h, int layer) { return drop ? drop(h, layer) : h; };
  Variable h = autograd::concat_columns({user_mlp_.forward(users), item_mlp_.forward(items)});  // [n, 64]
  h = first_.forward(dropped(h, 0));                                                            // [n, 32]
  h = second_.forward(dropped(h, 1));                                                           // [n, 16]
  h = third_.forward(dropped(h, 2));                                                            // [n, 8]
  const Variable g = autograd::multiply(user_gmf_.forward(users), item_gmf_.forward(items));    // [n, 8]
  return output_.forward(autograd::concat_columns({h, g}));                                     // [n, 1]
}

Tensor NeuMfModel::tower(Tensor h) const {
  for (const nn::Linear* layer : {&second_, &third_}) {
    h = bias_activation(Activation::kRelu, matmul(h, layer->weight().value(), false, true), layer->bias().value());
  }
  const Tensor of_tower = slice_columns(output_.weight().value(), 0, third_.bias().value().numel());  // [1, 8]
  return bias_activation(Activation::kNone, matmul(h, of_tower, false, true), output_.bias().value());
}

Tensor NeuMfModel::all_items(std::int64_t begin, std::int64_t end) const {
  const Tensor user_mlp = user_mlp_.weight().value().slice_rows(begin, end);  // [n, 32]
  const Tensor item_mlp = item_mlp_.weight().value();                         // [I, 32]
  const Tensor w0 = first_.weight().value();                                  // [32, 64] = [of the user, of the item]
  const std::int64_t half = user_mlp.cols();
  const Tensor user_part = matmul(user_mlp, slice_columns(w0, 0, half), false, true);  // [n, 32]
  const Tensor item_part = bias_activation(Activation::kNone, matmul(item_mlp, slice_columns(w0, half, 2 * half), false, true),
                                           first_.bias().value());  // [I, 32]
  const Tensor w = output_.weight().value();                        // [1, 16]
  const Tensor of_gmf = slice_columns(w, third_.bias().value().numel(), w.cols());
  // p_u * q_i . w_g = (p_u * w_g) . q_i for all pairs at once
  const Tensor weighted = binary(BinaryOp::kMultiply, user_gmf_.weight().value().slice_rows(begin, end), of_gmf);  // [n, 8]
  const Tensor scores = matmul(weighted, item_gmf_.weight().value(), false, true).to(DType::kFloat32);             // [n, I]
  if (device() == Device::kCpu && dtype() == DType::kFloat32) {
    const NeuMfTower tower(item_part, second_, third_, slice_columns(w, 0, third_.bias().value().numel()),
                           output_.bias().value());
    parallel_for(end - begin, [&](std::int64_t user) {
      tower.add_to(user_part.data<float>() + user * half, scores.data<float>() + user * items());
    });
    return scores;
  }
  // A GPU's parallelism is within a product: the pairs of several users go through the tower together.
  const std::int64_t group = std::clamp<std::int64_t>(kPairs / items(), 1, std::max<std::int64_t>(1, end - begin));
  const PairIndex pairs(group, items(), device());
  for (std::int64_t from = 0; from < end - begin; from += group) {
    const std::int64_t to = std::min(end - begin, from + group), count = (to - from) * items();
    const Tensor h = gather_rows(item_part, pairs.item.slice_rows(0, count));
    add_in_place(h, gather_rows(user_part.slice_rows(from, to), pairs.user.slice_rows(0, count)));
    const Tensor by_tower = tower(bias_activation(Activation::kRelu, h, {}));
    add_in_place(scores.slice_rows(from, to), by_tower.to(DType::kFloat32).reshape({to - from, items()}));
  }
  return scores;
}

}  // namespace tapestry::recsys
