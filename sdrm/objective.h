#pragma once

#include "sdrm/noise_schedule.h"
#include "sdrm/score_model.h"

namespace tapestry::sdrm {

/// What one step draws. B rows.
struct ScoreBatch {
  Tensor z0;            ///< [B, K] clean latents
  Tensor t;             ///< int32 [B] in 1..T
  Tensor noise;         ///< [B, K] eps ~ N(0, I)
  Tensor perturbation;  ///< [B, K] nu, kPaper's score objective only. The paper writes N(0, sigma_nu I) without a number; here
                        ///< the deviation is 0.1
};

/// The inputs of the network's passes, stacked so that one forward of several B rows serves them all. kPublished's score
/// objective: [z_t; z_0; z_0 + m s eps], P = 3 passes; kPaper's: [z_t; z_t + nu], P = 2; the others: [z_t], P = 1.
struct ScorePasses {
  Tensor z;  ///< [P * B, K]
  Tensor t;  ///< int32 [P * B]
};
ScorePasses score_passes(const ScoreBatch& batch, const ScheduleTables& tables, const ScoreConfig& config);

/// The loss from the network's output on the passes, [P * B, K] -> scalar [].
///
/// kPublished, with m = 0.1, r = s_theta(z_t, t) - z_0, a = s_theta(z_0, t), b = s_theta(z_0 + m s eps, t), s the noise scale,
/// means and unbiased variance over all entries:
///     1/2 [ mean(((b - a) / m^2 - r)^2) + mean((r - a)^2) ] / (1e-8 + var(r))
/// kPaper (Eq. 5), with delta = s_theta(z_t, t) - z_t, mean over rows of
///     ( ||(s_theta(z_t + nu, t) - s_theta(z_t, t)) - delta||^2 + ||s_theta(z_t, t) - delta||^2 ) / ||delta||^2
/// Gradients flow through every term.
Variable score_loss(const Variable& output, const ScoreBatch& batch, const ScorePasses& passes, const ScheduleTables& tables,
                    const ScoreConfig& config);

/// Both for a single step, with tables made for it: a loop makes them once.
ScorePasses score_passes(const ScoreBatch& batch, const NoiseSchedule& schedule, const ScoreConfig& config);
Variable score_loss(const Variable& output, const ScoreBatch& batch, const ScorePasses& passes, const NoiseSchedule& schedule,
                    const ScoreConfig& config);

}  // namespace tapestry::sdrm
