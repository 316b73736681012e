#pragma once

#include <optional>

#include "nn/layers.h"
#include "sdrm/config.h"

namespace tapestry::sdrm {

using autograd::Variable;

/// Variational autoencoder over a user's item vector with a multinomial likelihood (Liang et al. 2018; SDRM Eq. 6).
///   encoder: x / ||x|| -> dropout -> Linear(I -> H) -> tanh -> Linear(H -> 2K) = [mu, log sigma^2]
///   decoder: Linear(K -> H) -> tanh -> Linear(H -> I) = logits
/// x is sparse, on the model's device, and never made dense. Parameters "encoder.0.weight" [I, H], "encoder.0.bias",
/// "encoder.1.weight" [2K, H], "encoder.1.bias", "decoder.0.weight" [H, K], "decoder.0.bias", "decoder.1.weight" [I, H],
/// "decoder.1.bias".
class MultiVae : public nn::Module {
 public:
  MultiVae(std::int64_t items, const VaeConfig& config, nn::Initializer& init);

  struct Posterior {
    Variable mu;            ///< [B, K]
    Variable log_variance;  ///< [B, K]
  };
  /// q(z | x). Dropout on the normalised input only when a stream is given (training).
  Posterior encode(const CsrMatrix& x, const std::optional<RandomStream>& dropout = {}) const;
  /// The same with the input rows already normalised and masked: what the tests feed.
  Posterior encode_normalized(const CsrMatrix& x) const;
  /// Logits [B, I] of latents [B, K].
  Variable decode(const Variable& z) const;
  /// Multinomial NLL of the decoded latents against sparse targets [B, I], without handing out the logits. Scalar [].
  Variable reconstruction_loss(const Variable& z, const CsrMatrix& target) const;
  /// mu of every row of x (on the host), [N, K] on the model's device, computed in tiles: the constants that the diffusion learns
  /// from.
  Tensor latents(const CsrMatrix& x) const;

  /// What a user with these items is recommended by: mu decoded. x [B, I] on the host, logits [B, I] on the model's device.
  Tensor scores(const CsrMatrix& x) const { return decode(encode(x.to(device())).mu).value(); }

  std::int64_t items() const { return items_; }
  std::int64_t latent() const { return latent_; }
  DType dtype() const { return dtype_; }
  Device device() const { return decoder_.output.bias().value().device(); }

 private:
  struct Encoder : nn::Module {
    Encoder(std::int64_t items, const VaeConfig& config, nn::Initializer& init);
    nn::SparseLinear input;
    nn::Linear output;
  };
  struct Decoder : nn::Module {
    Decoder(std::int64_t items, const VaeConfig& config, nn::Initializer& init);
    nn::Linear input;
    nn::Linear output;
  };

  std::int64_t items_;
  std::int64_t latent_;
  double dropout_;
  Encoder encoder_;
  Decoder decoder_;
  DType dtype_;
};

/// KL(q || N(0, I)) = -1/2 (1/B) sum_u sum_k (1 + log sigma^2 - mu^2 - sigma^2). Scalar [].
Variable kl_divergence(const MultiVae::Posterior& posterior);

/// The terms of one step's loss, total = nll + beta * kl.
struct VaeLoss {
  Variable total;
  Variable nll;
  Variable kl;
};

/// mu + noise * exp(log sigma^2 / 2) decoded, against the targets; noise [B, K]. weights [2] = [1, beta], where the model is.
VaeLoss vae_loss(const MultiVae& model, const MultiVae::Posterior& posterior, const Tensor& noise, const CsrMatrix& target,
                 const Tensor& weights);
/// The same for a beta that the host has.
VaeLoss vae_loss(const MultiVae& model, const MultiVae::Posterior& posterior, const Tensor& noise, const CsrMatrix& target,
                 double beta);

}  // namespace tapestry::sdrm
