#pragma once

#include <cstdint>
#include <vector>

namespace tapestry::recsys {

/// What DiffRec's network predicts, and with which weight of its mean squared error at step t.
enum class DiffRecTarget : std::uint8_t {
  kX0,         ///< x_0, weight SNR_{t-1} - SNR_t, 1 at t = 1: the published runs
  kEpsCode,    ///< eps, weight (1 - abar_t) / ((1 - abar_{t-1})^2 alpha_t): the authors' program
  kEpsExact,   ///< eps, weight beta_t / (alpha_t (1 - abar_{t-1})): what the variational bound gives
  kEpsSimple,  ///< eps, weight 1 (Ho et al. 2020, Eq. 14; the paper's section 2)
};

/// DiffRec (Wang et al., SIGIR 2023). The defaults are those of Amazon-book with T = 10, as the SDRM paper says.
struct DiffRecConfig {
  std::vector<std::int64_t> dims = {1000};  ///< hidden layers of the half behind the middle: {200, 600} is I-600-200-600-I
  std::int64_t time_width = 10;             ///< of the timestep embedding
  std::int64_t timesteps = 10;              ///< T
  double noise_scale = 1e-4;                ///< s; 0: no noise, and inference applies the network T times
  double noise_min = 5e-4;                  ///< alpha_min
  double noise_max = 5e-3;                  ///< alpha_max
  bool beta_fixed = true;                   ///< beta_1 overwritten by 1e-5: in the authors' program, not in the paper
  DiffRecTarget target = DiffRecTarget::kX0;
  bool importance = true;  ///< steps drawn by their recent losses (Eq. 13), else uniformly
  double dropout = 0.5;    ///< of x_t
  std::int64_t batch = 400;
  double learning_rate = 5e-5;
  double weight_decay = 0;  ///< decoupled
  std::int64_t max_epochs = 1000;
  std::int64_t evaluate_every = 5;   ///< epochs
  std::int64_t patience = 20;        ///< epochs since the best one after which it stops; more than evaluate_every
  int selection_cutoff = 20;         ///< k of the Recall@k that decides
  std::int64_t inference_steps = 0;  ///< T': how far a user's row is corrupted before it is denoised for ranking
  bool sampling_noise = false;       ///< whether a reverse step of sampling puts noise back for t > 1
};

/// The forward process, in float64 (1 - abar is down to 1e-7). Vectors are indexed by t = 0..T, abar_0 = 1.
///     1 - abar_t = s [alpha_min + (t - 1) / (T - 1) (alpha_max - alpha_min)]                              (Eq. 4)
///     beta_1 = 1 - abar_1, beta_t = min(1 - abar_t / abar_{t-1}, 0.999); with beta_fixed beta_1 = 1e-5;
///     then abar_t = prod_{i <= t} (1 - beta_i)
/// The mean of the posterior is c1 x_0 + c2 x_t with c1 = beta_t sqrt(abar_{t-1}) / (1 - abar_t),
/// c2 = (1 - abar_{t-1}) sqrt(alpha_t) / (1 - abar_t), its variance beta_t (1 - abar_{t-1}) / (1 - abar_t)  (Eqs. 8, 10).
/// With s = 0 nothing is noised: c1 = 1, c2 = 0, all weights are 1.
struct DiffRecSchedule {
  /// Throws Error(kUsage) unless T >= 2 and alpha_min < alpha_max (where s > 0): betas would be negative; and for a target of eps
  /// without noise.
  explicit DiffRecSchedule(const DiffRecConfig& config);

  std::int64_t timesteps;
  std::vector<double> beta;
  std::vector<double> alpha_bar;
  std::vector<double> c1, c2;
  std::vector<double> variance;
  /// Of the mean over items of (network output - its target)^2, by the config's target. Eps kinds other than kEpsSimple take
  /// 1/2 mean (x_0 - x^_0)^2 at t = 1.
  std::vector<double> weight;
};

}  // namespace tapestry::recsys
