#include "sdrm/score_training.h"

#include <algorithm>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "optim/schedule.h"
#include "sdrm/early_stopping.h"
#include "sdrm/objective.h"
#include "sdrm/shuffle.h"

namespace tapestry::sdrm {
namespace {

/// sigma_nu of Eq. 5, which the paper does not state: the published program's perturbation size.
constexpr double kPaperPerturbation = 0.1;

/// t ~ U{1..T} for every row: int32 [B].
Tensor draw_steps(std::int64_t rows, std::int64_t timesteps, const RandomStream& stream) {
  Tensor t = Tensor::empty({rows}, DType::kInt32);
  RandomSequence random(stream);
  for (std::int32_t& step : t.span<std::int32_t>()) {
    step = 1 + static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(timesteps)));
  }
  return t;
}

ScoreBatch draw_batch(const Tensor& z0, const ScoreConfig& config, std::uint64_t seed, std::uint32_t update) {
  ScoreBatch batch;
  batch.z0 = z0;
  batch.t = draw_steps(z0.size(0), config.timesteps, {seed, Purpose::kTimestep, update});
  batch.noise = random_normal(z0.shape(), {seed, Purpose::kNoise, update}, 0, 1, z0.dtype());
  if (config.variant == Variant::kPaper && config.objective == Objective::kScore) {
    batch.perturbation = random_normal(z0.shape(), {seed, Purpose::kPerturbation, update}, 0, kPaperPerturbation, z0.dtype());
  }
  return batch;
}

}  // namespace

std::vector<ScoreEpoch> fit_score_model(ScoreModel& model, const Tensor& z0, const ScoreConfig& config, std::uint64_t seed,
                                        const std::function<void(const ScoreEpoch&)>& on_epoch) {
  check(z0.shape().rank() == 2 && z0.size(0) > 0 && z0.size(1) == model.latent(), "fit_score_model: latents ", z0.shape(),
        " for a model of width ", model.latent());
  check(config.batch > 0 && config.epochs > 0, "fit_score_model: batch ", config.batch, " and epochs ", config.epochs,
        " must be positive");
  check(config.timesteps == model.timesteps() && config.variant == model.variant(), "fit_score_model: ", config.timesteps,
        " steps for a model of ", model.timesteps(), ", or another variant than the model's");
  const NoiseSchedule schedule(config.timesteps);
  optim::Adam adam(model.parameters(), {.l2 = config.l2});
  std::vector<ScoreEpoch> history;
  Tensor order = Tensor::empty({z0.size(0)}, DType::kInt32);
  std::vector<std::int32_t> shuffled;
  for (std::int64_t epoch = 0; epoch < config.epochs; ++epoch) {
    const double rate = optim::linear_rate(config.learning_rate, epoch, config.epochs);
    shuffle_rows(z0.size(0), {seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, shuffled);
    std::copy(shuffled.begin(), shuffled.end(), order.data<std::int32_t>());
    double total = 0;
    std::int64_t updates = 0;
    for (std::int64_t begin = 0; begin < z0.size(0); begin += config.batch) {
      const std::int64_t end = std::min(z0.size(0), begin + config.batch);
      const auto update = static_cast<std::uint32_t>(adam.steps());
      const ScoreBatch batch = draw_batch(gather_rows(z0, order.slice_rows(begin, end)), config, seed, update);
      const ScorePasses passes = score_passes(batch, schedule, config);

      autograd::Tape tape;
      const Variable output = model.forward(passes.z, passes.t, RandomStream{seed, Purpose::kScoreDropout, update});
      const Variable loss = score_loss(output, batch, passes, schedule, config);
      tape.backward(loss);
      adam.step(rate);
      adam.clear_gradients();
      total += loss.value().item();
      ++updates;
    }
    const ScoreEpoch report = {epoch, total / static_cast<double>(updates)};
    check_converging("SDRM", epoch, report.loss, config.learning_rate);
    history.push_back(report);
    if (on_epoch) on_epoch(report);
  }
  return history;
}

}  // namespace tapestry::sdrm
