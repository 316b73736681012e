#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "nn/layers.h"
#include "sdrm/config.h"

namespace tapestry::sdrm {

using autograd::Variable;

/// [cos(t f_0), .., sin(t f_0), ..], f_j = exp(-ln(10^4) j / half), half = width / 2, one zero appended when width is odd
/// (Vaswani et al. 2017 as used by Ho et al. 2020). Rows t = 0..count-1: [count, width].
Tensor timestep_embedding(std::int64_t count, std::int64_t width, DType dtype = DType::kFloat32, Device device = Device::kCpu);

/// eps_theta(z, t) = s_theta(z, t): one network for noise prediction and score.
///   [dropout(z), Linear(embedding(t))] -> Linear(K + E -> K) -> PReLU -> L x (Linear(K -> K) -> PReLU) -> Linear(K -> K) -> tanh
/// with E = T. The first Linear's weight is kept in two parts, for z and for t: concatenating and multiplying is the sum of two
/// products, the one for t has only T + 1 different rows (0 to T), and no gradient flows back to the constant z. Parameters
/// "time.weight" [E, E], "time.bias", "input.weight_z" [K, K], "input.weight_t" [K, E], "input.bias" [K], "input.slope" [1],
/// "hidden.i.weight" [K, K], "hidden.i.bias", "hidden.i.slope", "output.weight", "output.bias". Tied layers (kPublished) have one
/// hidden block, applied L times.
class ScoreModel : public nn::Module {
 public:
  ScoreModel(std::int64_t latent, const ScoreConfig& config, nn::Initializer& init);

  /// z [B, K], t int32 [B] in 0..T -> [B, K]. Dropout on z only when a stream is given; row r draws from row row_ids[r].
  Variable forward(const Variable& z, const Tensor& t, const std::optional<RandomStream>& dropout = {},
                   const Tensor& row_ids = {}) const;
  /// The same behind the dropout.
  Variable forward_dropped(const Variable& z, const Tensor& t) const { return forward_dropped(z, t, step_rows()); }
  /// The same with step_rows() from before, which saves making them on every call as long as no weight changes: the sampler.
  Variable forward_dropped(const Variable& z, const Tensor& t, const Variable& by_step) const;
  /// What the first Linear adds for each step, W_t Linear(embedding(t)) + b for t = 0..T, with the weights as they are now:
  /// [T + 1, K].
  Variable step_rows() const;

  std::int64_t latent() const { return latent_; }
  std::int64_t timesteps() const { return timesteps_; }
  Variant variant() const { return variant_; }
  bool drops_while_sampling() const { return drops_while_sampling_; }
  DType dtype() const { return table_.dtype(); }
  Device device() const { return table_.device(); }

 private:
  /// Linear(K + E -> K) + PReLU with its weight in two parts.
  struct InputBlock : nn::Module {
    InputBlock(std::int64_t latent, std::int64_t width, nn::Initializer& init);
    Variable weight_z;
    Variable weight_t;
    Variable bias;
    Variable slope;
  };
  struct HiddenBlocks : nn::Module {
    HiddenBlocks(std::int64_t latent, std::int64_t count, nn::Initializer& init);
    std::vector<std::unique_ptr<nn::Linear>> blocks;
  };

  std::int64_t latent_;
  std::int64_t timesteps_;
  std::int64_t applications_;  ///< L: how often a hidden block is applied in all
  double dropout_;
  Variant variant_;
  bool tied_;  ///< one hidden block, applied L times
  bool drops_while_sampling_;
  Tensor table_;  ///< timestep embeddings of t = 0..T: [T + 1, E]
  nn::Linear time_;
  InputBlock input_;
  HiddenBlocks hidden_;
  nn::Linear output_;
};

}  // namespace tapestry::sdrm
