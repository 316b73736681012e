#include "sdrm/objective.h"

#include "autograd/loss.h"
#include "autograd/reduction.h"

namespace tapestry::sdrm {
namespace {

constexpr double kPerturbation = 0.1;  // m

/// z_t = signal(t) z_0 + noise(t) s eps, written to `out` [B, K].
void noisy_latents(const ScoreBatch& batch, const ScheduleTables& tables, const Tensor& out) {
  const Tensor kept = binary(BinaryOp::kMultiply, batch.z0, gather_rows(tables.signal, batch.t));
  const Tensor added = binary(BinaryOp::kMultiply, batch.noise, gather_rows(tables.noise, batch.t));
  const Tensor z_t = linear_combination({{1.0, kept}, {1.0, added}});
  copy_into(out, z_t);
}

bool uses_score(const ScoreConfig& config, Variant variant) {
  return config.objective == Objective::kScore && config.variant == variant;
}

Variable paper_loss(const Variable& output, const ScoreBatch& batch, const ScorePasses& passes) {
  const std::int64_t rows = batch.z0.size(0);
  const Variable z_t = passes.z.slice_rows(0, rows);
  const Variable s = autograd::slice_rows(output, 0, rows);
  const Variable perturbed = autograd::slice_rows(output, rows, 2 * rows);
  const Variable delta = autograd::linear_combination({{1.0, s}, {-1.0, z_t}});
  const Variable first = autograd::row_sum_squares(autograd::linear_combination({{1.0, perturbed}, {-1.0, s}, {-1.0, delta}}));
  const Variable second = autograd::row_sum_squares(autograd::linear_combination({{1.0, s}, {-1.0, delta}}));
  return autograd::mean(autograd::divide(autograd::add(first, second), autograd::row_sum_squares(delta)));
}

/// sigma_t^2 || s + eps / sigma_t ||^2 = || sigma_t s + eps ||^2, averaged over entries; sigma_t the standard deviation of the
/// noise in z_t.
Variable denoising_loss(const Variable& output, const ScoreBatch& batch, const ScheduleTables& tables) {
  const Tensor sigma = gather_rows(tables.noise, batch.t);  // [B, 1]
  return autograd::mean_square(autograd::add(autograd::multiply(output, sigma), batch.noise));
}

}  // namespace

ScorePasses score_passes(const ScoreBatch& batch, const ScheduleTables& tables, const ScoreConfig& config) {
  check(batch.z0.shape() == batch.noise.shape() && batch.t.numel() == batch.z0.size(0), "score_passes: latents ",
        batch.z0.shape(), ", noise ", batch.noise.shape(), " and ", batch.t.numel(), " steps do not fit");
  const bool published = uses_score(config, Variant::kPublished);
  const bool paper = uses_score(config, Variant::kPaper);
  check(!paper || (batch.perturbation.defined() && batch.perturbation.shape() == batch.z0.shape()),
        "score_passes: the paper's objective needs a perturbation of the latents' shape ", batch.z0.shape());
  const std::int64_t rows = batch.z0.size(0);
  const std::int64_t passes = published ? 3 : paper ? 2 : 1;
  ScorePasses stacked = {Tensor::empty({passes * rows, batch.z0.cols()}, batch.z0.dtype(), batch.z0.device()),
                         Tensor::empty({passes * rows}, DType::kInt32, batch.z0.device())};
  const auto part = [&](const Tensor& tensor, std::int64_t pass) { return tensor.slice_rows(pass * rows, (pass + 1) * rows); };
  for (std::int64_t pass = 0; pass < passes; ++pass) copy_into(part(stacked.t, pass), batch.t);
  noisy_latents(batch, tables, part(stacked.z, 0));
  if (published) {
    copy_into(part(stacked.z, 1), batch.z0);
    copy_into(part(stacked.z, 2), linear_combination({{1.0, batch.z0}, {kPerturbation * config.noise_scale, batch.noise}}));
  } else if (paper) {
    copy_into(part(stacked.z, 1), linear_combination({{1.0, part(stacked.z, 0)}, {1.0, batch.perturbation}}));
  }
  return stacked;
}

Variable score_loss(const Variable& output, const ScoreBatch& batch, const ScorePasses& passes, const ScheduleTables& tables,
                    const ScoreConfig& config) {
  check(output.shape() == passes.z.shape(), "score_loss: an output ", output.shape(), " for passes ", passes.z.shape());
  switch (config.objective) {
    case Objective::kEpsilon:
      return autograd::mse(output, batch.noise);
    case Objective::kX0:
      return autograd::mse(output, batch.z0);
    case Objective::kDenoising:
      return denoising_loss(output, batch, tables);
    case Objective::kScore:
      break;
  }
  return config.variant == Variant::kPublished ? autograd::score_matching(output, batch.z0, 1 / (kPerturbation * kPerturbation))
                                               : paper_loss(output, batch, passes);
}

ScorePasses score_passes(const ScoreBatch& batch, const NoiseSchedule& schedule, const ScoreConfig& config) {
  return score_passes(batch, ScheduleTables(schedule, config, batch.z0.dtype(), batch.z0.device()), config);
}

Variable score_loss(const Variable& output, const ScoreBatch& batch, const ScorePasses& passes, const NoiseSchedule& schedule,
                    const ScoreConfig& config) {
  return score_loss(output, batch, passes, ScheduleTables(schedule, config, batch.z0.dtype(), batch.z0.device()), config);
}

}  // namespace tapestry::sdrm
