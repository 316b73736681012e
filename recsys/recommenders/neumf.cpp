#include "recsys/recommenders/neumf.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "nn/snapshot.h"
#include "recsys/metrics/ranking.h"
#include "sdrm/divergence.h"
#include "sdrm/early_stopping.h"
#include "sdrm/epoch_cursor.h"
#include "sdrm/loss_record.h"
#include "tensor/step_graph.h"

namespace tapestry::recsys {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Smaller is better, NaN never is.
double criterion(const NeuMfEpoch& epoch, NeuMfSelection selection) {
  switch (selection) {
    case NeuMfSelection::kFirstEpoch:
      return 0;
    case NeuMfSelection::kBestLoss:
      return epoch.validation_loss;
    case NeuMfSelection::kBestRecall:
    case NeuMfSelection::kBestRecallNoDislikes:
      break;
  }
  return -epoch.recall;
}

StageProgress end_of_epoch(const NeuMfEpoch& report, const NeuMfConfig& config, std::int64_t epochs) {
  StageProgress progress = {.fraction = static_cast<double>(report.epoch + 1) / static_cast<double>(epochs),
                            .epoch = report.epoch,
                            .loss = report.loss};
  const bool recall = by_recall(config.selection);
  const double judged = recall ? report.recall : report.validation_loss;
  if (!std::isnan(judged)) progress.metric = judged;
  progress.metric_name = recall ? "Recall@10" : "validation loss";
  return progress;
}

}  // namespace

double neumf_loss(const NeuMfModel& model, const TripleTensors& all) {
  constexpr std::int64_t kTile = 8192;
  sdrm::LossRecord tiles((all.size() + kTile - 1) / kTile, model.dtype(), model.device());
  for (std::int64_t begin = 0; begin < all.size(); begin += kTile) {
    const TripleTensors tile = all.slice(begin, std::min(all.size(), begin + kTile));
    tiles.add(sum(bce_with_logits(model.logits(tile.users, tile.items).value(), tile.labels)));
  }
  double total = 0;
  for (const double tile : tiles.take()) total += tile;
  return all.size() > 0 ? total / static_cast<double>(all.size()) : kNaN;
}

Tensor neumf_update(const NeuMfModel& model, optim::Adam& adam, const TripleTensors& batch, const Tensor& factors,
                    const NeuMfModel::Drop& drop) {
  const optim::GradientScope cleared(adam);
  autograd::Tape tape;
  const autograd::Variable loss = autograd::bce_with_logits(model.logits(batch.users, batch.items, drop), batch.labels);
  tape.backward(loss);
  adam.step_prepared(factors);
  return loss.value();
}

Tensor neumf_update(const NeuMfModel& model, optim::Adam& adam, const TripleTensors& batch, const NeuMfConfig& config,
                    const NeuMfModel::Drop& drop) {
  const Tensor loss = neumf_update(model, adam, batch, adam.prepare(1, config.learning_rate).to(model.device()), drop);
  adam.count(1);
  return loss;
}

namespace {

/// The updates of a NeuMF, one after the other.
class NeuMfTraining {
 public:
  NeuMfTraining(const NeuMfModel& model, const Triples& all, const NeuMfConfig& config, std::uint64_t seed)
      : model_(model),
        all_(all),
        config_(config),
        seed_(seed),
        // An epoch has as many triples as its split leaves ones and zeros, at most twice the triples.
        most_((2 * static_cast<std::int64_t>(all.size()) + config.batch - 1) / config.batch),
        adam_(model.parameters()),
        cursor_(model.device()),
        triples_(most_ * config.batch, model.dtype(), model.device()),
        factors_(Tensor::empty({most_, kAdamFactors}, model.dtype(), model.device())),
        losses_(most_, model.dtype(), model.device()),
        graph_(model.device()) {}

  void add_to(sdrm::FitState& state) { state.add("adam", adam_); }

