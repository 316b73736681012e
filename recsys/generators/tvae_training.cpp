#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/generators/tvae.h"
#include "sdrm/binarize.h"
#include "sdrm/shuffle.h"

namespace tapestry::recsys {
namespace {

constexpr std::int64_t kSampleBatch = 500;
/// The log-odds of a like where the table leaves no choice.
constexpr float kCertain = 1e30f;

/// Latents of rows [begin, end), each from its own row of the stream.
Tensor prior(const Tvae& model, std::int64_t begin, std::int64_t end, std::uint64_t seed, const Tensor& row_ids) {
  return random_normal({end - begin, model.latent()}, {seed, Purpose::kTableLatent, 0}, 0, 1, model.dtype(), Device::kCpu,
                       row_ids);
}

Tensor row_range(std::int64_t begin, std::int64_t end) {
  std::vector<std::int32_t> ids;
  for (std::int64_t row = begin; row < end; ++row) ids.push_back(static_cast<std::int32_t>(row));
  return Tensor::from<std::int32_t>(ids, {end - begin});
}

Tensor scores(const Tvae& model, TvaeDraw draw, std::int64_t begin, std::int64_t end, std::uint64_t seed) {
  const Tensor ids = row_range(begin, end);
  const Tensor logits = model.logits(prior(model, begin, end, seed, ids));  // [n, C]
  if (draw == TvaeDraw::kMode) return logits;
  if (draw == TvaeDraw::kTanh) return unary(UnaryOp::kTanh, logits);
  // argmax of logits + Gumbel noise is a draw from the softmax.
  const Tensor noise = random_gumbel(logits.shape(), {seed, Purpose::kTableGumbel, 0}, logits.dtype(), Device::kCpu, ids);
  return binary(BinaryOp::kAdd, logits, noise);
}

/// ln P(like) / (1 - P(like)) of every item, in the items' order [n, I].
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

}  // namespace

void fit_tvae(Tvae& model, const CsrMatrix& marks, const TvaeConfig& config, std::uint64_t seed,
              const std::function<void(const TvaeEpoch&)>& on_epoch) {
  check(marks.rows() > 0, "fit_tvae: no rows to train on");
  check(config.batch > 0, "fit_tvae: batch ", config.batch, " is not positive");
  optim::Adam adam(model.parameters(), {.l2 = config.l2});
  std::vector<std::int32_t> order;
  for (std::int64_t epoch = 0; epoch < config.epochs; ++epoch) {
    sdrm::shuffle_rows(marks.rows(), {seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)}, order);
    TvaeEpoch report = {epoch, 0, 0, 0};
    const auto updates = static_cast<double>((marks.rows() + config.batch - 1) / config.batch);
    for (std::int64_t begin = 0; begin < marks.rows(); begin += config.batch) {
      const std::int64_t end = std::min(marks.rows(), begin + config.batch);
      const CsrMatrix batch =
          marks.gather_rows(std::span(order).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
      const RandomStream stream = {seed, Purpose::kVaeLatent, static_cast<std::uint32_t>(adam.steps())};
      const Tensor noise = random_normal({end - begin, model.latent()}, stream, 0, 1, model.dtype());
      autograd::Tape tape;
      const TvaeLoss loss = tvae_loss(model, batch, noise, config.loss_factor);
      tape.backward(loss.total);
      adam.step(config.learning_rate);
      adam.clear_gradients();
      report.loss += loss.total.value().item() / updates;
      report.reconstruction += loss.reconstruction.value().item() / updates;
      report.kl += loss.kl.value().item() / updates;
    }
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
    return like_odds(model.logits(prior(model, begin, end, seed, row_range(begin, end))), table);
  };
  const sdrm::LogitMatrix odds = {rows, table.items(), tile};
  const std::vector<std::vector<std::int32_t>> none(static_cast<std::size_t>(rows));
  const CsrMatrix likes = sdrm::binarize_at_density(odds, density, progress).ones;
  return {likes, dislikes ? sdrm::lowest_at_density(odds, density, progress).ones : CsrMatrix::from_rows(table.items(), none)};
}

}  // namespace tapestry::recsys
