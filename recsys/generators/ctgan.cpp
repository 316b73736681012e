#include "recsys/generators/ctgan.h"

#include <cmath>

#include "autograd/category.h"
#include "autograd/elementwise.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"

namespace tapestry::recsys {

using autograd::Variable;

namespace {

/// U(-b, b), b = 1 / sqrt(fan_in): the fan-in counts the condition, whose part of the weight is a table of its own.
Tensor initial(const Shape& shape, std::int64_t fan_in, nn::Initializer& init) {
  return init.uniform(shape, 1 / std::sqrt(static_cast<double>(fan_in)));
}

}  // namespace

CtganGenerator::Block::Block(std::int64_t in, std::int64_t out, std::int64_t categories, nn::Initializer& init)
    : weight(add_parameter("weight", initial({out, in}, in + categories, init))),
      bias(add_parameter("bias", initial({out}, in + categories, init))),
      condition(add_parameter("condition", initial({categories, out}, in + categories, init))) {}

CtganGenerator::Normalised::Normalised(std::int64_t in, std::int64_t out, std::int64_t categories, nn::Initializer& init)
    : Block(in, out, categories, init), norm(out, init) {
  add_module("norm", norm);
}

CtganGenerator::CtganGenerator(const CategoryPlanes& planes, const CtganConfig& config, nn::Initializer& init)
    : planes_(planes),
      first_(config.latent, config.hidden, planes.categories(), init),
      second_(config.hidden + config.latent, config.hidden, planes.categories(), init),
      output_(2 * config.hidden + config.latent, planes.categories(), planes.categories(), init) {
  add_module("block.0", first_);
  add_module("block.1", second_);
  add_module("output", output_);
}

std::vector<Variable> CtganGenerator::tables() const { return {first_.condition, second_.condition, output_.condition}; }

std::vector<Variable> CtganGenerator::dense_parameters() const {
  std::vector<Variable> dense;
  for (const nn::NamedParameter& parameter : named_parameters()) {
    if (!parameter.name.ends_with(".condition")) dense.push_back(parameter.variable);
  }
  return dense;
}

std::vector<Variable> CtganGenerator::gather(const Tensor& positions) const {
  std::vector<Variable> rows;
  for (const Variable& table : tables()) rows.push_back(Variable::parameter(gather_rows(table.value(), positions)));
  return rows;
}

std::vector<Variable> CtganGenerator::gather(const std::vector<std::int32_t>& positions) const {
  return gather(Tensor::from<std::int32_t>(positions, {static_cast<std::int64_t>(positions.size())}, device()));
}

Variable CtganGenerator::forward(const Tensor& z, const std::vector<Variable>& condition_rows) const {
  const auto block = [&](const Normalised& layer, const Variable& x, const Variable& condition) {
    return autograd::relu(layer.norm.forward(autograd::add(autograd::linear(x, layer.weight, layer.bias), condition)));
  };
  const Variable h1 = block(first_, z, condition_rows[0]);    // [B, H]
  const Variable x1 = autograd::concat_columns({h1, z});      // [B, H + K]
  const Variable h2 = block(second_, x1, condition_rows[1]);  // [B, H]
  const Variable d =
      autograd::linear(autograd::concat_columns({h2, x1}),  // [B, 2 H + K]
                       autograd::difference_rows(planes_, output_.weight), autograd::difference_rows(planes_, output_.bias));
  return autograd::add(d, autograd::difference_columns(planes_, condition_rows[2]));  // [B, D]
}

CriticLoss critic_loss(const CtganCritic& critic, const CriticBatch& batch, double penalty_weight) {
  const auto [fake, real] = critic.first_layer(batch.fake, batch.real, batch.conditions);
  // The first layer is affine, so that of a mixture is the mixture: x = fake + a (real - fake).
  const Tensor step = binary(BinaryOp::kMultiply, binary(BinaryOp::kSubtract, real.value(), fake.value()), batch.mixture);
  const Tensor mixed = binary(BinaryOp::kAdd, fake.value(), step);
  const Variable distance =
      autograd::subtract(autograd::mean(critic.judge(fake, batch.masks[1])), autograd::mean(critic.judge(real, batch.masks[0])));
  CriticLoss loss;
  loss.penalty = critic.gradient_penalty(mixed, batch.masks[2], penalty_weight);
  loss.total = autograd::add(distance, loss.penalty);
  return loss;
}

GeneratorLoss generator_loss(const CtganGenerator& generator, const CtganCritic& critic, const std::vector<Variable>& rows,
                             const CsrMatrix& conditions, const autograd::ColumnTargets& targets, const Tensor& z,
                             const Tensor& noise, const CriticMasks& masks, double temperature) {
  const CategoryPlanes& planes = generator.planes();
  const Variable d = generator.forward(z, rows);
  GeneratorLoss loss;
  loss.cross_entropy = autograd::column_cross_entropy(planes, d, targets);
  const Variable y = autograd::gumbel_softmax(planes, d, noise, temperature);  // [B, C]
  const Variable judged = critic.judge(critic.frozen_first_layer(y, conditions), masks, /*frozen=*/true);
  loss.total = autograd::subtract(loss.cross_entropy, autograd::mean(judged));
  return loss;
}

}  // namespace tapestry::recsys
