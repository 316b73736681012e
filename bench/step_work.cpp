#include "bench/step_work.h"

namespace tapestry::bench {
namespace {

/// Bytes of Adam's state and the weights, float32, each read and written.
double update_bytes(std::int64_t parameters) { return 4.0 * 3 * 2 * static_cast<double>(parameters); }

}  // namespace

Work vae_update_work(std::int64_t items, const sdrm::VaeConfig& config, std::int64_t stored, std::int64_t parameters) {
  const auto b = static_cast<double>(config.batch);
  const auto i = static_cast<double>(items);
  const auto h = static_cast<double>(config.hidden);
  const auto k = static_cast<double>(config.latent);
  const auto nnz = static_cast<double>(stored);
  // x [B, I] sparse -> h [B, H] (no gradient by x) -> mu and log variance [B, 2 K]; z [B, K] -> [B, H] -> logits [B, I].
  const double sparse = 4 * (1 - config.dropout) * nnz * h;
  const double dense = 6 * b * (h * 2 * k + k * h + h * i);
  return {sparse + dense, update_bytes(parameters) + 4 * nnz};
}

Work score_update_work(std::int64_t latent, const sdrm::ScoreConfig& config, std::int64_t parameters) {
  constexpr double kPasses = 3;
  const auto b = kPasses * static_cast<double>(config.batch);
  const auto k = static_cast<double>(latent);
  const auto t = static_cast<double>(config.timesteps);
  const auto layers = static_cast<double>(config.hidden_layers);
  // z [B, K] -> [B, K]; hidden blocks and the output [B, K] -> [B, K]. What the first layer adds for a step, [T] -> [T] -> [K],
  // depends on the step alone: each of 0..T once is enough for all rows.
  const double flops = b * (4 * k * k + 6 * (layers + 1) * k * k) + (t + 1) * (4 * t * t + 6 * t * k);
  return {flops, update_bytes(parameters) + 4 * static_cast<double>(config.batch) * k};
}

Work sampling_work(std::int64_t latent, const sdrm::ScoreConfig& config, std::int64_t rows, std::int64_t row_steps,
                   std::int64_t parameters) {
  const auto k = static_cast<double>(latent);
  const auto t = static_cast<double>(config.timesteps);
  const double weights = k * k + static_cast<double>(config.hidden_layers + 1) * k * k;
  // What the first layer adds for a step, [T] -> [T] -> [K], depends on the step alone: each of 1..T once is enough for all rows.
  const double flops = 2 * weights * static_cast<double>(row_steps) + 2 * t * (t * t + t * k);
  return {flops, 4 * (static_cast<double>(parameters) + static_cast<double>(rows) * k)};
}

Work svd_scores_work(std::int64_t users, std::int64_t items, std::int64_t rank, std::int64_t stored) {
  const auto u = static_cast<double>(users);
  const auto i = static_cast<double>(items);
  const auto r = static_cast<double>(rank);
  const auto nnz = static_cast<double>(stored);
  return {2 * r * (nnz + u * i), 4 * u * i + 8 * r * i + 4 * nnz};
}

}  // namespace tapestry::bench
