#include "recsys/generators/diffrec_schedule.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

double loss_weight(DiffRecTarget target, double beta, double before, double now, bool first) {
  // before = abar_{t-1}, now = abar_t.
  const auto snr = [](double alpha_bar) { return alpha_bar / (1 - alpha_bar); };
  switch (target) {
    case DiffRecTarget::kX0:
      return first ? 1 : snr(before) - snr(now);
    case DiffRecTarget::kEpsCode:
    case DiffRecTarget::kEpsExact:
      // x_0 - x^_0 = (eps^ - eps) sqrt(1 - abar) / sqrt(abar)
      if (first) return 0.5 * (1 - now) / now;
      return target == DiffRecTarget::kEpsExact ? beta / ((1 - beta) * (1 - before))
                                                : (1 - now) / ((1 - before) * (1 - before) * (1 - beta));
    case DiffRecTarget::kEpsSimple:
      break;
  }
  return 1;
}

}  // namespace

DiffRecSchedule::DiffRecSchedule(const DiffRecConfig& config) : timesteps(config.timesteps) {
  const auto size = static_cast<std::size_t>(timesteps) + 1;
  const double s = config.noise_scale;
  if (timesteps < 1 || s < 0) fail(ErrorKind::kUsage, "DiffRec: ", timesteps, " steps at a noise scale of ", s);
  if (s == 0 && config.target != DiffRecTarget::kX0) {
    fail(ErrorKind::kUsage, "DiffRec: without noise (scale 0) there is no noise to predict");
  }
  beta.assign(size, 0);
  alpha_bar.assign(size, 1);
  c1.assign(size, 1);
  c2.assign(size, 0);
  variance.assign(size, 0);
  weight.assign(size, 1);
  if (s == 0) return;
  if (timesteps < 2 || !(config.noise_min < config.noise_max) || !(config.noise_min > 0) || !(s * config.noise_max < 1)) {
    fail(ErrorKind::kUsage, "DiffRec: no noise schedule for T = ", timesteps, ", alpha_min = ", config.noise_min,
         " and alpha_max = ", config.noise_max, " at scale ", s, ": needs T >= 2 and 0 < alpha_min < alpha_max < 1/scale");
  }
  double before = 1;
  for (std::size_t t = 1; t < size; ++t) {
    const double share = static_cast<double>(t - 1) / static_cast<double>(timesteps - 1);
    const double now = 1 - s * (config.noise_min + share * (config.noise_max - config.noise_min));
    beta[t] = t == 1 ? 1 - now : std::min(1 - now / before, 0.999);
    before = now;
  }
  if (config.beta_fixed) beta[1] = 1e-5;
  for (std::size_t t = 1; t < size; ++t) {
    alpha_bar[t] = alpha_bar[t - 1] * (1 - beta[t]);
    const double noise = 1 - alpha_bar[t];
    const double noise_before = 1 - alpha_bar[t - 1];
    // At t = 1 these are exactly 1, 0 and 0.
    c1[t] = t == 1 ? 1 : beta[t] * std::sqrt(alpha_bar[t - 1]) / noise;
    c2[t] = noise_before * std::sqrt(1 - beta[t]) / noise;
    variance[t] = beta[t] * noise_before / noise;
    weight[t] = loss_weight(config.target, beta[t], alpha_bar[t - 1], alpha_bar[t], t == 1);
  }
}

}  // namespace tapestry::recsys
