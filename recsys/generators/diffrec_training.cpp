#include "recsys/generators/diffrec_training.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "sdrm/early_stopping.h"
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

void StepSampler::draw(const RandomStream& stream, DType dtype, DiffRecBatch& batch) const {
  const std::vector<double> p = probabilities();
  std::vector<double> until(p.size());
  std::partial_sum(p.begin(), p.end(), until.begin());
  const std::int64_t rows = batch.x0.rows();
  batch.t = Tensor::empty({rows}, DType::kInt32);
  std::vector<double> divisors;
  RandomSequence random(stream);
  for (std::int32_t& t : batch.t.span<std::int32_t>()) {
    const double u = random.uniform() * until.back();
    const auto found = std::upper_bound(until.begin(), until.end() - 1, u) - until.begin();
    t = static_cast<std::int32_t>(found) + 1;
    divisors.push_back(p[static_cast<std::size_t>(found)] * static_cast<double>(timesteps_));
  }
  batch.divisor = Tensor::from<double>(divisors, {rows, 1}).to(dtype);
}

void StepSampler::record(const Tensor& t, const Tensor& losses) {
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

/// One epoch's updates; returns the mean loss.
double train_epoch(const DiffRecModel& model, const DiffRecSchedule& schedule, StepSampler& sampler, optim::Adam& adam,
                   const CsrMatrix& rows, const DiffRecConfig& config, std::uint64_t seed, std::span<const std::int32_t> order) {
  double total = 0;
  std::int64_t updates = 0;
  for (std::int64_t begin = 0; begin < rows.rows(); begin += config.batch) {
    const std::int64_t end = std::min(rows.rows(), begin + config.batch);
    const auto update = static_cast<std::uint32_t>(adam.steps());
    DiffRecBatch batch;
    batch.x0 = rows.gather_rows(order.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)))
                   .to_dense(model.dtype());
    sampler.draw({seed, Purpose::kTimestep, update}, model.dtype(), batch);
    batch.noise = random_normal(batch.x0.shape(), {seed, Purpose::kNoise, update}, 0, 1, model.dtype());
    const Tensor seen = dropout(noised_rows(batch, schedule), config.dropout, {seed, Purpose::kScoreDropout, update});

    autograd::Tape tape;
    const DiffRecLoss loss = diffrec_loss(model, batch, seen, schedule, config.target);
    tape.backward(loss.total);
    adam.step(config.learning_rate);
    adam.clear_gradients();
    sampler.record(batch.t, loss.by_user);
    total += loss.total.value().item();
    ++updates;
  }
  return total / static_cast<double>(updates);
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
  for (std::int64_t epoch = 0; epoch < config.max_epochs && stopping.epochs_without(epoch) < config.patience; ++epoch) {
    sdrm::shuffle_rows(rows.rows(), {seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order);
    const double loss = train_epoch(model, schedule, sampler, adam, rows, config, seed, order);
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
