#include "recsys/generators/codigem_training.h"

#include <algorithm>
#include <limits>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "optim/adamax.h"
#include "sdrm/early_stopping.h"
#include "sdrm/shuffle.h"

namespace tapestry::recsys {
namespace {

/// The smallest entry of the log-variances in outputs [B, 2 I].
double lowest_log_variance(const Tensor& output) {
  const std::int64_t items = output.cols() / 2;
  const auto lowest = [&](auto values) {
    auto least = std::numeric_limits<std::remove_cvref_t<decltype(values[0])>>::infinity();
    for (std::int64_t row = 0; row < output.rows(); ++row) {
      const auto* v = values.data() + (2 * row + 1) * items;
      for (std::int64_t item = 0; item < items; ++item) least = v[item] < least ? v[item] : least;
    }
    return static_cast<double>(least);
  };
  return output.dtype() == DType::kFloat32 ? lowest(output.span<float>()) : lowest(output.span<double>());
}

}  // namespace

CodigemStep codigem_gradients(const CodigemModel& model, const Tensor& x, std::span<const Tensor> chain,
                              const CodigemConfig& config) {
  CodigemStep step = {constant_loss(x, chain, config), std::numeric_limits<double>::infinity()};
  const auto learn = [&](const auto& loss_of) {
    autograd::Tape tape;
    const Variable loss = loss_of();
    tape.backward(loss);
    step.loss += loss.value().item();
  };
  learn([&] { return decoder_loss(model, x, chain.front()); });
  for (std::int64_t i = 1; i < model.timesteps(); ++i) {
    learn([&] {
      const ReverseLoss reverse = reverse_loss(model, i, chain, config);
      step.lowest_log_variance = std::min(step.lowest_log_variance, lowest_log_variance(reverse.output));
      return reverse.loss;
    });
  }
  return step;
}

std::vector<CodigemEpoch> fit_codigem(CodigemModel& model, const CsrMatrix& rows, const CodigemConfig& config, std::uint64_t seed,
                                      const std::function<double(const CodigemModel&, std::int64_t epoch)>& validate,
                                      const std::function<void(const CodigemEpoch&)>& on_epoch) {
  check(rows.rows() > 0, "fit_codigem: no rows to train on");
  check(config.batch > 0 && config.max_epochs > 0, "fit_codigem: batch ", config.batch, " and max_epochs ", config.max_epochs,
        " must be positive");
  optim::Adamax adamax(model.parameters());
  sdrm::EarlyStopping stopping(model);
  std::vector<CodigemEpoch> history;
  std::vector<std::int32_t> order;
  for (std::int64_t epoch = 0; epoch < config.max_epochs; ++epoch) {
    sdrm::shuffle_rows(rows.rows(), {seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order);
    CodigemEpoch report = {epoch, 0, 0, 0};
    std::int64_t updates = 0;
    for (std::int64_t begin = 0; begin < rows.rows(); begin += config.batch, ++updates) {
      const std::int64_t end = std::min(rows.rows(), begin + config.batch);
      const Tensor x =
          rows.gather_rows(std::span(order).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)))
              .to_dense(model.dtype());
      const auto first = static_cast<std::uint32_t>(adamax.steps() * model.timesteps());
      const auto noise = [&](std::int64_t i) {
        return random_normal(x.shape(), {seed, Purpose::kNoise, first + static_cast<std::uint32_t>(i)}, 0, 1, model.dtype());
      };
      const CodigemStep step = codigem_gradients(model, x, noise_chain(x, config.beta, model.timesteps(), noise), config);
      adamax.step(config.learning_rate);
      adamax.clear_gradients();
      report.loss += step.loss;
      report.lowest_log_variance = step.lowest_log_variance;
    }
    report.loss /= static_cast<double>(updates);
    sdrm::check_converging("CODIGEM", epoch, report.loss, config.learning_rate);
    report.metric = validate(model, epoch);
    history.push_back(report);
    if (on_epoch) on_epoch(report);
    stopping.take(epoch, report.metric);
    if (stopping.epochs_without(epoch) > config.patience) break;
  }
  stopping.restore("CODIGEM");
  return history;
}

}  // namespace tapestry::recsys
