#include "recsys/generators/tvae.h"

#include "autograd/category.h"
#include "autograd/elementwise.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"

namespace tapestry::recsys {

using autograd::Variable;

Tvae::Encoder::Input::Input(std::int64_t categories, std::int64_t hidden, nn::Initializer& init)
    : weight(add_parameter("weight", init.fan_in_uniform({categories, hidden}, categories))),
      bias(add_parameter("bias", init.fan_in_uniform({hidden}, categories))) {}

Tvae::Encoder::Encoder(std::int64_t categories, const TvaeConfig& config, nn::Initializer& init)
    : input(categories, config.hidden, init), hidden(config.hidden, config.hidden, init, Activation::kRelu) {
  add_module("0", input);
  add_module("1", hidden);
}

Tvae::Decoder::Decoder(std::int64_t categories, const TvaeConfig& config, nn::Initializer& init)
    : input(config.latent, config.hidden, init, Activation::kRelu),
      hidden(config.hidden, config.hidden, init, Activation::kRelu),
      output(config.hidden, categories, init) {
  add_module("0", input);
  add_module("1", hidden);
  add_module("2", output);
}

Tvae::Tvae(const CategoryPlanes& planes, const TvaeConfig& config, nn::Initializer& init)
    : planes_(planes),
      latent_(config.latent),
      encoder_(planes.categories(), config, init),
      mu_(config.hidden, config.latent, init),
      log_variance_(config.hidden, config.latent, init),
      decoder_(planes.categories(), config, init) {
  add_module("encoder", encoder_);
  add_module("mu", mu_);
  add_module("log_variance", log_variance_);
  add_module("decoder", decoder_);
}

Tvae::Posterior Tvae::encode(const CsrMatrix& marks) const {
  check(marks.cols() == planes_.differences(), "Tvae: marks of ", marks.cols(), " categories where ", planes_.differences(),
        " were expected");
  const Variable& weight = encoder_.input.weight;
  const Variable base =  // [H]: everybody in the commonest categories
      autograd::add(autograd::column_sum(autograd::slice_rows(weight, 0, planes_.columns)), encoder_.input.bias);
  const Variable moved = autograd::sparse_matmul(marks, autograd::difference_rows(planes_, weight));  // [B, H]
  const Variable h = encoder_.hidden.forward(autograd::relu(autograd::add(moved, base)));
  return {mu_.forward(h), log_variance_.forward(h)};
}

Variable Tvae::decoder_hidden(const Variable& z) const { return decoder_.hidden.forward(decoder_.input.forward(z)); }

Variable Tvae::decode(const Variable& z) const {
  return autograd::linear(decoder_hidden(z), autograd::difference_rows(planes_, decoder_.output.weight()),
                          autograd::difference_rows(planes_, decoder_.output.bias()));
}

Tensor Tvae::logits(const Tensor& z) const { return decoder_.output.forward(decoder_hidden(z)).value(); }

TvaeLoss tvae_loss(const Tvae& model, const CsrMatrix& marks, const Tensor& noise, double loss_factor) {
  const Tvae::Posterior posterior = model.encode(marks);
  const Variable sigma = autograd::exp(autograd::scale(posterior.log_variance, 0.5));
  const Variable z = autograd::add(posterior.mu, autograd::multiply(sigma, noise));
  TvaeLoss loss;
  loss.reconstruction = autograd::category_cross_entropy(model.planes(), model.decode(z), marks);
  loss.kl = sdrm::kl_divergence(posterior);
  loss.total = autograd::linear_combination({{loss_factor, loss.reconstruction}, {1.0, loss.kl}});
  return loss;
}

}  // namespace tapestry::recsys
