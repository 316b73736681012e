#include "recsys/generators/codigem_training.h"

#include <algorithm>
#include <limits>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "optim/adamax.h"
#include "recsys/data/row_batches.h"
#include "sdrm/early_stopping.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"

namespace tapestry::recsys {
namespace {

/// The smallest entry of the log-variances in outputs [B, 2 I], found where they are: B numbers cross to the host.
double lowest_log_variance(const Tensor& output) {
  const std::int64_t rows = output.rows(), items = output.cols() / 2;
  const Tensor v = slice_columns(output, items, 2 * items);                                          // [B, I]
  const Tensor lowest = top_k_rows(unary(UnaryOp::kNegate, v), 1).reshape({rows}).to(Device::kCpu);  // a column of each row
  std::vector<std::int32_t> place;
  for (const std::int32_t column : lowest.span<std::int32_t>()) {
    place.push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(place.size()) * items) + column);
  }
  const Tensor index = Tensor::from<std::int32_t>(place, {rows}, v.device());
  const Tensor values = gather_rows(v.reshape({rows * items, 1}), index).to(DType::kFloat64).to(Device::kCpu);
  double least = std::numeric_limits<double>::infinity();
  for (const double value : values.span<double>()) least = value < least ? value : least;
  return least;
}

}  // namespace

double codigem_loss(std::span<const double> terms, const Shape& x, const CodigemConfig& config) {
  const auto squares = static_cast<std::size_t>(config.timesteps) + 1;
  double loss = constant_loss(terms.first(squares), x, config);
  for (const double network : terms.subspan(squares)) loss += network;
  return loss;
}

CodigemTerms codigem_gradients(const CodigemModel& model, const Tensor& x, std::span<const Tensor> chain,
                               const CodigemConfig& config, const std::function<void(const Tensor&)>& look) {
  CodigemTerms terms = constant_squares(x, chain, config);
  const auto learn = [&](const auto& loss_of) {
    autograd::Tape tape;
    const Variable loss = loss_of();
    tape.backward(loss);
    terms.push_back(loss.value());
  };
  learn([&] { return decoder_loss(model, x, chain.front()); });
  for (std::int64_t i = 1; i < model.timesteps(); ++i) {
    learn([&] {
      const ReverseLoss reverse = reverse_loss(model, i, chain, config);
      if (look) look(reverse.output);
      return reverse.loss;
    });
  }
  return terms;
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
  RowBatches batches(rows, config.batch, model.device());
  const std::int64_t terms = 2 * model.timesteps() + 1;
  sdrm::LossRecord record(batches.size() * terms, model.dtype(), model.device());
  for (std::int64_t epoch = 0; epoch < config.max_epochs; ++epoch) {
    sdrm::shuffle_rows(rows.rows(), {seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order);
    batches.reorder(order);
    CodigemEpoch report = {epoch, 0, 0, std::numeric_limits<double>::infinity()};
    const auto look = [&](const Tensor& output) {
      report.lowest_log_variance = std::min(report.lowest_log_variance, lowest_log_variance(output));
    };
    for (std::int64_t i = 0; i < batches.size(); ++i) {
      const Tensor x = dense(batches[i], model.dtype());
      const auto first = static_cast<std::uint32_t>(adamax.steps() * model.timesteps());
      const auto noise = [&](std::int64_t state) {
        return random_normal(x.shape(), {seed, Purpose::kNoise, first + static_cast<std::uint32_t>(state)}, 0, 1, model.dtype(),
                             model.device());
      };
      const bool last = i + 1 == batches.size();
      for (const Tensor& term : codigem_gradients(model, x, noise_chain(x, config.beta, model.timesteps(), noise), config,
                                                  last ? look : std::function<void(const Tensor&)>())) {
        record.add(term);
      }
      adamax.step(config.learning_rate);
      adamax.clear_gradients();
    }
    const std::vector<double> numbers = record.take();
    for (std::int64_t i = 0; i < batches.size(); ++i) {
      const auto of_batch = std::span(numbers).subspan(static_cast<std::size_t>(i * terms), static_cast<std::size_t>(terms));
      report.loss += codigem_loss(of_batch, {batches[i].rows(), model.items()}, config);
    }
    report.loss /= static_cast<double>(batches.size());
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
