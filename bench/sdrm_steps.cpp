// Milliseconds of the steps that bench/pytorch/sdrm_steps.py times in PyTorch, at the same sizes. On a GPU those of
// SDRM twice: repeated as CUDA graphs, and with every step called. Decoding and binarising are timed here alone.
#include <iomanip>
#include <iostream>
#include <limits>
#include <numeric>

#include "bench/benches.h"
#include "bench/graphs_switch.h"
#include "bench/record.h"
#include "bench/step_work.h"
#include "recsys/metrics/ranking.h"
#include "recsys/recommenders/svd.h"
#include "sdrm/binarize.h"
#include "sdrm/sampling.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tensor/cuda/cuda_memory.h"

namespace tapestry::bench {
namespace {

constexpr int kWarm = 3;

void report(const std::string& what, const std::vector<double>& times, const Work& work, std::int64_t parameters = 0,
            double first_loss = std::numeric_limits<double>::quiet_NaN()) {
  const double time = median(times);
  std::cout << "  " << std::left << std::setw(52) << what << std::right << std::fixed << std::setprecision(3) << std::setw(10)
            << 1e3 * time << " ms" << std::endl;
  record().add({.part = "steps",
                .name = what,
                .seconds = time,
                .times = static_cast<int>(times.size()),
                .work = work,
                .parameters = parameters,
                .first_loss = first_loss});
}

/// How the steps of a loop are done.
struct Way {
  const char* label;
  bool graphs;           ///< a GPU repeats them as CUDA graphs
  std::int64_t updates;  ///< of an epoch: one on the CPU; on a GPU as many as make what an epoch needs of the host small, and as
                         ///< pytorch/sdrm_steps.py makes before it waits
};

/// The ways on the bench's device, the usual one first: the environment says whether there are graphs.
std::vector<Way> ways() {
  if (record().device == Device::kCpu) return {{"", true, 1}};
  return {{"", true, 20}, {", every step called", false, 20}};
}
const char* graphs_of(const Way& way) { return way.graphs ? "on" : "off"; }

/// Thrown out of training once there are times enough.
struct Enough {};

/// Seconds of an update from the ends of epochs, the first ones left out, each waited for. As long as it lives there are graphs,
/// or none, as the way says; the benches that follow in this process have what they had.
class EpochClock {
 public:
  EpochClock(const Way& way, std::int64_t most)
      : graphs_(graphs_of(way)), updates_(way.updates), most_(static_cast<std::size_t>(most)) {}

  void tick() {
    cuda_synchronize();
    const auto now = std::chrono::steady_clock::now();
    if (++ticks_ > kWarm) {
      times_.push_back(std::chrono::duration<double>(now - last_).count() / static_cast<double>(updates_));
    }
    last_ = now;
    if (enough(times_, most_)) throw Enough();
  }
  /// Runs training that ticks.
  template <typename Training>
  void time(const Training& training) {
    try {
      training();
    } catch (const Enough&) {
    }
  }
  const std::vector<double>& times() const { return times_; }

 private:
  GraphsSwitch graphs_;
  std::int64_t updates_;
  std::size_t most_;
  std::chrono::steady_clock::time_point last_;
  std::vector<double> times_;
  int ticks_ = 0;
};

std::int64_t parameters_of(const nn::Module& module) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : module.state()) count += tensor.numel();
  return count;
}

/// Weights on the bench's device.
nn::Initializer initializer() { return nn::Initializer(1, DType::kFloat32, record().device); }

/// The loss of the first update: of an epoch that has no other, before any is timed.
double first_vae_loss(const sdrm::VaeConfig& config, std::int64_t items, double density) {
  sdrm::VaeConfig once = config;
  once.max_epochs = 1;
  nn::Initializer init = initializer();
  sdrm::MultiVae model(items, once, init);
  const CsrMatrix x = random_rows(once.batch, items, density, 4);
  return sdrm::fit_vae(model, x, once, 1, [](const sdrm::MultiVae&, std::int64_t) { return 0.0; }).history.front().loss;
}

double first_score_loss(const sdrm::ScoreConfig& config, std::int64_t latent) {
  sdrm::ScoreConfig once = config;
  once.epochs = 1;
  nn::Initializer init = initializer();
  sdrm::ScoreModel model(latent, once, init);
  const Tensor z0 = random_normal({once.batch, latent}, {1, Purpose::kTest, 3});
  return sdrm::fit_score_model(model, z0, once, 1).front().loss;
}

void vae_step(const std::string& name, std::int64_t items, double density, sdrm::VaeConfig config, std::int64_t steps) {
  config.max_epochs = config.patience = kWarm + steps;
  double first_loss = std::numeric_limits<double>::quiet_NaN();
  record().attempt("first loss of MultiVAE, " + name, [&] { first_loss = first_vae_loss(config, items, density); });
  for (const Way& way : ways()) {
    const std::string line = "VAE step, " + name + way.label;
    record().attempt(line, [&] {
      nn::Initializer init = initializer();
      sdrm::MultiVae model(items, config, init);
      const CsrMatrix x = random_rows(way.updates * config.batch, items, density, 4);
      EpochClock clock(way, steps);
      clock.time([&] {
        sdrm::fit_vae(
            model, x, config, 1, [](const sdrm::MultiVae&, std::int64_t) { return 0.0; },
            [&](const sdrm::VaeEpoch&) { clock.tick(); });
      });
      const std::int64_t parameters = parameters_of(model);
      report(line, clock.times(), vae_update_work(items, config, x.nnz() / way.updates, parameters), parameters, first_loss);
    });
  }
}

