#include "recsys/recommenders/mlp_model.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/value_linear.h"

namespace tapestry::recsys {

using autograd::Variable;

ValueLayer::ValueLayer(std::int64_t items, std::int64_t width, std::int64_t out, double table_deviation, nn::Initializer& init)
    : table_(add_parameter("table", init.truncated_normal({2, width}, table_deviation))),
      weight_(add_parameter("weight", init.xavier_uniform({items, width, out}, items * width, out))),
      bias_(add_parameter("bias", init.constant({out}, 0))),
      total_(Tensor::empty({width, out}, init.dtype(), init.device())) {
  ValueLayer::values_changed();
}

ValueLayer::Update ValueLayer::new_update() const {
  const Tensor& w = weight_.value();
  return {.first = Tensor::zeros(w.shape(), w.dtype(), w.device()), .second = Tensor::zeros(w.shape(), w.dtype(), w.device())};
}

Variable ValueLayer::forward(const CsrMatrix& x, const std::shared_ptr<ValueLinearGradients>& gradients) const {
  return autograd::value_linear(x, table_, weight_.value(), total_, bias_, Activation::kRelu, gradients);
}

void ValueLayer::update_weight(Update& update, const Tensor& factors) const {
  check(update.gradients->all.defined(),
        "ValueLayer::update_weight: no backward sweep has left a gradient of W since the last update");
  value_linear_adam(table_.value(), *update.gradients, factors, weight_.value(), update.first, update.second, total_);
  *update.gradients = {};
}

Tensor ValueLayer::weight_gradient(const ValueLinearGradients& gradients) const {
  const Shape& shape = weight_.shape();
  const std::int64_t items = shape[0], width = shape[1], out = shape[2];
  // dW[i, k, :] = table[0, k] all + (table[1, k] - table[0, k]) seen[i, :]: an outer product of rank two for each item.
  const Tensor zero = table_.value().slice_rows(0, 1), one = table_.value().slice_rows(1, 2);  // [1, K]
  const Tensor factors = concat_rows({zero, linear_combination({{1.0, one}, {-1.0, zero}})});  // [2, K]
  const Tensor gradient = Tensor::empty({items, width, out}, table_.value().dtype(), table_.value().device());
  for (std::int64_t item = 0; item < items; ++item) {
    const Tensor rows = concat_rows({gradients.all.reshape({1, out}), gradients.seen.slice_rows(item, item + 1)});  // [2, N]
    copy_into(gradient.slice_rows(item, item + 1), matmul(factors, rows, true, false));                             // [K, N]
  }
  return gradient;
}

void ValueLayer::values_changed() const {
  const std::int64_t items = weight_.shape()[0], width = weight_.shape()[1], out = weight_.shape()[2];
  const Tensor rows = weight_.value().reshape({items, width * out});
  // Added up in the blocks in which value_linear_adam does it, so that on the CPU restored weights give the same bits as when
  // they were kept. (A GPU adds within a block in another order here than there: bits of its own, the same at every run.)
  std::vector<Tensor> blocks;
  for (std::int64_t begin = 0; begin < items; begin += kValueBlock) {
    const Tensor block = rows.slice_rows(begin, std::min(items, begin + kValueBlock));
    blocks.push_back(column_sum(block).reshape({1, width * out}));
  }
  copy_into(total_, column_sum(concat_rows(blocks)).reshape({width, out}));
}

MlpModel::MlpModel(std::int64_t items, std::int64_t table_rows, const MlpConfig& config, nn::Initializer& init)
    : items_(items),
      first_(items, config.width, config.first, std::sqrt(2.0 / static_cast<double>(table_rows)), init),
      second_(config.first, config.hidden, init, Activation::kRelu, nn::LinearInit::kXavier),
      third_(config.hidden, config.hidden, init, Activation::kRelu, nn::LinearInit::kXavier),
      output_(config.hidden, items, init, Activation::kNone, nn::LinearInit::kLecun) {
  check(items > 0 && table_rows > 0 && config.width > 0, "MlpModel: ", items, " items, ", table_rows, " rows, width ",
        config.width, ": all must be positive");
  add_module("first", first_);
  add_module("1", second_);
  add_module("2", third_);
  add_module("3", output_);
}

Variable MlpModel::logits(const CsrMatrix& x, const Drop& drop, const std::shared_ptr<ValueLinearGradients>& gradients) const {
  const auto dropped = [&](const Variable& h, int layer) { return drop ? drop(h, layer) : h; };
  Variable h = dropped(first_.forward(x, gradients), 0);  // [B, 512]
  h = dropped(second_.forward(h), 1);                     // [B, 256]
  h = dropped(third_.forward(h), 2);                      // [B, 256]
  return output_.forward(h);                              // [B, I]
}

std::vector<Variable> MlpModel::dense_parameters() const {
  std::vector<Variable> all = {first_.table(), first_.bias()};
  for (const nn::Linear* layer : {&second_, &third_, &output_}) {
    all.push_back(layer->weight());
    all.push_back(layer->bias());
  }
  return all;
}

}  // namespace tapestry::recsys
