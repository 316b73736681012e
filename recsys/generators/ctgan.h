#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "autograd/category.h"
#include "nn/layers.h"
#include "recsys/generators/table.h"
#include "recsys/generators/table_sampler.h"
#include "sdrm/config.h"
#include "sdrm/fit_checkpoint.h"

namespace tapestry::recsys {

/// CTGAN's defaults (Xu et al. 2019, and the authors' package).
struct CtganConfig {
  std::int64_t latent = 128;  ///< K
  std::int64_t hidden = 256;  ///< H, of every hidden layer
  std::int64_t batch = 500;   ///< B, a multiple of pac; also while sampling, since batch normalisation ties a batch together
  std::int64_t pac = 10;      ///< rows that the critic judges together (PacGAN, Lin et al. 2018)
  std::int64_t epochs = 300;  ///< of max(1, N / B) steps
  double learning_rate = 2e-4;
  double beta1 = 0.5;
  double beta2 = 0.9;
  double l2 = 1e-6;
  double dropout = 0.5;      ///< of the critic
  double slope = 0.2;        ///< of its LeakyReLU
  double temperature = 0.2;  ///< tau of the Gumbel-softmax
  double penalty = 10;       ///< weight of the gradient penalty
};

/// The generator. Its input is noise z [B, K] and a one-hot condition c of C numbers:
///   h1 = ReLU(BatchNorm(Linear([z, c])))        -> H
///   h2 = ReLU(BatchNorm(Linear([h1, z, c])))    -> H
///   logits = Linear([h2, h1, z, c])             -> C, one softmax per column
/// What a weight matrix multiplies c with is a table [C, out] of which a row of the batch reads one row: it is gathered, not
/// multiplied, and its gradient is kept by rows (RowAdam). Only differences of logits are computed (autograd/category.h).
/// Parameters "block.0.weight" [H, K], "block.0.bias", "block.0.condition" [C, H], "block.0.norm.*", "block.1.*" with weight
/// [H, H + K], "output.weight" [C, 2 H + K], "output.bias" [C], "output.condition" [C, C].
class CtganGenerator : public nn::Module {
 public:
  CtganGenerator(const CategoryPlanes& planes, const CtganConfig& config, nn::Initializer& init);

  /// The three tables' rows that a batch reads: [B, H], [B, H], [B, C]. Leaves, so that a sweep leaves gradients in them.
  std::vector<autograd::Variable> gather(const Tensor& positions) const;  ///< int32 [B], where the tables are
  std::vector<autograd::Variable> gather(const std::vector<std::int32_t>& positions) const;
  /// Differences of logits [B, D].
  autograd::Variable forward(const Tensor& z, const std::vector<autograd::Variable>& condition_rows) const;

  const CategoryPlanes& planes() const { return planes_; }
  Device device() const { return output_.bias.value().device(); }
  std::vector<autograd::Variable> tables() const;            ///< the three
  std::vector<autograd::Variable> dense_parameters() const;  ///< all others

 private:
  struct Block : nn::Module {
    Block(std::int64_t in, std::int64_t out, std::int64_t categories, nn::Initializer& init);
    autograd::Variable weight;     ///< [out, in]
    autograd::Variable bias;       ///< [out]
    autograd::Variable condition;  ///< [C, out]
  };
  struct Normalised : Block {
    Normalised(std::int64_t in, std::int64_t out, std::int64_t categories, nn::Initializer& init);
    nn::BatchNorm norm;
  };

  CategoryPlanes planes_;
  Normalised first_;
  Normalised second_;
  Block output_;
};

/// Dropout masks of one pass through the critic: 0 or 1 / (1 - p), [P, H] each.
struct CriticMasks {
  Tensor first;
  Tensor second;
};

/// The critic. A pac is `pac` consecutive rows [y, c] of 2C numbers side by side; P = B / pac.
///   Linear(2 C pac -> H) -> LeakyReLU -> Dropout -> Linear(H -> H) -> LeakyReLU -> Dropout -> Linear(H -> 1)
/// Real rows and conditions are one-hot and never made dense. Parameters "values.weight" [pac C, H] and "conditions.weight"
/// [pac C, H]: the first layer's weight for the y and the c of each place in a pac, input-major; "0.bias" [H], "1.weight" [H, H],
/// "1.bias", "2.weight" [1, H], "2.bias".
class CtganCritic : public nn::Module {
 public:
  CtganCritic(const CategoryPlanes& planes, const CtganConfig& config, nn::Initializer& init);