void score_step(const std::string& name, std::int64_t latent, sdrm::ScoreConfig config, std::int64_t steps) {
  config.epochs = kWarm + steps;
  double first_loss = std::numeric_limits<double>::quiet_NaN();
  record().attempt("first loss of SDRM, " + name, [&] { first_loss = first_score_loss(config, latent); });
  for (const Way& way : ways()) {
    const std::string line = "SDRM step, " + name + way.label;
    record().attempt(line, [&] {
      nn::Initializer init = initializer();
      sdrm::ScoreModel model(latent, config, init);
      const Tensor z0 = random_normal({way.updates * config.batch, latent}, {1, Purpose::kTest, 3});
      EpochClock clock(way, steps);
      clock.time([&] { sdrm::fit_score_model(model, z0, config, 1, [&](const sdrm::ScoreEpoch&) { clock.tick(); }); });
      const std::int64_t parameters = parameters_of(model);
      report(line, clock.times(), score_update_work(latent, config, parameters), parameters, first_loss);
    });
  }
}

/// Seconds of calls after a first one, each waited for.
std::vector<double> repeated(std::size_t most, const std::function<void()>& work) {
  const auto waited_for = [&] {
    work();
    cuda_synchronize();
  };
  std::vector<double> times;
  waited_for();
  while (!enough(times, most)) times.push_back(seconds(waited_for));
  return times;
}

void sampling(const std::string& name, std::int64_t latent, const sdrm::ScoreConfig& config, std::int64_t rows) {
  for (const Way& way : ways()) {
    for (const auto resolution : {sdrm::Resolution::kFull, sdrm::Resolution::kMulti}) {
      const bool full = resolution == sdrm::Resolution::kFull;
      const std::string line = concat(full ? "F" : "M", "-SDRM, ", rows, " rows, ", name, way.label);
      record().attempt(line, [&] {
        const GraphsSwitch graphs(graphs_of(way));
        nn::Initializer init = initializer();
        const sdrm::ScoreModel model(latent, config, init);
        const std::int64_t parameters = parameters_of(model);
        std::int64_t row_steps = rows * config.timesteps;
        if (!full) {
          const std::vector<std::int32_t> starts = sdrm::multi_resolution_starts(rows, config.timesteps, config.variant, 1);
          row_steps = std::accumulate(starts.begin(), starts.end(), std::int64_t{0});
        }
        const std::vector<double> times =
            repeated(5, [&] { sdrm::sample_latents(model, rows, {.resolution = resolution, .dropout = 0.5}, 1); });
        report(line, times, sampling_work(latent, config, rows, row_steps, parameters), parameters);
      });
    }
  }
}

/// What sampling ends with: latents of `rows` users to logits, tile by tile, and ones where these are largest.
void decode_and_binarise(const std::string& name, std::int64_t rows, std::int64_t items, const sdrm::VaeConfig& config,
                         double density) {
  const std::string line = concat("decode and binarise, ", rows, " rows, ", name);
  record().attempt(line, [&] {
    nn::Initializer init = initializer();
    const sdrm::MultiVae model(items, config, init);
    const Tensor latents = sdrm::sample_prior(rows, config.latent, 1, record().device);
    report(line, repeated(5, [&] { sdrm::binarize_at_density({rows, items, sdrm::decoded_rows(model, latents)}, density); }), {});
  });
}

void svd(const std::string& name, std::int64_t rows, std::int64_t items, double density, std::int64_t users) {
  record().attempt("SVD, " + name, [&] {
    const CsrMatrix x = random_rows(rows, items, density, 8);
    const recsys::HeldOut split = {random_rows(users, items, density, 9), random_rows(users, items, density / 4, 10)};
    recsys::SvdRecommender model(20, {.device = record().device});
    report("SVD fit and evaluation, " + name,
           repeated(5,
                    [&] {
                      model.fit(x);
                      recsys::ranking_metrics([&](const CsrMatrix& inputs) { return model.score(inputs); }, split);
                    }),
           {});
    report("SVD scores, " + name, repeated(9, [&] { model.score(split.input); }),
           svd_scores_work(users, items, model.decomposition().rank(), split.input.nnz()));
  });
}

/// Sizes of the published program for a data set with a recommender.
sdrm::ScoreConfig score_config(std::int64_t timesteps, std::int64_t hidden_layers, std::int64_t batch) {
  sdrm::ScoreConfig config;
  config.timesteps = timesteps;
  config.hidden_layers = hidden_layers;
  config.batch = batch;
  return config;
}

}  // namespace

void sdrm_steps() {
  vae_step("ml-100k/SVD", 1008, 0.0575, {.hidden = 930, .latent = 830, .batch = 780, .learning_rate = 6e-4}, 40);
  vae_step("ml-1m/SVD", 3125, 0.03, {.hidden = 600, .latent = 150, .batch = 190, .learning_rate = 6e-3}, 60);
  vae_step("ml-1m/NeuMF", 3125, 0.03, {.hidden = 430, .latent = 330, .batch = 540, .learning_rate = 9e-4}, 40);
  vae_step("ADM/SVD", 8582, 0.0012, {.hidden = 210, .latent = 160, .batch = 380, .learning_rate = 1e-3}, 60);
  score_step("ml-100k/SVD", 830, score_config(83, 2, 550), 40);
  score_step("ml-1m/SVD", 150, score_config(23, 2, 720), 100);
  score_step("ml-1m/NeuMF", 330, score_config(178, 1, 830), 40);
  sampling("ml-100k/SVD", 830, score_config(83, 2, 550), 843);
  decode_and_binarise("ADM/SVD", 9558, 8582, {.hidden = 210, .latent = 160}, 0.0013);
  svd("ml-100k", 1781, 1008, 0.08, 95);
  svd("ml-1m", 11463, 3125, 0.04, 605);
  svd("ADM", 20179, 8582, 0.0012, 1063);
}

}  // namespace tapestry::bench
