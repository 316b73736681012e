#include "sdrm/multivae.h"

#include "autograd/loss.h"
#include "autograd/reduction.h"

namespace tapestry::sdrm {
namespace {

constexpr nn::LinearInit kInit = nn::LinearInit::kMultiVae;

}  // namespace

MultiVae::Encoder::Encoder(std::int64_t items, const VaeConfig& config, nn::Initializer& init)
    : input(items, config.hidden, init, Activation::kTanh, kInit),
      output(config.hidden, 2 * config.latent, init, Activation::kNone, kInit) {
  add_module("0", input);
  add_module("1", output);
}

MultiVae::Decoder::Decoder(std::int64_t items, const VaeConfig& config, nn::Initializer& init)
    : input(config.latent, config.hidden, init, Activation::kTanh, kInit),
      output(config.hidden, items, init, Activation::kNone, kInit) {
  add_module("0", input);
  add_module("1", output);
}

MultiVae::MultiVae(std::int64_t items, const VaeConfig& config, nn::Initializer& init)
    : items_(items),
      latent_(config.latent),
      dropout_(config.dropout),
      encoder_(items, config, init),
      decoder_(items, config, init),
      dtype_(init.dtype()) {
  check(items > 0 && config.hidden > 0 && config.latent > 0, "MultiVae: ", items, " items, ", config.hidden, " hidden and ",
        config.latent, " latent units: all must be positive");
  add_module("encoder", encoder_);
  add_module("decoder", decoder_);
}

MultiVae::Posterior MultiVae::encode(const CsrMatrix& x, const std::optional<RandomStream>& dropout) const {
  check(x.cols() == items_, "MultiVae: rows over ", x.cols(), " items for a model of ", items_);
  const CsrMatrix normalized = normalize_rows(x, dtype_);
  return encode_normalized(dropout ? tapestry::dropout(normalized, dropout_, *dropout) : normalized);
}

MultiVae::Posterior MultiVae::encode_normalized(const CsrMatrix& x) const {
  const Variable h = encoder_.input.forward(x);      // [B, H]
  const Variable both = encoder_.output.forward(h);  // [B, 2K]
  return {autograd::slice_columns(both, 0, latent_), autograd::slice_columns(both, latent_, 2 * latent_)};
}

Variable MultiVae::decode(const Variable& z) const { return decoder_.output.forward(decoder_.input.forward(z)); }

Variable MultiVae::reconstruction_loss(const Variable& z, const CsrMatrix& target) const {
  return autograd::linear_multinomial_nll(decoder_.input.forward(z), decoder_.output.weight(), decoder_.output.bias(), target);
}

Tensor MultiVae::latents(const CsrMatrix& x) const {
  constexpr std::int64_t kTile = 1024;
  const Tensor all = Tensor::empty({x.rows(), latent_}, dtype_, device());
  for (std::int64_t begin = 0; begin < x.rows(); begin += kTile) {
    const std::int64_t end = std::min(x.rows(), begin + kTile);
    const Tensor mu = encode(x.slice_rows(begin, end).to(device())).mu.value();
    copy_into(all.slice_rows(begin, end), mu);
  }
  return all;
}

Variable kl_divergence(const MultiVae::Posterior& posterior) {
  const Variable& mu = posterior.mu;
  const Variable& log_variance = posterior.log_variance;
  // -1/2 sum (1 + log sigma^2 - mu^2 - sigma^2) = 1/2 sum (mu^2 + sigma^2 - log sigma^2) - n / 2, averaged over the batch.
  const Variable terms =
      autograd::linear_combination({{1.0, autograd::square(mu)}, {1.0, autograd::exp(log_variance)}, {-1.0, log_variance}});
  const auto entries = static_cast<double>(terms.value().numel());
  const auto batch = static_cast<double>(terms.value().rows());
  const Variable constant = Tensor::full({}, entries, terms.value().dtype(), terms.value().device());
  return autograd::scale(autograd::subtract(autograd::sum(terms), constant), 0.5 / batch);
}

VaeLoss vae_loss(const MultiVae& model, const MultiVae::Posterior& posterior, const Tensor& noise, const CsrMatrix& target,
                 const Tensor& weights) {
  // Reparameterisation (Kingma & Welling 2014): z = mu + noise * sigma, sigma = exp(log sigma^2 / 2).
  const Variable sigma = autograd::exp(autograd::scale(posterior.log_variance, 0.5));
  const Variable z = autograd::add(posterior.mu, autograd::multiply(sigma, noise));
  VaeLoss loss;
  loss.nll = model.reconstruction_loss(z, target);
  loss.kl = kl_divergence(posterior);
  loss.total = autograd::weighted_sum(weights, loss.nll, loss.kl);
  return loss;
}

VaeLoss vae_loss(const MultiVae& model, const MultiVae::Posterior& posterior, const Tensor& noise, const CsrMatrix& target,
                 double beta) {
  const Tensor weights = Tensor::from<double>({1, beta}, {2}).to(model.dtype()).to(model.device());
  return vae_loss(model, posterior, noise, target, weights);
}

}  // namespace tapestry::sdrm
