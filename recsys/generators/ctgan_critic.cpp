#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/elementwise.h"
#include "autograd/matrix.h"
#include "autograd/tape.h"
#include "recsys/generators/ctgan.h"

namespace tapestry::recsys {

using autograd::Variable;

namespace {

/// The row of commonest categories, `pac` times side by side: [1, pac C].
Tensor commonest_row(const CategoryPlanes& planes, std::int64_t pac, DType dtype, Device device) {
  std::vector<float> row(static_cast<std::size_t>(pac * planes.categories()), 0);
  for (std::int64_t at = 0; at < pac; ++at) {
    const auto begin = row.begin() + at * planes.categories();
    std::fill(begin, begin + planes.columns, 1.0f);
  }
  return Tensor::from<float>(row, {1, pac * planes.categories()}).to(dtype).to(device);
}

Tensor product(const Tensor& a, const Tensor& b) { return binary(BinaryOp::kMultiply, a, b); }

/// dy/dx of LeakyReLU and dropout at x: slope times mask.
Tensor slopes(const Tensor& x, const Tensor& mask, double slope) {
  return unary_backward(UnaryOp::kLeakyRelu, x, mask.clone(), slope);
}

Variable constant(const Variable& x) { return {x.value()}; }

}  // namespace

CtganCritic::CtganCritic(const CategoryPlanes& planes, const CtganConfig& config, nn::Initializer& init)
    : planes_(planes),
      pac_(config.pac),
      slope_(config.slope),
      hidden_(config.hidden, config.hidden, init),
      output_(config.hidden, 1, init) {
  check(config.pac > 0 && config.batch > 0 && config.batch % config.pac == 0, "CTGAN: batch ", config.batch,
        " is no multiple of pac ", config.pac);
  commonest_ = commonest_row(planes, config.pac, init.dtype(), init.device());
  const std::int64_t width = config.pac * planes.categories();
  const double bound = 1 / std::sqrt(2.0 * static_cast<double>(width));
  values_ = add_parameter("values.weight", init.uniform({width, config.hidden}, bound));
  conditions_ = add_parameter("conditions.weight", init.uniform({width, config.hidden}, bound));
  bias_ = add_parameter("0.bias", init.uniform({config.hidden}, bound));
  add_module("1", hidden_);
  add_module("2", output_);
}

CtganCritic::FirstLayer CtganCritic::first_layer(const Tensor& fake, const CsrMatrix& real, const CsrMatrix& conditions) const {
  const std::int64_t batch = fake.rows();
  const std::int64_t pacs = batch / pac_;
  check(batch % pac_ == 0 && real.rows() == pacs && conditions.rows() == 2 * pacs, "CtganCritic: ", batch, " generated rows, ",
        real.rows(), " pacs of real ones and ", conditions.rows(), " of conditions, a pac being ", pac_);
  // Dense products last: in the backward sweep they come first, and the sparse ones are added into what they leave.
  const Variable conditioned = autograd::sparse_matmul(conditions, conditions_);  // [2 P, H]
  const Variable moved = autograd::sparse_matmul(real, values_);                  // [P, H]
  const Tensor rows = concat_rows({fake.reshape({pacs, pac_ * planes_.categories()}), commonest_});
  const Variable dense = autograd::matmul(rows, values_);  // [P + 1, H]
  const auto finish = [&](const Variable& own, const Variable& condition) {
    return autograd::add(autograd::add(own, condition), bias_);
  };
  return {finish(autograd::slice_rows(dense, 0, pacs), autograd::slice_rows(conditioned, 0, pacs)),
          finish(autograd::add(moved, autograd::slice_rows(dense, pacs, pacs + 1)),
                 autograd::slice_rows(conditioned, pacs, 2 * pacs))};
}

Variable CtganCritic::frozen_first_layer(const Variable& fake, const CsrMatrix& conditions) const {
  const std::int64_t pacs = fake.value().rows() / pac_;
  const Tensor offset = binary(BinaryOp::kAdd, csr_matmul(conditions, conditions_.value()), bias_.value());
  const Variable rows = autograd::reshape(fake, {pacs, pac_ * planes_.categories()});
  return autograd::add(autograd::matmul(rows, constant(values_)), offset);
}

Variable CtganCritic::judge(const Variable& first, const CriticMasks& masks, bool frozen) const {
  const auto layer = [&](const nn::Linear& linear, const Variable& x) {
    return frozen ? autograd::linear(x, constant(linear.weight()), constant(linear.bias())) : linear.forward(x);
  };
  const Variable h1 = autograd::multiply(autograd::leaky_relu(first, slope_), masks.first);
  const Variable h2 = autograd::multiply(autograd::leaky_relu(layer(hidden_, h1), slope_), masks.second);
  return layer(output_, h2);
}

// Row by row, with W1 = [w1y; w1c] [2 pac C, H] input-major, W2 [H, H] out by in, w3 [1, H], and s1, s2 the slopes of LeakyReLU
// times the dropout masks, which are constants almost everywhere:
//   v2 = s2 o w3,   v1 = s1 o (v2 W2),   g = v1 W1^T = dD/dx,   penalty = weight / P sum_p (|g_p| - 1)^2.
// Backwards, with u = d penalty / d g = f g, f = 2 weight (|g| - 1) / (|g| P):
//   dW1 = u^T v1,   r1 = s1 o (u W1),   dW2 = v2^T r1,   r2 = s2 o (r1 W2^T),   dw3 = sum_p r2.
Variable CtganCritic::gradient_penalty(const Tensor& first, const CriticMasks& masks, double weight) const {
  const Tensor& w1y = values_.value();          // [pac C, H]
  const Tensor& w1c = conditions_.value();      // [pac C, H]
  const Tensor& w2 = hidden_.weight().value();  // [H, H], out by in
  const Tensor& w3 = output_.weight().value();  // [1, H]
  const Tensor s1 = slopes(first, masks.first, slope_);
  const Tensor second = bias_activation(Activation::kNone, matmul(product(s1, first), w2, false, true), hidden_.bias().value());
  const Tensor s2 = slopes(second, masks.second, slope_);
  const Tensor v2 = product(s2, w3);               // [P, H]
  const Tensor v1 = product(s1, matmul(v2, w2));   // [P, H]
  const Tensor gy = matmul(v1, w1y, false, true);  // [P, pac C]: the gradient at the pac's values
  const Tensor gc = matmul(v1, w1c, false, true);  // and at its conditions
  Tensor norms = row_sum(gy, true);
  add_in_place(norms, row_sum(gc, true));
  norms = unary(UnaryOp::kSqrt, norms);  // [P]
  const auto pacs = static_cast<double>(norms.numel());
  const Tensor excess = binary(BinaryOp::kSubtract, norms, Tensor::full({1}, 1, norms.dtype(), norms.device()));
  const Tensor value = scaled(sum_squares(excess), weight / pacs);
  return autograd::record(value, {&values_, &conditions_, &hidden_.weight(), &output_.weight()},
                          [=, dw1y = values_.slot(), dw1c = conditions_.slot(), dw2 = hidden_.weight().slot(),
                           dw3 = output_.weight().slot()](const Tensor& dy) {
                            // f; where g = 0, which has no direction to grow in, it is finite and u = f g is 0.
                            const Tensor floor = Tensor::full({1}, 1e-30, norms.dtype(), norms.device());
                            const Tensor share = binary(BinaryOp::kDivide, excess, binary(BinaryOp::kAdd, norms, floor));
                            const Tensor factor = product(scaled(share, 2 * weight / pacs), dy).reshape({norms.numel(), 1});
                            Tensor r1 = matmul(gy, w1y);  // g W1, before the factor: [P, H]
                            matmul_accumulate(gc, w1c, false, false, r1);
                            r1 = product(product(r1, s1), factor);  // [P, H]
                            const Tensor fv1 = product(v1, factor);
                            dw1y.accumulate_product(gy, fv1, true, false);
                            dw1c.accumulate_product(gc, fv1, true, false);
                            dw2.accumulate_product(v2, r1, true, false);
                            const Tensor r2 = product(s2, matmul(r1, w2, false, true));
                            dw3.accumulate(column_sum(r2).reshape(w3.shape()));
                          });
}

}  // namespace tapestry::recsys
