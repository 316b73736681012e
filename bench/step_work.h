#pragma once

#include <cstdint>

#include "bench/record.h"
#include "sdrm/config.h"

namespace tapestry::bench {

// What a step needs at least. B rows, I items, H hidden, K latent, T timesteps. A product of x [B, n] with a weight [n, m] takes
// 2 B n m operations, its gradients by the weight and by x as many each; elementwise work is not counted. Of memory: a weight and
// its two Adam moments read and written once, what comes in read, what goes out written, and nothing in between.

/// One update of MultiVAE on a batch with `stored` entries, of which dropout keeps half in the sparse first layer.
Work vae_update_work(std::int64_t items, const sdrm::VaeConfig& config, std::int64_t stored, std::int64_t parameters);

/// One update of the score model as published: three passes of B rows. Neither z nor the embedding of t wants a gradient; the
/// embedding goes through its layers once for each t.
Work score_update_work(std::int64_t latent, const sdrm::ScoreConfig& config, std::int64_t parameters);

/// Reverse diffusion: `row_steps` passes of one row, from noise to `rows` latents. The embedding of t goes through its layers
/// once for each t.
Work sampling_work(std::int64_t latent, const sdrm::ScoreConfig& config, std::int64_t rows, std::int64_t row_steps,
                   std::int64_t parameters);

/// Scores (x V) V^T of U users with `stored` entries, V [I, rank] in float64.
Work svd_scores_work(std::int64_t users, std::int64_t items, std::int64_t rank, std::int64_t stored);

}  // namespace tapestry::bench
