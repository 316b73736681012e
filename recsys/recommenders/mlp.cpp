#include "recsys/recommenders/mlp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "nn/snapshot.h"
#include "sdrm/divergence.h"
#include "sdrm/epoch_rows.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"
#include "tensor/step_graph.h"

namespace tapestry::recsys {
namespace {

/// Users whose scores exist at a time.
constexpr std::int64_t kTile = 256;

/// squares += sum (p - x)^2 = sum p^2 + sum over ones of 1 - 2 p, for x on the host [B, I], which need not be written out.
void add_squared_error(const Tensor& p, const CsrMatrix& x, double& squares) {
  squares += sum_squares(p).item();
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const float* of_row = p.data<float>() + row * p.cols();
    for (const std::int32_t item : x.row(row)) squares += 1 - 2 * static_cast<double>(of_row[item]);
  }
}

/// How far a fit has come when it will stop some epochs behind the best one.
double likely_fraction(double epochs_done, std::int64_t best_epoch, const MlpConfig& config) {
  const auto stop = static_cast<double>(std::min(config.max_epochs, best_epoch + 1 + config.patience));
  return std::min(1.0, epochs_done / stop);
}

}  // namespace

double mlp_rmse(const MlpModel& model, const RowBatches& rows) {
  std::int64_t users = 0;
  double squares = 0;
  sdrm::LossRecord tiles(rows.size(), DType::kFloat32, model.device());
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    users += rows[i].rows();
    const Tensor p = unary(UnaryOp::kSigmoid, model.logits(rows[i]).value()).to(DType::kFloat32);
    if (p.device() == Device::kCpu) {
      add_squared_error(p, rows[i], squares);
    } else {
      tiles.add(sum_squares(binary(BinaryOp::kSubtract, p, dense(rows[i], DType::kFloat32))));
    }
  }
  for (const double tile : tiles.take()) squares += tile;
  if (squares < 0) squares = 0;  // the rounding of two sums that cancel; NaN stays NaN
  return std::sqrt(squares / (static_cast<double>(users) * static_cast<double>(model.items())));
}

double mlp_rmse(const MlpModel& model, const CsrMatrix& rows) { return mlp_rmse(model, RowBatches(rows, kTile, model.device())); }

namespace {

/// As optim::GradientScope, for the gradient of the first layer's weight.
struct FirstGradientScope {
  ValueLayer::Update& update;
  ~FirstGradientScope() { *update.gradients = {}; }
};

}  // namespace

Tensor mlp_update(const MlpModel& model, optim::Adam& adam, ValueLayer::Update& first, const CsrMatrix& batch,
                  const Tensor& factors, const MlpModel::Drop& drop) {
  check(adam.options().l2 == 0 && adam.options().decoupled == 0, "mlp_update: Adam has a weight decay (l2 ", adam.options().l2,
        ", decoupled ", adam.options().decoupled,
        "), which the first layer's weight, most of the model, would not have; expected none");
  const optim::GradientScope cleared(adam);
  const FirstGradientScope first_cleared{first};
  const Tensor target = dense(batch, model.first().table().value().dtype());  // [B, I]
  autograd::Tape tape;
  const autograd::Variable loss = autograd::bce_with_logits(model.logits(batch, drop, first.gradients), target);
  tape.backward(loss);
  // First the first layer's weight: its gradient is written in terms of the table, which the other step changes.
  model.first().update_weight(first, factors);
  adam.step_prepared(factors);
  return loss.value();
}

Tensor mlp_update(const MlpModel& model, optim::Adam& adam, ValueLayer::Update& first, const CsrMatrix& batch,
                  const MlpConfig& config, const MlpModel::Drop& drop) {
  const Tensor loss = mlp_update(model, adam, first, batch, adam.prepare(1, config.learning_rate).to(model.device()), drop);
  adam.count(1);
  return loss;
}

namespace {

/// The updates of an MLP, one after the other.
class MlpTraining {
 public:
  MlpTraining(const MlpModel& model, const CsrMatrix& rows, const MlpConfig& config, std::uint64_t seed)
      : model_(model),
        config_(config),
        seed_(seed),
        rows_(rows, config.batch, model.device()),
        adam_(model.dense_parameters(), {.epsilon = config.epsilon}),
        first_(model.first().new_update()),
        cursor_(model.device()),
        factors_(Tensor::empty({rows_.updates(), kAdamFactors}, model.dtype(), model.device())),
        losses_(rows_.updates(), model.dtype(), model.device()),
        graph_(model.device()) {}

  void add_to(sdrm::FitState& state) {
    state.add("adam", adam_);
    state.add("first.moment1", first_.first);
    state.add("first.moment2", first_.second);
    state.add("first.total", model_.first().total());
  }