  /// One epoch's updates on the triples at these positions; returns the mean loss. advance(share) is told now and then what share
  /// of them is done.
  template <typename Advance>
  double train_epoch(const std::vector<std::int32_t>& positions, const Advance& advance) {
    const auto count = static_cast<std::int64_t>(positions.size()), updates = (count + config_.batch - 1) / config_.batch;
    if (updates == 0) return kNaN;
    // What the epoch needs of the host, brought to the device in one go.
    triples_.bring(all_, positions);
    sdrm::bring(adam_.prepare(updates, config_.learning_rate).raw_data(), factors_.slice_rows(0, updates));
    cursor_.begin_epoch(adam_.steps());
    for (std::int64_t i = 0; i < updates; ++i) {
      const std::int64_t size = std::min(config_.batch, count - i * config_.batch);
      graph_.run(size, [&] { update(size); });
      if (i % 64 == 0) advance(static_cast<double>(i * config_.batch + size) / static_cast<double>(count));
    }
    adam_.count(updates);
    return losses_.take_mean(updates);
  }

 private:
  /// An update on the next `size` triples of the epoch. Everything it reads lies on the device, so that a graph can repeat it.
  void update(std::int64_t size) {
    const auto drop = [&](const autograd::Variable& h, int layer) {
      const RandomStream stream =
          cursor_.stream(derive_seed(seed_, static_cast<std::uint64_t>(layer)), Purpose::kRecommenderDropout);
      return autograd::dropout(h, config_.dropout, stream);
    };
    const TripleTensors batch = triples_.row(cursor_, config_.batch, size);
    losses_.add(neumf_update(model_, adam_, batch, cursor_.row(factors_), drop), cursor_.place());
    cursor_.advance();
  }

  const NeuMfModel& model_;
  const Triples& all_;
  const NeuMfConfig& config_;
  std::uint64_t seed_;
  std::int64_t most_;  ///< updates of any epoch
  optim::Adam adam_;
  sdrm::EpochCursor cursor_;
  TripleTensors triples_;  ///< of the epoch, with room for those of any
  Tensor factors_;         ///< [most, kAdamFactors]
  sdrm::PlacedLosses losses_;
  StepGraph graph_;
};

}  // namespace

NeuMfFit fit_neumf(NeuMfModel& model, const Triples& all, const NeuMfConfig& config, std::uint64_t seed,
                   const std::function<double(const NeuMfModel&)>& recall, const FitListener& listener,
                   sdrm::FitCheckpoint* checkpoint) {
  check(config.batch > 0 && config.max_epochs > 0, "fit_neumf: batch ", config.batch, " and max_epochs ", config.max_epochs,
        " must be positive");
  NeuMfTraining training(model, all, config, seed);
  NeuMfFit fit;
  nn::Snapshot best(model);
  double lowest = std::numeric_limits<double>::infinity();
  const std::int64_t epochs = config.selection == NeuMfSelection::kFirstEpoch ? 1 : config.max_epochs;
  sdrm::FitState state(checkpoint);
  state.add("model", model);
  state.add("best", best);
  state.add("lowest", lowest);
  state.add("kept_epoch", fit.kept_epoch);
  training.add_to(state);
  const auto make = [&](std::int64_t epoch) {
    const EpochTriples split = split_epoch(all, config.validation_share, seed, epoch);
    const double loss = training.train_epoch(split.train, [&](double share) {
      if (listener) listener({.fraction = (static_cast<double>(epoch) + share) / static_cast<double>(epochs), .epoch = epoch});
    });
    sdrm::check_converging("NeuMF", epoch, loss, config.learning_rate);
    const TripleTensors valid(all, split.valid, model.dtype(), model.device());
    const NeuMfEpoch report = {epoch, loss, neumf_loss(model, valid), by_recall(config.selection) ? recall(model) : kNaN};
    if (valid.size() > 0 && !std::isfinite(report.validation_loss)) {
      fail(ErrorKind::kFit, "NeuMF diverged in epoch ", epoch + 1, ": its validation loss is ", report.validation_loss,
           " (a lower learning rate than ", config.learning_rate, " may help)");
    }
    const double value = criterion(report, config.selection);
    if (sdrm::improves(-value, -lowest)) {
      lowest = value;
      fit.kept_epoch = epoch;
      best.take();
    }
    return report;
  };
  const auto on_epoch = end_of_epochs<NeuMfEpoch>(listener, checkpoint,
                                                  [&](const NeuMfEpoch& report) { return end_of_epoch(report, config, epochs); });
  sdrm::train_epochs(state, fit.history, epochs, sdrm::always, make, on_epoch);
  if (!best.taken()) {
    fail(ErrorKind::kFit, "NeuMF: what its epoch is chosen by was no number in any of ", fit.history.size(),
         " epochs (no user or triple to choose on?)");
  }
  best.restore();
  sdrm::check_last_update("NeuMF", model, config.learning_rate);
  return fit;
}

