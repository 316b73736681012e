#include "bench/benches.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <thread>
#include <tuple>

#include "bench/blas.h"
#include "recsys/recommenders/svd.h"
#include "sdrm/binarize.h"
#include "sdrm/sampling.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tensor/memory.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"

namespace tapestry::bench {

CsrMatrix random_rows(std::int64_t rows, std::int64_t cols, double density, std::uint64_t seed) {
  RandomSequence random({seed, Purpose::kTest, 0});
  std::vector<std::vector<std::int32_t>> lists(static_cast<std::size_t>(rows));
  for (std::vector<std::int32_t>& list : lists) {
    for (std::int32_t col = 0; col < cols; ++col) {
      // Popular items come first, as in real data: density falls with the item's rank.
      if (random.uniform() < 2 * density * (1 - static_cast<double>(col) / static_cast<double>(cols))) list.push_back(col);
    }
  }
  return CsrMatrix::from_rows(cols, lists);
}

namespace {

/// Billions of floating-point operations per second of a product of this size that takes `time`.
double rate(std::int64_t m, std::int64_t n, std::int64_t k, double time) { return 2e-9 * static_cast<double>(m * n * k) / time; }

/// Times a stage, our own product C = A B^T of one size and a BLAS's in turn, so that other load on the machine falls on all
/// alike, and prints medians. The share is of the faster product.
void compare_with_sgemm(const std::string& name, double flops, const std::function<void()>& work, std::int64_t m, std::int64_t n,
                        std::int64_t k) {
  const Tensor a = random_normal({m, k}, {1, Purpose::kTest, 1});
  const Tensor b = random_normal({n, k}, {1, Purpose::kTest, 2});
  const Tensor c = Tensor::empty({m, n});
  const auto by_blas = [&] { return blas_product(m, n, k, a.data<float>(), b.data<float>(), c.data<float>(), num_threads()); };
  const bool has_blas = by_blas();
  std::vector<double> steps;
  std::vector<double> ours;
  std::vector<double> theirs;
  work();
  for (int repeat = 0; repeat < 7; ++repeat) {
    for (int i = 0; i < 5; ++i) ours.push_back(rate(m, n, k, seconds([&] { matmul(a, b, false, true); })));
    for (int i = 0; i < 5 && has_blas; ++i) theirs.push_back(rate(m, n, k, seconds(by_blas)));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // a BLAS's threads may look out for work a while longer
    steps.push_back(1e-9 * flops / seconds(work));
  }
  const double step = median(steps);
  const double best = has_blas ? std::max(median(ours), median(theirs)) : median(ours);
  std::cout << "  " << std::left << std::setw(26) << name << std::right << std::fixed << std::setprecision(1) << std::setw(7)
            << step << " GFLOP/s: " << std::setprecision(0) << 100 * step / best << " % of sgemm [" << m << ", " << k << "] x ["
            << k << ", " << n << "], ours " << std::setprecision(1) << median(ours);
  if (has_blas) std::cout << ", " << blas_name() << " " << median(theirs);
  std::cout << "\n";
}

/// Weights of the score model at K, T, n (the tied blocks count once per application: each is a product).
double score_weights(double latent, double steps, double layers) {
  return steps * steps + (latent + steps) * latent + layers * latent * latent + latent * latent;
}

/// Six operations per weight, row and network pass: two for the output, two for the weight's gradient, two for the input's.
void score_step(const std::string& name, std::int64_t rows, std::int64_t latent, const sdrm::ScoreConfig& config) {
  nn::Initializer init(1);
  sdrm::ScoreModel model(latent, config, init);
  const Tensor z0 = random_normal({rows, latent}, {1, Purpose::kTest, 3});
  const double passes = config.variant == sdrm::Variant::kPublished ? 3 : 2;
  const double weights = score_weights(static_cast<double>(latent), static_cast<double>(config.timesteps),
                                       static_cast<double>(config.hidden_layers));
  const double flops = 6 * weights * passes * static_cast<double>(rows * config.epochs);
  const std::int64_t batch = std::min(config.batch, rows);
  compare_with_sgemm(
      name, flops, [&] { sdrm::fit_score_model(model, z0, config, 1); }, 3 * batch, latent, latent);
}

void vae_step(const std::string& name, std::int64_t rows, std::int64_t items, double density, sdrm::VaeConfig config) {
  nn::Initializer init(1);
  sdrm::MultiVae model(items, config, init);
  const CsrMatrix x = random_rows(rows, items, density, 4);
  config.max_epochs = 4;
  // Dense layers at six operations per weight and row; the sparse first layer at four per stored entry that dropout keeps.
  const auto h = static_cast<double>(config.hidden);
  const auto k = static_cast<double>(config.latent);
  const double flops = static_cast<double>(config.max_epochs) *
                       (6 * (2 * h * k + k * h + h * static_cast<double>(items)) * static_cast<double>(rows) +
                        4 * h * (1 - config.dropout) * static_cast<double>(x.nnz()));
  compare_with_sgemm(
      name, flops, [&] { sdrm::fit_vae(model, x, config, 1, [](const sdrm::MultiVae&, std::int64_t) { return 0.0; }); },
      std::min(config.batch, rows), items, config.hidden);
}

}  // namespace

void training_steps() {
  sdrm::ScoreConfig score;
  score.timesteps = 83;
  score.hidden_layers = 2;
  score.batch = 550;
  score.epochs = 4;
  score_step("SDRM step, ml-100k/SVD", 1100, 830, score);
  score.timesteps = 23;
  score.batch = 720;
  score_step("SDRM step, ml-1m/SVD", 6034, 150, score);
  vae_step("VAE step, ml-100k/SVD", 938, 1008, 0.0575, {.hidden = 930, .latent = 830, .batch = 780, .learning_rate = 6e-4});
  vae_step("VAE step, ml-1m/SVD", 1900, 3125, 0.03, {.hidden = 600, .latent = 150, .batch = 190, .learning_rate = 6e-3});
  vae_step("VAE step, ADM/SVD", 3800, 8582, 0.0012, {.hidden = 210, .latent = 160, .batch = 380, .learning_rate = 1e-3});
}

void elementwise_rates() {
  const std::int64_t n = 1 << 22;
  const Tensor x = random_normal({n / 256, 256}, {1, Purpose::kTest, 5});
  const auto report = [&](const std::string& name, const std::function<void()>& work) {
    std::vector<double> times;
    for (int repeat = 0; repeat < 15; ++repeat) times.push_back(seconds(work));
    std::cout << "  " << std::left << std::setw(24) << name << std::right << std::fixed << std::setprecision(2) << std::setw(8)
              << 1e9 * median(times) / static_cast<double>(n) << " ns per element\n";
  };
  report("copy", [&] { x.clone(); });
  report("exp", [&] { unary(UnaryOp::kExp, x); });
  report("tanh", [&] { unary(UnaryOp::kTanh, x); });
  report("log-softmax", [&] { log_softmax(x); });
  report("uniform numbers", [&] { random_uniform(x.shape(), {1, Purpose::kTest, 6}, 0, 1); });
  report("normal numbers", [&] { random_normal(x.shape(), {1, Purpose::kTest, 6}); });
  report("dropout", [&] { dropout(x, 0.5, {1, Purpose::kTest, 6}); });
  // The same through the C library, one element at a time.
  report("exp, C library", [&] {
    Tensor y = Tensor::empty(x.shape());
    for (std::int64_t i = 0; i < n; ++i) y.data<float>()[i] = std::exp(x.data<float>()[i]);
  });
}

void sampling_rates() {
  sdrm::ScoreConfig config;
  config.timesteps = 83;
  nn::Initializer init(1);
  const sdrm::ScoreModel model(830, config, init);
  const std::int64_t rows = 843;
  for (const auto resolution : {sdrm::Resolution::kFull, sdrm::Resolution::kMulti}) {
    const double time = seconds([&] { sdrm::sample_latents(model, rows, {.resolution = resolution}, 1); });
    std::cout << "  " << (resolution == sdrm::Resolution::kFull ? "F" : "M") << "-SDRM, " << rows
              << " rows, K 830, T 83: " << std::fixed << std::setprecision(2) << time << " s\n";
  }
  const Tensor latents = random_normal({9558, 160}, {1, Purpose::kTest, 7});
  nn::Initializer vae_init(2);
  const sdrm::MultiVae vae(8582, {.hidden = 210, .latent = 160}, vae_init);
  const double time = seconds([&] { sdrm::binarize_at_density({9558, 8582, sdrm::decoded_rows(vae, latents)}, 0.0013); });
  std::cout << "  decode and binarise 9,558 x 8,582: " << time << " s\n";
}

void svd_seconds() {
  for (const auto& [rows, cols, density] :
       {std::tuple<int, int, double>{20179, 8582, 0.0012}, {1781, 1008, 0.08}, {11463, 3125, 0.04}}) {
    const CsrMatrix x = random_rows(rows, cols, density, 8);
    recsys::SvdRecommender svd;
    const double time = seconds([&] { svd.fit(x); });
    std::cout << "  rank 20 of " << rows << " x " << cols << " with " << x.nnz() << " entries: " << std::fixed
              << std::setprecision(2) << time << " s\n";
  }
}

std::vector<Bench> all() {
  return {{"kernels", "the operations of training and sampling, one by one", kernels, true},
#ifdef TAPESTRY_BENCH_LIBRARIES
          {"libraries", "our CUDA kernels beside cuSPARSE's and CUB's", library_kernels, true},
#endif
          {"training", "steps per second as floating-point operations of their matrix products, against sgemm", training_steps},
          {"elementwise", "vectorised functions and random numbers", elementwise_rates},
          {"sampling", "reverse diffusion, decoding and binarisation", sampling_rates},
          {"svd", "truncated SVD of sparse matrices", svd_seconds},
          {"steps", "milliseconds of training steps, sampling and SVD (bench/pytorch has the same)", sdrm_steps, true},
          {"recommenders", "training steps and epochs of MLP and NeuMF, ranking (bench/pytorch has the same)",
           [] {
             recommender_steps();
             recommender_epochs();
           },
           true}};
}

}  // namespace tapestry::bench
