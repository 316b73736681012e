#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/data/row_batches.h"
#include "recsys/generators/tvae.h"
#include "sdrm/binarize.h"
#include "sdrm/loss_record.h"
#include "sdrm/shuffle.h"

namespace tapestry::recsys {
namespace {

constexpr std::int64_t kSampleBatch = 500;
/// The log-odds of a like where the table leaves no choice.
constexpr float kCertain = 1e30f;

/// Latents of rows [begin, end), each from its own row of the stream.
Tensor prior(const Tvae& model, std::int64_t begin, std::int64_t end, std::uint64_t seed, const Tensor& row_ids) {
  return random_normal({end - begin, model.latent()}, {seed, Purpose::kTableLatent, 0}, 0, 1, model.dtype(), model.device(),
                       row_ids);
}

Tensor row_range(std::int64_t begin, std::int64_t end, Device device) {
  std::vector<std::int32_t> ids;
  for (std::int64_t row = begin; row < end; ++row) ids.push_back(static_cast<std::int32_t>(row));
  return Tensor::from<std::int32_t>(ids, {end - begin}, device);
}

Tensor scores(const Tvae& model, TvaeDraw draw, std::int64_t begin, std::int64_t end, std::uint64_t seed) {
  const Tensor ids = row_range(begin, end, model.device());
  const Tensor logits = model.logits(prior(model, begin, end, seed, ids));  // [n, C]
  if (draw == TvaeDraw::kMode) return logits;
  if (draw == TvaeDraw::kTanh) return unary(UnaryOp::kTanh, logits);
  // argmax of logits + Gumbel noise is a draw from the softmax.
  const Tensor noise = random_gumbel(logits.shape(), {seed, Purpose::kTableGumbel, 0}, logits.dtype(), model.device(), ids);
  return binary(BinaryOp::kAdd, logits, noise);
}

/// ln P(like) / (1 - P(like)) of every item, in the items' order [n, I], from logits on the host.
Tensor like_odds(const Tensor& logits, const TableEncoding& table) {
  Tensor odds = Tensor::full({logits.rows(), table.items()}, -kCertain);
  for (std::int64_t column = 0; column < table.items(); ++column) {
    const std::int64_t like = table.category_of(column, 1);
    if (like < 0) continue;
    for (std::int64_t row = 0; row < logits.rows(); ++row) {
      const float* in = logits.data<float>() + row * logits.cols();
      double others = -std::numeric_limits<double>::infinity();
      for (std::int64_t k = 0; k < table.category_count(column); ++k) {
        const double logit = in[table.position(column, k)];
        if (k == like) continue;
        const double larger = std::max(others, logit);
        others = larger + std::log(std::exp(others - larger) + std::exp(logit - larger));
      }
      const double own = in[table.position(column, like)];
      odds.data<float>()[row * table.items() + table.item(column)] =
          table.category_count(column) == 1 ? kCertain : static_cast<float>(own - others);
    }
  }
  return odds;
}

/// The mean of an epoch's numbers, each divided before they are summed.
double mean_of(sdrm::LossRecord& record) {
  const std::vector<double> numbers = record.take();
  double mean = 0;
  for (const double number : numbers) mean += number / static_cast<double>(numbers.size());
  return mean;
}

}  // namespace

void fit_tvae(Tvae& model, const CsrMatrix& marks, const TvaeConfig& config, std::uint64_t seed,
              const std::function<void(const TvaeEpoch&)>& on_epoch) {
  check(marks.rows() > 0, "fit_tvae: no rows to train on");
  check(config.batch > 0, "fit_tvae: batch ", config.batch, " is not positive");
  optim::Adam adam(model.parameters(), {.l2 = config.l2});
  std::vector<std::int32_t> order;
  RowBatches batches(marks, config.batch, model.device());
  sdrm::LossRecord losses(batches.size(), model.dtype(), model.device());
  sdrm::LossRecord reconstructions(batches.size(), model.dtype(), model.device());
  sdrm::LossRecord kls(batches.size(), model.dtype(), model.device());
  for (std::int64_t epoch = 0; epoch < config.epochs; ++epoch) {
    sdrm::shuffle_rows(marks.rows(), {seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order);
    batches.reorder(order);
    for (std::int64_t i = 0; i < batches.size(); ++i) {
      const RandomStream stream = {seed, Purpose::kVaeLatent, static_cast<std::uint32_t>(adam.steps())};
      const Tensor noise = random_normal({batches[i].rows(), model.latent()}, stream, 0, 1, model.dtype(), model.device());
      autograd::Tape tape;
      const TvaeLoss loss = tvae_loss(model, batches[i], noise, config.loss_factor);
      tape.backward(loss.total);
      adam.step(config.learning_rate);
      adam.clear_gradients();
      losses.add(loss.total.value());
      reconstructions.add(loss.reconstruction.value());
      kls.add(loss.kl.value());
    }
    const TvaeEpoch report = {epoch, mean_of(losses), mean_of(reconstructions), mean_of(kls)};
    if (!std::isfinite(report.loss)) {
      fail(ErrorKind::kFit, "TVAE diverged in epoch ", epoch, ": its loss is ", report.loss, " (a lower learning rate than ",
           config.learning_rate, " may help)");
    }
    if (on_epoch) on_epoch(report);
  }
}

Interactions sample_tvae(const Tvae& model, const TableEncoding& table, std::int64_t rows, TvaeDraw draw, bool dislikes,
                         std::uint64_t seed, const sdrm::Progress& progress) {
  TableRows drawn(table);
  for (std::int64_t begin = 0; begin < rows; begin += kSampleBatch) {
    const std::int64_t end = std::min(rows, begin + kSampleBatch);
    drawn.append(scores(model, draw, begin, end, seed));
    if (progress) progress(end, rows);
  }
  return drawn.take(dislikes);
}

Interactions threshold_tvae(const Tvae& model, const TableEncoding& table, std::int64_t rows, double density, bool dislikes,
                            std::uint64_t seed, const sdrm::Progress& progress) {
  const auto tile = [&](std::int64_t begin, std::int64_t end) {
    const Tensor z = prior(model, begin, end, seed, row_range(begin, end, model.device()));
    return like_odds(model.logits(z).to(Device::kCpu), table);
  };
  const sdrm::LogitMatrix odds = {rows, table.items(), tile};
  const std::vector<std::vector<std::int32_t>> none(static_cast<std::size_t>(rows));
  const CsrMatrix likes = sdrm::binarize_at_density(odds, density, progress).ones;
  return {likes, dislikes ? sdrm::lowest_at_density(odds, density, progress).ones : CsrMatrix::from_rows(table.items(), none)};
}

}  // namespace tapestry::recsys