CsrMatrix neumf_masked(const FitData& data, Block which) {
  const CsrMatrix& likes = data.block(which).likes;
  std::vector<bool> occurs(static_cast<std::size_t>(likes.cols()), false);
  for (const Block one : data.order) {
    for (const CsrMatrix* entries : {&data.block(one).likes, &data.block(one).dislikes}) {
      for (const std::int32_t item : entries->columns().span<std::int32_t>()) occurs[static_cast<std::size_t>(item)] = true;
    }
  }
  std::vector<std::int32_t> absent;
  for (std::size_t item = 0; item < occurs.size(); ++item) {
    if (!occurs[item]) absent.push_back(static_cast<std::int32_t>(item));
  }
  std::vector<std::vector<std::int32_t>> rows(static_cast<std::size_t>(likes.rows()), absent);
  for (std::int64_t user = 0; user < likes.rows(); ++user) {
    std::vector<std::int32_t>& row = rows[static_cast<std::size_t>(user)];
    for (const CsrMatrix* entries : {&likes, &data.block(which).dislikes}) {
      row.insert(row.end(), entries->row(user).begin(), entries->row(user).end());
    }
  }
  return CsrMatrix::from_rows(likes.cols(), rows);
}

void NeuMfRecommender::fit(const FitData& given, const FitListener& listener, sdrm::FitCheckpoint* checkpoint) {
  FitData data = given;
  if (config_.selection == NeuMfSelection::kBestRecallNoDislikes) {
    data.block(Block::kEvaluation).dislikes = no_entries(data.block(Block::kEvaluation).likes);
  }
  const Triples triples = fit_triples(data);
  std::int64_t users = 0;
  for (const Block which : data.order) users += data.block(which).likes.rows();
  const std::int64_t chooser = data.first_row(data.selection), reported = data.first_row(Block::kEvaluation);
  const HeldOut selection = {neumf_masked(data, data.selection), data.selection_heldout};
  nn::Initializer init(derive_seed(seed_, FitPart::kInit), DType::kFloat32, device_);
  auto model = std::make_unique<NeuMfModel>(users, data.block(Block::kEvaluation).likes.cols(), config_, init);
  const auto recall = [&](const NeuMfModel& fitted) {
    const auto score = [&](std::int64_t begin, std::int64_t end) { return fitted.all_items(chooser + begin, chooser + end); };
    return mean_recall_at(10, score, selection);
  };
  fit_ = fit_neumf(*model, triples, config_, derive_seed(seed_, FitPart::kTraining), recall, listener, checkpoint);
  model_ = std::move(model);
  first_user_ = reported;
  masked_ = neumf_masked(data, Block::kEvaluation);
}

Tensor NeuMfRecommender::score(std::int64_t begin, std::int64_t end) const {
  check(model_ != nullptr, "NeuMfRecommender: called before fit");
  return model_->all_items(first_user_ + begin, first_user_ + end);
}

CsrMatrix NeuMfRecommender::masked() const {
  check(model_ != nullptr, "NeuMfRecommender: called before fit");
  return masked_;
}

}  // namespace tapestry::recsys