  /// What the first layer gives before its activation, [P, H] each, for generated rows [B, C] and real rows. Those come as
  /// packed_marks has them, conditions of generated and then of real rows one-hot where packed_columns says (ctgan_packed.h).
  struct FirstLayer {
    autograd::Variable fake;
    autograd::Variable real;
  };
  FirstLayer first_layer(const Tensor& fake, const CsrMatrix& real, const CsrMatrix& conditions) const;
  /// For generated rows alone, the critic held constant: gradients flow to the rows.
  autograd::Variable frozen_first_layer(const autograd::Variable& fake, const CsrMatrix& conditions) const;
  /// The judgement [P, 1]; `frozen` as above.
  autograd::Variable judge(const autograd::Variable& first, const CriticMasks& masks, bool frozen = false) const;
  /// weight * mean over pacs of (|| gradient of D at x || - 1)^2 (Gulrajani et al. 2017), the norm over all 2 C pac inputs, at
  /// points whose first layer is `first` [P, H] (a constant). D is piecewise linear, so that its gradient is a product of the
  /// weights with the slopes of activations and dropout, and the penalty's own gradient needs no second derivative.
  autograd::Variable gradient_penalty(const Tensor& first, const CriticMasks& masks, double weight) const;

  std::int64_t pac() const { return pac_; }
  std::int64_t hidden() const { return bias_.value().numel(); }
  const CategoryPlanes& planes() const { return planes_; }
  DType dtype() const { return bias_.value().dtype(); }
  Device device() const { return bias_.value().device(); }

 private:
  CategoryPlanes planes_;
  std::int64_t pac_;
  double slope_;
  Tensor commonest_;  ///< the row of commonest categories, `pac` times side by side: [1, pac C]
  autograd::Variable values_;
  autograd::Variable conditions_;
  autograd::Variable bias_;
  nn::Linear hidden_;
  nn::Linear output_;
};

/// What one critic step reads: rows from the generator [B, C], real rows and the conditions of both as the first layer takes
/// them, a mixture a [P, 1] in [0, 1] and masks for the real, the generated and the mixed pass. All where the critic is.
struct CriticBatch {
  Tensor fake;
  CsrMatrix real;
  CsrMatrix conditions;
  Tensor mixture;
  std::array<CriticMasks, 3> masks;
};
struct CriticLoss {
  autograd::Variable total;    ///< mean D(fake) - mean D(real) + penalty
  autograd::Variable penalty;  ///< at a real + (1 - a) fake, one a per pac
};
CriticLoss critic_loss(const CtganCritic& critic, const CriticBatch& batch, double penalty_weight);

struct GeneratorLoss {
  autograd::Variable total;          ///< -mean D(y) + cross_entropy
  autograd::Variable cross_entropy;  ///< of the conditioned column's raw logits
};
/// rows as CtganGenerator::gather gives them for the conditions, which come packed and as targets; noise [B, C] Gumbel.
GeneratorLoss generator_loss(const CtganGenerator& generator, const CtganCritic& critic,
                             const std::vector<autograd::Variable>& rows, const CsrMatrix& conditions,
                             const autograd::ColumnTargets& targets, const Tensor& z, const Tensor& noise,
                             const CriticMasks& masks, double temperature);

struct CtganEpoch {
  std::int64_t epoch;
  double critic;  ///< means over the steps
  double generator;
  double penalty;
  double cross_entropy;
};
/// Trains on marks [N, D] (on the host), where the models are: in each step one update of the critic, then one of the generator,
/// conditions drawn by log-frequency and real rows among those that meet them, with replacement (training-by-sampling). The seed
/// decides everything. Throws Error(kFit) naming epoch and losses when one is no longer a number, and when the last update left a
/// parameter of the generator that is none; Error(kMisuse) without rows, and for a batch or epochs that are not positive. With a
/// checkpoint a fit that was broken off goes on from there: the same fit, to the bit.
void fit_ctgan(CtganGenerator& generator, CtganCritic& critic, const TableEncoding& table, const CsrMatrix& marks,
               const CtganConfig& config, std::uint64_t seed, const std::function<void(const CtganEpoch&)>& on_epoch = {},
               sdrm::FitCheckpoint* checkpoint = nullptr);

/// `rows` users in batches of B, computed where the generator is, normalised by their own batch as in training, under conditions
/// of this law.
Interactions sample_ctgan(const CtganGenerator& generator, const TableEncoding& table, const CtganConfig& config,
                          ConditionLaw law, std::int64_t rows, bool dislikes, std::uint64_t seed,
                          const sdrm::Progress& progress = {});

}  // namespace tapestry::recsys
