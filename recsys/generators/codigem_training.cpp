#include "recsys/generators/codigem_training.h"

#include <algorithm>
#include <limits>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "optim/adamax.h"
#include "sdrm/divergence.h"
#include "sdrm/early_stopping.h"
#include "sdrm/epoch_rows.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"
#include "tensor/step_graph.h"

namespace tapestry::recsys {
namespace {

/// The smallest of the log-variances in outputs [B, 2 I]: [] where they are.
Tensor lowest_log_variance(const Tensor& output) { return smallest(slice_columns(output, output.cols() / 2, output.cols())); }

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

namespace {

/// The updates of CODIGEM's networks, one after the other.
class CodigemTraining {
 public:
  CodigemTraining(const CodigemModel& model, const CsrMatrix& rows, const CodigemConfig& config, std::uint64_t seed)
      : model_(model),
        config_(config),
        seed_(seed),
        rows_(rows, config.batch, model.device()),
        adamax_(model.parameters()),
        cursor_(model.device(), static_cast<std::int32_t>(model.timesteps())),
        factors_(Tensor::empty({rows_.updates(), kAdamaxFactors}, model.dtype(), model.device())),
        terms_(rows_.updates(), model.dtype(), model.device(), 3 * model.timesteps()),
        graph_(model.device()) {}

  void add_to(sdrm::FitState& state) { state.add("adamax", adamax_); }

  /// One epoch's updates.
  CodigemEpoch train_epoch(std::int64_t epoch) {
    // What the epoch needs of the host, brought to the device in one go.
    sdrm::shuffle_rows(rows_.rows(), {seed_, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order_);
    rows_.reorder(order_);
    sdrm::bring(adamax_.prepare(rows_.updates(), config_.learning_rate).raw_data(), factors_);
    cursor_.begin_epoch(adamax_.steps());
    for (std::int64_t i = 0; i < rows_.updates(); ++i) graph_.run(rows_.count(i), [&] { update(rows_.count(i)); });
    adamax_.count(rows_.updates());
    return read(epoch);
  }

 private:
  /// An update on the next `count` rows of the epoch. Everything it reads lies on the device, so that a graph can repeat it.
  void update(std::int64_t count) {
    const optim::GradientScope cleared(adamax_);
    const Tensor x = dense(rows_.batch(cursor_, count), model_.dtype());
    const auto noise = [&](std::int64_t state) {
      return random_normal(x.shape(), cursor_.stream(seed_, Purpose::kNoise, static_cast<std::uint32_t>(state)), 0, 1,
                           model_.dtype(), model_.device());
    };
    const std::vector<Tensor> chain = noise_chain(x, config_.beta, model_.timesteps(), noise);
    std::vector<Tensor> lowest;
    const auto look = [&](const Tensor& output) { lowest.push_back(lowest_log_variance(output)); };
    CodigemTerms terms = codigem_gradients(model_, x, chain, config_, look);
    terms.insert(terms.end(), lowest.begin(), lowest.end());
    terms_.add(terms, cursor_.place());
    adamax_.step_prepared(cursor_.row(factors_));
    cursor_.advance();
  }

  /// What the epoch's updates have left on the device.
  CodigemEpoch read(std::int64_t epoch) const {
    const std::vector<double> numbers = terms_.take();
    const std::size_t networks = static_cast<std::size_t>(model_.timesteps()) - 1;
    const std::size_t width = numbers.size() / static_cast<std::size_t>(rows_.updates());
    double loss = 0;
    double lowest = std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < rows_.updates(); ++i) {
      const auto of_update = std::span(numbers).subspan(static_cast<std::size_t>(i) * width, width);
      loss += codigem_loss(of_update.first(width - networks), {rows_.count(i), model_.items()}, config_);
      for (const double log_variance : of_update.last(networks)) lowest = std::min(lowest, log_variance);
    }
    return {epoch, loss / static_cast<double>(rows_.updates()), 0, lowest};
  }

  const CodigemModel& model_;
  const CodigemConfig& config_;
  std::uint64_t seed_;
  sdrm::EpochRows rows_;
  optim::Adamax adamax_;
  sdrm::EpochCursor cursor_;
  Tensor factors_;            ///< [U, kAdamaxFactors]
  sdrm::PlacedLosses terms_;  ///< CodigemTerms of each update, then the lowest log-variance of each reverse network
  std::vector<std::int32_t> order_;
  StepGraph graph_;
};

}  // namespace

std::optional<std::string> overflow_warning(double lowest, const CodigemConfig& config) {
  constexpr double kLow = -60;  // worth a word: e^-v overflows float32 below -88
  if (lowest >= kLow || (config.clamp > 0 && -config.clamp >= kLow)) return std::nullopt;
  return concat("CODIGEM: while it was fitted a log-variance fell to ", lowest,
                "; below -88 the loss overflows, and the fit would end as diverged");
}

std::vector<CodigemEpoch> fit_codigem(CodigemModel& model, const CsrMatrix& rows, const CodigemConfig& config, std::uint64_t seed,
                                      const std::function<double(const CodigemModel&, std::int64_t epoch)>& validate,
                                      const std::function<void(const CodigemEpoch&)>& on_epoch, sdrm::FitCheckpoint* checkpoint) {
  check(rows.rows() > 0, "fit_codigem: no rows to train on");
  check(config.batch > 0 && config.max_epochs > 0, "fit_codigem: batch ", config.batch, " and max_epochs ", config.max_epochs,
        " must be positive");
  check(config.patience >= 0, "fit_codigem: a patience of ", config.patience, " epochs");
  check(config.beta > 0, "fit_codigem: beta ", config.beta,
        " is not positive: without noise the states' densities, of which the loss is made, do not exist");
  sdrm::EarlyStopping stopping(model);
  CodigemTraining training(model, rows, config, seed);
  std::vector<CodigemEpoch> history;
  sdrm::FitState state(checkpoint);
  state.add("model", model);
  training.add_to(state);
  stopping.add_to(state);
  const auto goes_on = [&](std::int64_t epoch) { return stopping.epochs_without(epoch - 1) <= config.patience; };
  const auto make = [&](std::int64_t epoch) {
    CodigemEpoch report = training.train_epoch(epoch);
    sdrm::check_converging("CODIGEM", epoch, report.loss, config.learning_rate);
    report.metric = validate(model, epoch);
    stopping.take(epoch, report.metric);
    return report;
  };
  sdrm::train_epochs(state, history, config.max_epochs, goes_on, make, on_epoch);
  stopping.restore("CODIGEM");
  sdrm::check_last_update("CODIGEM", model, config.learning_rate);
  return history;
}

}  // namespace tapestry::recsys
