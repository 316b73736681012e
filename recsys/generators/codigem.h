#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "nn/layers.h"
#include "sdrm/binarize.h"

namespace tapestry::recsys {

using autograd::Variable;

/// The authors' program scores the wrong state with a reverse network (codigem_target); both forms are here.
enum class CodigemVariant : std::uint8_t { kPublished, kCorrected };

/// CODIGEM (Walker et al., KSEM 2022), as its authors' program has it.
struct CodigemConfig {
  std::int64_t timesteps = 3;  ///< T: states z_1..z_T
  double beta = 1e-4;          ///< of every step of the noise chain; a fit needs more than 0
  std::int64_t width = 200;
  std::int64_t hidden_layers = 5;
  std::int64_t batch = 200;
  double learning_rate = 1e-3;  ///< of Adamax
  std::int64_t max_epochs = 100;
  std::int64_t patience = 10;  ///< epochs in a row without a better metric that are put up with: it stops at the next one
  int selection_cutoff = 50;   ///< k of the Recall@k that decides
  CodigemVariant variant = CodigemVariant::kPublished;
  double clamp = 0;              ///< log-variances are held within +-clamp (20 is sensible); 0: they are not, as published
  bool evaluation_noise = true;  ///< fresh noise also when users are ranked, as published
  bool tanh_means = false;       ///< whether sampling squashes the means of the reverse networks by tanh
};

/// A decoder g and T - 1 reverse networks h_1..h_{T-1} over noised user rows:
///   z_1 = sqrt(1 - beta) x + sqrt(beta) eps_1,  z_{i+1} = sqrt(1 - beta) z_i + sqrt(beta) eps_{i+1}
///   g:   Linear(I -> W) PReLU, 4 x (Linear(W -> W) PReLU), Linear(W -> I), tanh:   g(z_1) gives x
///   h_i: the same five layers, Linear(W -> 2 I) = [mean, log-variance] of another state, from z_{i+1}
/// The states carry no parameters, so all networks are independent regressions that merely share a batch. Parameters
/// "decoder.hidden.i.weight" / ".bias" / ".slope", "decoder.output.weight" / ".bias", "reverse.i.hidden...", i = 1..T-1.
class CodigemModel : public nn::Module {
 public:
  CodigemModel(std::int64_t items, const CodigemConfig& config, nn::Initializer& init);

  /// The decoder's last hidden layer [B, W], what its tanh is taken of [B, I], and g(z_1) in (-1, 1).
  Variable decoder_hidden(const Variable& z1) const { return decoder_.hidden.forward(z1); }
  Variable decoder_logits(const Variable& hidden) const { return decoder_.output.forward(hidden); }
  Variable decode(const Variable& z1) const;
  /// h_i(z_{i+1}), i = 1..T-1: [B, 2 I], means then log-variances.
  Variable reverse(std::int64_t i, const Variable& z) const;

  std::int64_t items() const { return items_; }
  std::int64_t timesteps() const { return static_cast<std::int64_t>(reverse_.size()) + 1; }
  DType dtype() const { return dtype_; }
  Device device() const { return decoder_.output.bias().value().device(); }

 private:
  struct Network : nn::Module {
    /// Starts as the framework's default, but for a first layer that starts as `first`.
    Network(std::int64_t items, std::int64_t outputs, const CodigemConfig& config, nn::LinearInit first, nn::Initializer& init);
    nn::Sequential hidden;
    nn::Linear output;
  };

  std::int64_t items_;
  DType dtype_;
  Network decoder_;
  std::vector<std::unique_ptr<Network>> reverse_;
};

/// Which state h_i, which reads z_{i+1}, is scored against: z_i in kCorrected. In kPublished the list of outputs is filled
/// backwards and read forwards, so that it is z_{T-i}; at T = 3 h_1 is scored against its own input z_2. Equal at T = 2.
std::int64_t codigem_target(std::int64_t i, std::int64_t timesteps, CodigemVariant variant);

/// z_1..z_T from x [B, I]; noise(i) gives eps_i [B, I] for i = 1..T.
std::vector<Tensor> noise_chain(const Tensor& x, double beta, std::int64_t timesteps,
                                const std::function<Tensor(std::int64_t i)>& noise);

/// One network's share of the loss, a mean over users: 1/2 ||x - g(z_1)||^2 of the decoder, and of h_i
/// sum_j [v + e^-v (z - m)^2] / 2 of its target state z.
Variable decoder_loss(const CodigemModel& model, const Tensor& x, const Tensor& z1);
struct ReverseLoss {
  Variable loss;  ///< []
  Tensor output;  ///< [B, 2 I] of h_i
};
ReverseLoss reverse_loss(const CodigemModel& model, std::int64_t i, std::span<const Tensor> chain, const CodigemConfig& config);

/// What the loss has besides: terms without parameters, about 3.7 per item and state at beta = 1e-4. They are the constants of
/// the densities, log q of every state (kPublished takes sqrt(1 - beta) times the same state for its mean, kCorrected the state
/// before) and -log N(z_T; 0, I). Mean over users x [B, I].
double constant_loss(const Tensor& x, std::span<const Tensor> chain, const CodigemConfig& config);
/// Its two halves, for a loop that does not wait for its numbers: the T + 1 sums of squares that it is made of, [] where the
/// states are, and what they come to.
std::vector<Tensor> constant_squares(const Tensor& x, std::span<const Tensor> chain, const CodigemConfig& config);
double constant_loss(std::span<const double> squares, const Shape& x, const CodigemConfig& config);

/// Scores g(z_1) in (-1, 1) for ranking of rows on the host, [V, I] on the model's device; z_1 has fresh noise from the stream,
/// or none without a stream.
Tensor codigem_scores(const CodigemModel& model, const CsrMatrix& rows, double beta, const std::optional<RandomStream>& noise);

/// Users made from noise: z_T ~ N(0, I), z_i = m + e^{v/2} eps with (m, v) = h_i(z_{i+1}) for i = T-1..1, then g's output
/// before its tanh, which is in the same order and does not run together at the ends. [rows, I] on the model's device; a user
/// depends on the seed and its row alone, up to the rounding of products of another size: the last tile is shorter. (How CODIGEM
/// generates is not published. In kPublished the networks were not trained to undo one step each, and are applied in this order
/// all the same.) N(0, I) lies far outside the states of the training, whose noise is sqrt(T beta): what the networks read off it
/// is extrapolated, and v came out as large as 3000 on amazon-digital-music. It is therefore held within +-160 here, whatever
/// config.clamp is, so that e^{v/2} is finite and there is room for a gain of about 1,000 behind it.
sdrm::LogitMatrix codigem_samples(const CodigemModel& model, const CodigemConfig& config, std::int64_t rows, std::uint64_t seed,
                                  const std::function<void(double fraction)>& progress = {});

}  // namespace tapestry::recsys
