#include "recsys/generators/codigem_training.h"

#include <algorithm>
#include <limits>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "optim/adamax.h"
#include "sdrm/early_stopping.h"
#include "sdrm/epoch_rows.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"
#include "tensor/step_graph.h"

namespace tapestry::recsys {
namespace {

/// The smallest entry of the log-variances in outputs [B, 2 I], found where they are: B numbers cross to the host.
double lowest_log_variance(const Tensor& output) {
  const std::int64_t rows = output.rows(), items = output.cols() / 2;
  const Tensor v = slice_columns(output, items, 2 * items);                                          // [B, I]
  const Tensor lowest = top_k_rows(unary(UnaryOp::kNegate, v), 1).reshape({rows}).to(Device::kCpu);  // a column of each row
  check(rows * items <= std::numeric_limits<std::int32_t>::max(), "fit_codigem: the log-variances of a batch of ", rows,
        " users and ", items, " items cannot be numbered in 32 bits; a smaller batch can");
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
        terms_(rows_.updates(), model.dtype(), model.device(), 2 * model.timesteps() + 1),
        graph_(model.device()) {}

  /// One epoch's updates.
  CodigemEpoch train_epoch(std::int64_t epoch) {
    // What the epoch needs of the host, brought to the device in one go.
    sdrm::shuffle_rows(rows_.rows(), {seed_, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order_);
    rows_.reorder(order_);
    sdrm::bring(adamax_.prepare(rows_.updates(), config_.learning_rate).raw_data(), factors_);
    cursor_.begin_epoch(adamax_.steps());
    CodigemEpoch report = {epoch, 0, 0, std::numeric_limits<double>::infinity()};
    const auto look = [&](const Tensor& output) {
      report.lowest_log_variance = std::min(report.lowest_log_variance, lowest_log_variance(output));
    };
    const std::int64_t last = rows_.updates() - 1;
    for (std::int64_t i = 0; i < last; ++i) graph_.run(rows_.count(i), [&] { update(rows_.count(i), {}); });
    update(rows_.count(last), look);  // called, since the host looks at its outputs
    adamax_.count(rows_.updates());
    report.loss = mean_loss();
    return report;
  }

 private:
  /// An update on the next `count` rows of the epoch. Everything it reads lies on the device, so that a graph can repeat it.
  void update(std::int64_t count, const std::function<void(const Tensor&)>& look) {
    const optim::GradientScope cleared(adamax_);
    const Tensor x = dense(rows_.batch(cursor_, count), model_.dtype());
    const auto noise = [&](std::int64_t state) {
      return random_normal(x.shape(), cursor_.stream(seed_, Purpose::kNoise, static_cast<std::uint32_t>(state)), 0, 1,
                           model_.dtype(), model_.device());
    };
    const std::vector<Tensor> chain = noise_chain(x, config_.beta, model_.timesteps(), noise);
    terms_.add(codigem_gradients(model_, x, chain, config_, look), cursor_.place());
    adamax_.step_prepared(cursor_.row(factors_));
    cursor_.advance();
  }

  double mean_loss() const {
    const std::vector<double> numbers = terms_.take();
    const std::size_t terms = numbers.size() / static_cast<std::size_t>(rows_.updates());
    double loss = 0;
    for (std::int64_t i = 0; i < rows_.updates(); ++i) {
      const auto of_batch = std::span(numbers).subspan(static_cast<std::size_t>(i) * terms, terms);
      loss += codigem_loss(of_batch, {rows_.count(i), model_.items()}, config_);
    }
    return loss / static_cast<double>(rows_.updates());
  }

  const CodigemModel& model_;
  const CodigemConfig& config_;
  std::uint64_t seed_;
  sdrm::EpochRows rows_;
  optim::Adamax adamax_;
  sdrm::EpochCursor cursor_;
  Tensor factors_;            ///< [U, kAdamaxFactors]
  sdrm::PlacedLosses terms_;  ///< CodigemTerms of each update
  std::vector<std::int32_t> order_;
  StepGraph graph_;
};

}  // namespace

std::optional<std::string> overflow_warning(double lowest, const CodigemConfig& config) {
  constexpr double kLow = -60;  // worth a word: e^-v overflows float32 below -88
  if (lowest >= kLow || (config.clamp > 0 && -config.clamp >= kLow)) return std::nullopt;
  return concat("CODIGEM: in the last batch of an epoch a log-variance fell to ", lowest,
                "; below -88 the loss overflows, and the fit would end as diverged");
}

std::vector<CodigemEpoch> fit_codigem(CodigemModel& model, const CsrMatrix& rows, const CodigemConfig& config, std::uint64_t seed,
                                      const std::function<double(const CodigemModel&, std::int64_t epoch)>& validate,
                                      const std::function<void(const CodigemEpoch&)>& on_epoch) {
  check(rows.rows() > 0, "fit_codigem: no rows to train on");
  check(config.batch > 0 && config.max_epochs > 0, "fit_codigem: batch ", config.batch, " and max_epochs ", config.max_epochs,
        " must be positive");
  check(config.beta > 0, "fit_codigem: beta ", config.beta,
        " is not positive: without noise the states' densities, of which the loss is made, do not exist");
  sdrm::EarlyStopping stopping(model);
  CodigemTraining training(model, rows, config, seed);
  std::vector<CodigemEpoch> history;
  for (std::int64_t epoch = 0; epoch < config.max_epochs; ++epoch) {
    CodigemEpoch report = training.train_epoch(epoch);
    sdrm::check_converging("CODIGEM", epoch, report.loss, config.learning_rate);
    report.metric = validate(model, epoch);
    history.push_back(report);
    if (on_epoch) on_epoch(report);
    stopping.take(epoch, report.metric);
    if (stopping.epochs_without(epoch) > config.patience) break;
  }
  stopping.restore("CODIGEM");
  sdrm::check_last_update("CODIGEM", model, config.learning_rate);
  return history;
}

}  // namespace tapestry::recsys
