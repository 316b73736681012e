#pragma once

#include <cstdint>
#include <functional>
#include <optional>

namespace tapestry::sdrm {

/// The paper's text and the authors' program differ in a few formulas; both are here. The printed tables come from kPublished.
///   forward noise factor      kPaper sqrt(1 - abar_t)        kPublished 1 - abar_t
///   hidden blocks             kPaper separate weights        kPublished one block applied L times
///   dropout while sampling    kPaper off                     kPublished on
///   objective                 kPaper Eq. 5 by row            kPublished its batch-variance form (objective.h)
///   perturbation              kPaper N(0, .1^2 I)            kPublished .1 s eps
///   start of M-SDRM           kPaper U{1..T}                 kPublished U{1..T-1}
/// The paper writes N(0, sigma_nu I) for the perturbation, without a number; here the deviation is 0.1.
enum class Variant : std::uint8_t { kPublished, kPaper };

/// What the score model is trained on: the variant's own score objective, or one of the usual alternatives.
enum class Objective : std::uint8_t {
  kScore,  ///< Eq. 5 in the variant's form
  // Means over all entries, of the network's output s_theta(z_t, t):
  kEpsilon,    ///< (s_theta - eps)^2 (Ho et al. 2020, Eq. 14)
  kX0,         ///< (s_theta - z_0)^2
  kDenoising,  ///< sigma_t^2 (s_theta + eps / sigma_t)^2 (Vincent 2011; Song & Ermon 2019, Eq. 6)
};

/// MultiVAE ("MultiVAE++" when tuned). I items, H hidden, K latent.
struct VaeConfig {
  std::int64_t hidden = 600;
  std::int64_t latent = 200;
  std::int64_t batch = 500;
  double learning_rate = 1e-3;
  std::int64_t max_epochs = 500;
  std::int64_t patience = 20;  ///< epochs in a row without a better metric that are put up with: it stops at the next one
  double dropout = 0.5;
  double kl_cap = 0.2;
  double kl_steps = 20000;  ///< beta = min(kl_cap, update / kl_steps)
};

/// The latent diffusion.
struct ScoreConfig {
  std::int64_t timesteps = 50;  ///< T
  std::int64_t hidden_layers = 2;
  std::int64_t batch = 500;
  double learning_rate = 1e-5;
  std::int64_t epochs = 100;
  double noise_scale = 1;  ///< s: "Gaussian variance", "noise variance diminisher"
  double dropout = 0.5;
  double l2 = 1e-4;
  Variant variant = Variant::kPublished;
  Objective objective = Objective::kScore;
  /// Two of the variant's differences apart from the others, to see what each does; unset, the variant decides.
  std::optional<bool> tied_layers = {};       ///< one hidden block, applied L times
  std::optional<bool> sampling_dropout = {};  ///< dropout stays on while sampling
  /// Of the sampler: whether it takes the noise away that the network finds. If not, eps_theta is 0, and the network need not be
  /// trained: what is left of SDRM is a wider prior.
  bool removes_noise = true;

  bool ties_layers() const { return tied_layers.value_or(variant == Variant::kPublished); }
  bool drops_while_sampling() const { return sampling_dropout.value_or(variant == Variant::kPublished); }
};

/// Called now and then with how much of a stage is done. May throw to cancel it.
using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

}  // namespace tapestry::sdrm
