#include "sdrm/score_model.h"

#include <cmath>

namespace tapestry::sdrm {

Tensor timestep_embedding(std::int64_t count, std::int64_t width, DType dtype, Device device) {
  Tensor table = Tensor::zeros({count, width}, DType::kFloat64);
  const std::int64_t half = width / 2;
  for (std::int64_t t = 0; t < count; ++t) {
    double* row = table.data<double>() + t * width;
    for (std::int64_t j = 0; j < half; ++j) {
      const double angle = static_cast<double>(t) * std::exp(-std::log(1e4) * static_cast<double>(j) / static_cast<double>(half));
      row[j] = std::cos(angle);
      row[half + j] = std::sin(angle);
    }
  }
  return table.to(dtype).to(device);
}

ScoreModel::InputBlock::InputBlock(std::int64_t latent, std::int64_t width, nn::Initializer& init)
    // Both parts start with the bound of the concatenated layer, whose fan-in is K + E.
    : weight_z(add_parameter("weight_z", init.fan_in_uniform({latent, latent}, latent + width))),
      weight_t(add_parameter("weight_t", init.fan_in_uniform({latent, width}, latent + width))),
      bias(add_parameter("bias", init.fan_in_uniform({latent}, latent + width))),
      slope(add_parameter("slope", init.constant({1}, 0.25))) {}

ScoreModel::HiddenBlocks::HiddenBlocks(std::int64_t latent, std::int64_t count, nn::Initializer& init) {
  for (std::int64_t i = 0; i < count; ++i) {
    blocks.push_back(std::make_unique<nn::Linear>(latent, latent, init, Activation::kPrelu));
    add_module(std::to_string(i), *blocks.back());
  }
}

ScoreModel::ScoreModel(std::int64_t latent, const ScoreConfig& config, nn::Initializer& init)
    : latent_(latent),
      timesteps_(config.timesteps),
      applications_(config.hidden_layers),
      dropout_(config.dropout),
      variant_(config.variant),
      tied_(config.ties_layers()),
      drops_while_sampling_(config.drops_while_sampling()),
      table_(timestep_embedding(config.timesteps + 1, config.timesteps, init.dtype(), init.device())),
      time_(config.timesteps, config.timesteps, init),
      input_(latent, config.timesteps, init),
      hidden_(latent, tied_ ? std::min<std::int64_t>(1, config.hidden_layers) : config.hidden_layers, init),
      output_(latent, latent, init, Activation::kTanh) {
  check(latent > 0 && config.timesteps > 0 && config.hidden_layers >= 0, "ScoreModel: latent ", latent, ", timesteps ",
        config.timesteps, ", hidden layers ", config.hidden_layers, " are not possible");
  add_module("time", time_);
  add_module("input", input_);
  add_module("hidden", hidden_);
  add_module("output", output_);
}

Variable ScoreModel::forward(const Variable& z, const Tensor& t, const std::optional<RandomStream>& dropout,
                             const Tensor& row_ids) const {
  return forward_dropped(dropout ? autograd::dropout(z, dropout_, *dropout, row_ids) : z, t);
}

Variable ScoreModel::step_rows() const { return autograd::linear(time_.forward(table_), input_.weight_t, input_.bias); }

Variable ScoreModel::forward_dropped(const Variable& z, const Tensor& t, const Variable& by_step) const {
  check(z.shape().rank() == 2 && z.value().cols() == latent_, "ScoreModel: latents ", z.shape(), " for a model of width ",
        latent_);
  check(by_step.shape() == Shape({timesteps_ + 1, latent_}), "ScoreModel: rows of the steps ", by_step.shape(), " for ",
        timesteps_, " steps of width ", latent_);
  // W [z, e] + b = W_z z + (W_t e + b): the bracket depends on t alone, so it is made once per step t = 0..T and looked up.
  const Variable from_z = autograd::matmul(z, input_.weight_z, false, true);  // [B, K]
  Variable h = autograd::prelu(autograd::add(from_z, autograd::embedding(by_step, t)), input_.slope);
  for (std::int64_t i = 0; i < applications_; ++i) {
    h = hidden_.blocks[tied_ ? 0 : static_cast<std::size_t>(i)]->forward(h);
  }
  return output_.forward(h);
}

}  // namespace tapestry::sdrm
