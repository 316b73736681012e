#pragma once

#include <cstdint>
#include <functional>

#include "nn/layers.h"
#include "recsys/generators/generator.h"
#include "recsys/generators/table.h"
#include "sdrm/fit_checkpoint.h"
#include "sdrm/multivae.h"

namespace tapestry::recsys {

/// TVAE's defaults (Xu et al. 2019, and the authors' package).
struct TvaeConfig {
  std::int64_t hidden = 128;
  std::int64_t latent = 128;
  std::int64_t batch = 500;
  std::int64_t epochs = 300;
  double learning_rate = 1e-3;
  double l2 = 1e-5;
  double loss_factor = 2;  ///< of the reconstruction; the KL term has weight 1
};

/// Variational autoencoder over a table (Xu et al. 2019, section 4.5). C categories, D differences, H hidden, K latent.
///   encoder: one-hot row [B, C] -> Linear(C -> H) -> ReLU -> Linear(H -> H) -> ReLU -> mu, log sigma^2 = Linear(H -> K)
///   decoder: Linear(K -> H) -> ReLU -> Linear(H -> H) -> ReLU -> Linear(H -> C) = logits, one softmax per column
/// (The package has a learned deviation of continuous columns beside it: items have no continuous columns.)
///
/// Rows come as marks (table.h) and are never made dense: a one-hot row times the weight is the sum of plane 0's rows of it plus,
/// at each mark, the difference of that category's row and its column's row of plane 0. Likewise the loss only needs differences
/// of logits, so that the last layer multiplies by D differences of weight rows instead of C rows; both rows of a difference are
/// parameters and get their gradient, with opposite signs. Parameters "encoder.0.weight" [C, H], "encoder.1.*", "mu.*",
/// "log_variance.*", "decoder.0.*", "decoder.1.*", "decoder.2.weight" [C, H], "decoder.2.bias" [C].
class Tvae : public nn::Module {
 public:
  Tvae(const CategoryPlanes& planes, const TvaeConfig& config, nn::Initializer& init);

  using Posterior = sdrm::MultiVae::Posterior;
  /// q(z | x) of marks [B, D].
  Posterior encode(const CsrMatrix& marks) const;
  /// Differences of logits [B, D] of latents [B, K].
  autograd::Variable decode(const autograd::Variable& z) const;
  /// All logits [B, C].
  Tensor logits(const Tensor& z) const;

  std::int64_t latent() const { return latent_; }
  const CategoryPlanes& planes() const { return planes_; }
  DType dtype() const { return mu_.weight().value().dtype(); }
  Device device() const { return mu_.weight().value().device(); }

 private:
  struct Encoder : nn::Module {
    Encoder(std::int64_t categories, const TvaeConfig& config, nn::Initializer& init);
    struct Input : nn::Module {
      Input(std::int64_t categories, std::int64_t hidden, nn::Initializer& init);
      autograd::Variable weight;  ///< [C, H]: a mark reads whole rows
      autograd::Variable bias;
    } input;
    nn::Linear hidden;
  };
  struct Decoder : nn::Module {
    Decoder(std::int64_t categories, const TvaeConfig& config, nn::Initializer& init);
    nn::Linear input;
    nn::Linear hidden;
    nn::Linear output;
  };
  autograd::Variable decoder_hidden(const autograd::Variable& z) const;

  CategoryPlanes planes_;
  std::int64_t latent_;
  Encoder encoder_;
  nn::Linear mu_;
  nn::Linear log_variance_;
  Decoder decoder_;
};

/// One step's loss: total = factor * reconstruction + kl, the reconstruction a sum over columns and both a mean over rows.
struct TvaeLoss {
  autograd::Variable total;
  autograd::Variable reconstruction;
  autograd::Variable kl;
};
/// z = mu + noise * sigma, noise [B, K], decoded and compared with the marks [B, D].
TvaeLoss tvae_loss(const Tvae& model, const CsrMatrix& marks, const Tensor& noise, double loss_factor);

struct TvaeEpoch {
  std::int64_t epoch;
  double loss;            ///< means over the updates
  double reconstruction;  ///< before the factor
  double kl;              ///< 0 once the posterior has collapsed: then all rows are drawn from one distribution
};

/// Trains with Adam, where the model is, at a constant rate and coupled L2, rows (on the host) reshuffled every epoch, the short
/// last batch kept. The seed decides everything. Throws Error(kFit) naming epoch and loss when the loss is no longer a number,
/// and when the last update left a parameter that is none; Error(kMisuse) without rows, and for a batch or epochs that are not
/// positive. With a checkpoint a fit that was broken off goes on from there: the same fit, to the bit.
void fit_tvae(Tvae& model, const CsrMatrix& marks, const TvaeConfig& config, std::uint64_t seed,
              const std::function<void(const TvaeEpoch&)>& on_epoch = {}, sdrm::FitCheckpoint* checkpoint = nullptr);

/// How a row becomes categories.
enum class TvaeDraw : std::uint8_t {
  kMode,    ///< the category with the largest logit, as the package does: given z a row is not random
  kTanh,    ///< the same behind the package's tanh, which in float32 is 1 above 9: ties, which the first category to appear wins
  kSample,  ///< each column drawn from its softmax ("tvae-sample", not in the paper)
};
/// `rows` users; their scores are computed and compared where the model is. Row r is drawn from row r of the streams,
/// whatever the batch, up to the rounding of products of another size: the last batch is shorter.
Interactions sample_tvae(const Tvae& model, const TableEncoding& table, std::int64_t rows, TvaeDraw draw, bool dislikes,
                         std::uint64_t seed, const sdrm::Progress& progress = {});
/// The same latents by the log-odds of a like, cut as the scores of other generators are (cut_at_density; "tvae-threshold", not
/// in the paper).
Interactions threshold_tvae(const Tvae& model, const TableEncoding& table, const SampleRequest& request, std::uint64_t seed,
                            const std::function<void(double fraction)>& progress = {});

}  // namespace tapestry::recsys
