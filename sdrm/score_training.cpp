#include "sdrm/score_training.h"

#include <algorithm>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "optim/schedule.h"
#include "sdrm/early_stopping.h"
#include "sdrm/loss_record.h"
#include "sdrm/objective.h"
#include "sdrm/shuffle.h"

namespace tapestry::sdrm {
namespace {

/// sigma_nu of Eq. 5, which the paper does not state: the published program's perturbation size.
constexpr double kPaperPerturbation = 0.1;

/// t ~ U{1..T} for the rows of one update: int32 [B] on the host.
void draw_steps(std::span<std::int32_t> t, std::int64_t timesteps, const RandomStream& stream) {
  RandomSequence random(stream);
  for (std::int32_t& step : t) step = 1 + static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(timesteps)));
}

/// z0 [B, K] and t int32 [B] on the model's device, where the noise is drawn too.
ScoreBatch draw_batch(const Tensor& z0, const Tensor& t, const ScoreConfig& config, std::uint64_t seed, std::uint32_t update) {
  ScoreBatch batch;
  batch.z0 = z0;
  batch.t = t;
  batch.noise = random_normal(z0.shape(), {seed, Purpose::kNoise, update}, 0, 1, z0.dtype(), z0.device());
  if (config.variant == Variant::kPaper && config.objective == Objective::kScore) {
    batch.perturbation =
        random_normal(z0.shape(), {seed, Purpose::kPerturbation, update}, 0, kPaperPerturbation, z0.dtype(), z0.device());
  }
  return batch;
}

/// What an epoch needs of the host, drawn there and brought to the device in one go: int32 [N] each.
class EpochPlan {
 public:
  EpochPlan(std::int64_t rows, Device device)
      : order(Tensor::empty({rows}, DType::kInt32, device)),
        t(Tensor::empty({rows}, DType::kInt32, device)),
        drawn_(Tensor::empty({rows}, DType::kInt32)) {}

  void draw(const ScoreConfig& config, std::uint64_t seed, std::int64_t epoch, std::uint32_t first_update) {
    shuffle_rows(order.numel(), {seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, shuffled_);
    bring(shuffled_.data(), order);
    const std::span<std::int32_t> steps = drawn_.span<std::int32_t>();
    std::uint32_t update = first_update;
    for (std::size_t begin = 0; begin < steps.size(); begin += static_cast<std::size_t>(config.batch)) {
      const std::size_t count = std::min(static_cast<std::size_t>(config.batch), steps.size() - begin);
      draw_steps(steps.subspan(begin, count), config.timesteps, {seed, Purpose::kTimestep, update++});
    }
    bring(steps.data(), t);
  }

  Tensor order;  ///< rows in the order of this epoch
  Tensor t;      ///< their steps

 private:
  static void bring(const std::int32_t* from, const Tensor& to) {
    copy_bytes(to.raw_data(), to.device(), from, Device::kCpu, static_cast<std::size_t>(to.bytes()));
  }

  std::vector<std::int32_t> shuffled_;
  Tensor drawn_;
};

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
  const Tensor latents = z0.to(model.device());
  EpochPlan plan(z0.size(0), model.device());
  LossRecord losses((z0.size(0) + config.batch - 1) / config.batch, z0.dtype(), model.device());
  for (std::int64_t epoch = 0; epoch < config.epochs; ++epoch) {
    const double rate = optim::linear_rate(config.learning_rate, epoch, config.epochs);
    plan.draw(config, seed, epoch, static_cast<std::uint32_t>(adam.steps()));
    for (std::int64_t begin = 0; begin < z0.size(0); begin += config.batch) {
      const std::int64_t end = std::min(z0.size(0), begin + config.batch);
      const auto update = static_cast<std::uint32_t>(adam.steps());
      const ScoreBatch batch = draw_batch(gather_rows(latents, plan.order.slice_rows(begin, end)), plan.t.slice_rows(begin, end),
                                          config, seed, update);
      const ScorePasses passes = score_passes(batch, schedule, config);

      autograd::Tape tape;
      const Variable output = model.forward(passes.z, passes.t, RandomStream{seed, Purpose::kScoreDropout, update});
      const Variable loss = score_loss(output, batch, passes, schedule, config);
      tape.backward(loss);
      adam.step(rate);
      adam.clear_gradients();
      losses.add(loss.value());
    }
    const ScoreEpoch report = {epoch, losses.take_mean()};
    check_converging("SDRM", epoch, report.loss, config.learning_rate);
    history.push_back(report);
    if (on_epoch) on_epoch(report);
  }
  return history;
}

}  // namespace tapestry::sdrm
