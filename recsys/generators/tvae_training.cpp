#include <algorithm>
#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/generators/cut.h"
#include "recsys/generators/sample_tiles.h"
#include "recsys/generators/tvae.h"
#include "sdrm/divergence.h"
#include "sdrm/epoch_rows.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"
#include "tensor/step_graph.h"

namespace tapestry::recsys {
namespace {

constexpr std::int64_t kSampleBatch = 500;

/// Latents of the rows with these numbers, int32 [n], each from its own row of the stream.
Tensor prior(const Tvae& model, std::uint64_t seed, const Tensor& ids) {
  return random_normal({ids.numel(), model.latent()}, {seed, Purpose::kTableLatent, 0}, 0, 1, model.dtype(), model.device(), ids);
}

Tensor scores(const Tvae& model, TvaeDraw draw, std::uint64_t seed, const Tensor& ids) {
  const Tensor logits = model.logits(prior(model, seed, ids));  // [n, C]
  if (draw == TvaeDraw::kMode) return logits;
  if (draw == TvaeDraw::kTanh) return unary(UnaryOp::kTanh, logits);
  // argmax of logits + Gumbel noise is a draw from the softmax.
  const Tensor noise = random_gumbel(logits.shape(), {seed, Purpose::kTableGumbel, 0}, logits.dtype(), model.device(), ids);
  return binary(BinaryOp::kAdd, logits, noise);
}

/// The updates of a TVAE, one after the other.
class TvaeTraining {
 public:
  TvaeTraining(const Tvae& model, const CsrMatrix& marks, const TvaeConfig& config, std::uint64_t seed)
      : model_(model),
        config_(config),
        seed_(seed),
        rows_(marks, config.batch, model.device()),
        adam_(model.parameters(), {.l2 = config.l2}),
        cursor_(model.device()),
        factors_(Tensor::empty({rows_.updates(), kAdamFactors}, model.dtype(), model.device())),
        losses_(rows_.updates(), model.dtype(), model.device(), 3),
        graph_(model.device()) {}

  void add_to(sdrm::FitState& state) { state.add("adam", adam_); }

  /// One epoch's updates; returns the means of their losses.
  TvaeEpoch train_epoch(std::int64_t epoch) {
    // What the epoch needs of the host, brought to the device in one go.
    sdrm::shuffle_rows(rows_.rows(), {seed_, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order_);
    rows_.reorder(order_);
    sdrm::bring(adam_.prepare(rows_.updates(), config_.learning_rate).raw_data(), factors_);
    cursor_.begin_epoch(adam_.steps());
    for (std::int64_t i = 0; i < rows_.updates(); ++i) graph_.run(rows_.count(i), [&] { update(rows_.count(i)); });
    adam_.count(rows_.updates());
    const std::vector<double> numbers = losses_.take();
    TvaeEpoch report = {epoch, 0, 0, 0};
    for (std::size_t i = 0; i < numbers.size(); i += 3) {  // each divided before they are summed
      const auto updates = static_cast<double>(rows_.updates());
      report.loss += numbers[i] / updates;
      report.reconstruction += numbers[i + 1] / updates;
      report.kl += numbers[i + 2] / updates;
    }
    return report;
  }

 private:
  /// An update on the next `count` rows of the epoch. Everything it reads lies on the device, so that a graph can repeat it.
  void update(std::int64_t count) {
    const optim::GradientScope cleared(adam_);
    const Tensor noise = random_normal({count, model_.latent()}, cursor_.stream(seed_, Purpose::kVaeLatent), 0, 1, model_.dtype(),
                                       model_.device());
    autograd::Tape tape;
    const TvaeLoss loss = tvae_loss(model_, rows_.batch(cursor_, count), noise, config_.loss_factor);
    tape.backward(loss.total);
    adam_.step_prepared(cursor_.row(factors_));
    losses_.add({loss.total.value(), loss.reconstruction.value(), loss.kl.value()}, cursor_.place());
    cursor_.advance();
  }

  const Tvae& model_;
  const TvaeConfig& config_;
  std::uint64_t seed_;
  sdrm::EpochRows rows_;
  optim::Adam adam_;
  sdrm::EpochCursor cursor_;
  Tensor factors_;             ///< [U, kAdamFactors]
  sdrm::PlacedLosses losses_;  ///< three of each update
  std::vector<std::int32_t> order_;
  StepGraph graph_;
};

}  // namespace

void fit_tvae(Tvae& model, const CsrMatrix& marks, const TvaeConfig& config, std::uint64_t seed,
              const std::function<void(const TvaeEpoch&)>& on_epoch, sdrm::FitCheckpoint* checkpoint) {
  check(marks.rows() > 0, "fit_tvae: no rows to train on");
  check(config.batch > 0 && config.epochs > 0, "fit_tvae: batch ", config.batch, " and epochs ", config.epochs,
        " must be positive");
  TvaeTraining training(model, marks, config, seed);
  std::vector<TvaeEpoch> history;
  sdrm::FitState state(checkpoint);
  state.add("model", model);
  training.add_to(state);
  const auto make = [&](std::int64_t epoch) {
    const TvaeEpoch report = training.train_epoch(epoch);
    sdrm::check_converging("TVAE", epoch, report.loss, config.learning_rate);
    return report;
  };
  sdrm::train_epochs(state, history, config.epochs, sdrm::always, make, on_epoch);
  sdrm::check_last_update("TVAE", model, config.learning_rate);
}

Interactions sample_tvae(const Tvae& model, const TableEncoding& table, std::int64_t rows, TvaeDraw draw, bool dislikes,
                         std::uint64_t seed, const sdrm::Progress& progress) {
  DrawnUsers drawn(table, rows, model.device());
  const Tensor of_tile = Tensor::empty({std::min(kSampleBatch, rows), table.items()}, model.dtype(), model.device());
  const auto choose = [&](const Tensor& ids) { return drawn.values(scores(model, draw, seed, ids)); };
  for_sampled_tiles(rows, of_tile, choose, [&](std::int64_t end, const Tensor& tile) {
    drawn.add(tile);
    if (progress) progress(end, rows);
  });
  return drawn.take(dislikes);
}

Interactions threshold_tvae(const Tvae& model, const TableEncoding& table, const SampleRequest& request, std::uint64_t seed,
                            const std::function<void(double)>& progress) {
  const CategoryTable meaning = table.meaning(model.device());
  const auto tile = [&](std::int64_t begin, std::int64_t end) {
    const Tensor z = prior(model, seed, row_numbers(begin, end, model.device()));
    return category_odds(table.planes(), model.logits(z), meaning, 1);
  };
  return cut_at_density({request.rows, table.items(), tile}, request, progress);
}

}  // namespace tapestry::recsys
