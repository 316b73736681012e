#include "recsys/generators/diffrec_training.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/data/row_batches.h"
#include "sdrm/early_stopping.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"

namespace tapestry::recsys {

std::vector<double> StepSampler::probabilities() const {
  constexpr double kUniformShare = 0.001;
  const auto steps = static_cast<double>(timesteps_);
  std::vector<double> p(recent_.size(), 1 / steps);
  const bool known = std::all_of(recent_.begin(), recent_.end(),
                                 [](const Recent& recent) { return recent.losses.size() == static_cast<std::size_t>(kHistory); });
  if (!importance_ || !known) return p;
  double total = 0;
  std::vector<double> sizes;
  for (const Recent& recent : recent_) {
    const double squares = std::inner_product(recent.losses.begin(), recent.losses.end(), recent.losses.begin(), 0.0);
    sizes.push_back(std::sqrt(squares / static_cast<double>(kHistory)));
    total += sizes.back();
  }
  if (!(total > 0)) return p;  // nothing is left to learn at any step
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = (1 - kUniformShare) * sizes[i] / total + kUniformShare / steps;
  return p;
}

Tensor StepSampler::draw(const RandomStream& stream, DType dtype, DiffRecBatch& batch) const {
  const std::vector<double> p = probabilities();
  std::vector<double> until(p.size());
  std::partial_sum(p.begin(), p.end(), until.begin());
  const std::int64_t rows = batch.x0.rows();
  const Tensor steps = Tensor::empty({rows}, DType::kInt32);
  std::vector<double> divisors;
  RandomSequence random(stream);
  for (std::int32_t& t : steps.span<std::int32_t>()) {
    const double u = random.uniform() * until.back();
    const auto found = std::upper_bound(until.begin(), until.end() - 1, u) - until.begin();
    t = static_cast<std::int32_t>(found) + 1;
    divisors.push_back(p[static_cast<std::size_t>(found)] * static_cast<double>(timesteps_));
  }
  batch.t = steps.to(batch.x0.device());
  batch.divisor = Tensor::from<double>(divisors, {rows, 1}).to(dtype).to(batch.x0.device());
  return steps;
}

void StepSampler::record(const Tensor& t, const Tensor& losses) {
  if (!importance_) return;
  const Tensor values = losses.to(Device::kCpu).to(DType::kFloat64);
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    Recent& recent = recent_[static_cast<std::size_t>(t.data<std::int32_t>()[i] - 1)];
    const double loss = values.data<double>()[i];
    if (recent.losses.size() < static_cast<std::size_t>(kHistory)) {
      recent.losses.push_back(loss);
    } else {
      recent.losses[recent.next] = loss;
      recent.next = (recent.next + 1) % static_cast<std::size_t>(kHistory);
    }
  }
}

namespace {

/// One epoch's updates; returns the mean loss. With importance sampling the steps of an update are drawn, on the host, by the
/// losses of the one before: B numbers come from the device in each, and B steps and divisors go there.
double train_epoch(const DiffRecModel& model, const DiffRecSchedule& schedule, StepSampler& sampler, optim::Adam& adam,
                   const RowBatches& batches, const DiffRecConfig& config, std::uint64_t seed, sdrm::LossRecord& losses) {
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    const auto update = static_cast<std::uint32_t>(adam.steps());
    DiffRecBatch batch;
    batch.x0 = dense(batches[i], model.dtype());
    const Tensor steps = sampler.draw({seed, Purpose::kTimestep, update}, model.dtype(), batch);
    batch.noise = random_normal(batch.x0.shape(), {seed, Purpose::kNoise, update}, 0, 1, model.dtype(), model.device());
    const Tensor seen = dropout(noised_rows(batch, schedule), config.dropout, {seed, Purpose::kScoreDropout, update});

    autograd::Tape tape;
    const DiffRecLoss loss = diffrec_loss(model, batch, seen, schedule, config.target);
    tape.backward(loss.total);
    adam.step(config.learning_rate);
    adam.clear_gradients();
    sampler.record(steps, loss.by_user);
    losses.add(loss.total.value());
  }
  return losses.take_mean();
}

}  // namespace

std::vector<DiffRecEpoch> fit_diffrec(DiffRecModel& model, const CsrMatrix& rows, const DiffRecConfig& config, std::uint64_t seed,
                                      const std::function<double(const DiffRecModel&, std::int64_t epoch)>& validate,
                                      const std::function<void(const DiffRecEpoch&)>& on_epoch) {
  check(rows.rows() > 0, "fit_diffrec: no rows to train on");
  check(config.batch > 0 && config.max_epochs > 0 && config.evaluate_every > 0, "fit_diffrec: batch ", config.batch,
        ", max_epochs ", config.max_epochs, " and evaluate_every ", config.evaluate_every, " must be positive");
  const DiffRecSchedule schedule(config);
  optim::Adam adam(model.parameters(), {.decoupled = config.weight_decay});
  StepSampler sampler(config.timesteps, config.importance);
  sdrm::EarlyStopping stopping(model);
  std::vector<DiffRecEpoch> history;
  std::vector<std::int32_t> order;
  RowBatches batches(rows, config.batch, model.device());
  sdrm::LossRecord losses(batches.size(), model.dtype(), model.device());
  for (std::int64_t epoch = 0; epoch < config.max_epochs && stopping.epochs_without(epoch) < config.patience; ++epoch) {
    sdrm::shuffle_rows(rows.rows(), {seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order);
    batches.reorder(order);
    const double loss = train_epoch(model, schedule, sampler, adam, batches, config, seed, losses);
    sdrm::check_converging("DiffRec", epoch, loss, config.learning_rate);
    DiffRecEpoch report = {epoch, loss, {}};
    if ((epoch + 1) % config.evaluate_every == 0 || epoch + 1 == config.max_epochs) report.metric = validate(model, epoch);
    if (report.metric) stopping.take(epoch, *report.metric);
    history.push_back(report);
    if (on_epoch) on_epoch(report);
  }
  stopping.restore("DiffRec");
  return history;
}

}  // namespace tapestry::recsys