  /// One epoch's updates; returns their mean loss. advance(share) is told after each what share of the rows is done.
  template <typename Advance>
  double train_epoch(std::int64_t epoch, const Advance& advance) {
    // What the epoch needs of the host, brought to the device in one go.
    std::vector<std::int32_t> order;
    sdrm::shuffle_rows(rows_.rows(), {seed_, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order);
    rows_.reorder(order);
    sdrm::bring(adam_.prepare(rows_.updates(), config_.learning_rate).raw_data(), factors_);
    cursor_.begin_epoch(adam_.steps());
    for (std::int64_t i = 0, done = 0; i < rows_.updates(); ++i) {
      graph_.run(rows_.count(i), [&] { update(rows_.count(i)); });
      done += rows_.count(i);
      advance(static_cast<double>(done) / static_cast<double>(rows_.rows()));
    }
    adam_.count(rows_.updates());
    return losses_.take_mean();
  }

 private:
  /// An update on the next `count` rows of the epoch. Everything it reads lies on the device, so that a graph can repeat it.
  void update(std::int64_t count) {
    const auto drop = [&](const autograd::Variable& h, int layer) {
      const RandomStream stream =
          cursor_.stream(derive_seed(seed_, static_cast<std::uint64_t>(layer)), Purpose::kRecommenderDropout);
      return autograd::dropout(h, config_.dropout, stream);
    };
    losses_.add(mlp_update(model_, adam_, first_, rows_.batch(cursor_, count), cursor_.row(factors_), drop), cursor_.place());
    cursor_.advance();
  }

  const MlpModel& model_;
  const MlpConfig& config_;
  std::uint64_t seed_;
  sdrm::EpochRows rows_;
  optim::Adam adam_;
  ValueLayer::Update first_;
  sdrm::EpochCursor cursor_;
  Tensor factors_;  ///< [U, kAdamFactors]
  sdrm::PlacedLosses losses_;
  StepGraph graph_;
};

}  // namespace

MlpFit fit_mlp(MlpModel& model, const CsrMatrix& train, const CsrMatrix& valid, const MlpConfig& config, std::uint64_t seed,
               const FitListener& listener, sdrm::FitCheckpoint* checkpoint) {
  if (train.rows() == 0 || valid.rows() == 0) {
    fail(ErrorKind::kFit, "MLP: ", train.rows(), " rows to train on and ", valid.rows(),
         " to stop on, expected at least one of each");
  }
  check(config.batch > 0 && config.max_epochs > 0, "fit_mlp: batch ", config.batch, " and max_epochs ", config.max_epochs,
        " must be positive");
  MlpTraining training(model, train, config, seed);
  const RowBatches valid_tiles(valid, kTile, model.device());
  nn::Snapshot best(model);
  MlpFit fit;
  fit.best_rmse = std::numeric_limits<double>::infinity();
  std::int64_t without_improvement = 0;
  sdrm::FitState state(checkpoint);
  state.add("model", model);
  state.add("best", best);
  state.add("best_epoch", fit.best_epoch);
  state.add("best_rmse", fit.best_rmse);
  state.add("without_improvement", without_improvement);
  training.add_to(state);  // behind the model
  const auto goes_on = [&](std::int64_t /*epoch*/) { return without_improvement < std::max<std::int64_t>(1, config.patience); };
  const auto make = [&](std::int64_t epoch) {
    const double loss = training.train_epoch(epoch, [&](double share) {
      const double done = static_cast<double>(epoch) + share;
      if (listener) listener({.fraction = likely_fraction(done, fit.best_epoch, config), .epoch = epoch});
    });
    sdrm::check_converging("MLP", epoch, loss, config.learning_rate);
    const MlpEpoch report = {epoch, loss, mlp_rmse(model, valid_tiles)};
    if (report.rmse < fit.best_rmse - config.min_delta) {
      fit.best_rmse = report.rmse;
      fit.best_epoch = epoch;
      best.take();
      without_improvement = 0;
    } else {
      ++without_improvement;
    }
    return report;
  };
  const auto on_epoch = end_of_epochs<MlpEpoch>(listener, checkpoint, [&](const MlpEpoch& report) -> StageProgress {
    return {.fraction = likely_fraction(static_cast<double>(report.epoch + 1), fit.best_epoch, config),
            .epoch = report.epoch,
            .loss = report.loss,
            .metric = report.rmse,
            .metric_name = "RMSE"};
  });
  sdrm::train_epochs(state, fit.history, config.max_epochs, goes_on, make, on_epoch);
  if (!best.taken()) {
    fail(ErrorKind::kFit, "MLP: the validation error was ", fit.history.back().rmse, " in every one of ", fit.history.size(),
         " epochs, so that none is the best");
  }
  best.restore();
  sdrm::check_last_update("MLP", model, config.learning_rate);
  return fit;
}

MlpSplit mlp_split(std::int64_t rows, double share) {
  const auto train = static_cast<std::int64_t>(static_cast<double>(rows) * (1 - share));
  MlpSplit split;
  for (std::int64_t row = 0; row < rows; ++row)
    (row < train ? split.train : split.valid).push_back(static_cast<std::int32_t>(row));
  return split;
}

void MlpRecommender::fit(const FitData& data, const FitListener& listener, sdrm::FitCheckpoint* checkpoint) {
  const CsrMatrix rows = data.stacked_likes();
  std::int64_t table_rows = rows.rows();  // the table was declared before the evaluation users' inputs were added
  for (const Block which : data.order) {
    if (which == Block::kEvaluation) table_rows -= data.block(which).likes.rows();
  }
  nn::Initializer init(derive_seed(seed_, FitPart::kInit), DType::kFloat32, device_);
  auto model = std::make_unique<MlpModel>(rows.cols(), std::max<std::int64_t>(1, table_rows), config_, init);
  const auto fit_on = [&](const CsrMatrix& train, const CsrMatrix& valid) {
    return fit_mlp(*model, train, valid, config_, derive_seed(seed_, FitPart::kTraining), listener, checkpoint);
  };
  if (data.validation) {
    fit_ = fit_on(rows, data.block(*data.validation).likes);
  } else {
    const MlpSplit split = mlp_split(rows.rows(), config_.validation_share);
    fit_ = fit_on(rows.gather_rows(split.train), rows.gather_rows(split.valid));
  }
  model_ = std::move(model);
  inputs_ = data.block(Block::kEvaluation).likes;
}

Tensor MlpRecommender::score(std::int64_t begin, std::int64_t end) const {
  const CsrMatrix inputs = masked().slice_rows(begin, end);
  return model_->logits(inputs.to(device_)).value();
}

CsrMatrix MlpRecommender::masked() const {
  check(model_ != nullptr, "MlpRecommender: called before fit");
  return inputs_;
}

}  // namespace tapestry::recsys
