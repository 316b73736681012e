// Milliseconds of the steps that bench/pytorch/sdrm_steps.py times in PyTorch, at the same sizes. With a GPU, the steps
// of SDRM there too: every step called, and repeated as CUDA graphs.
#include <cstdlib>
#include <iomanip>
#include <iostream>

#include "bench/benches.h"
#include "recsys/metrics/ranking.h"
#include "recsys/recommenders/svd.h"
#include "sdrm/sampling.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"
#include "tensor/cuda/cuda_memory.h"

namespace tapestry::bench {
namespace {

constexpr int kWarm = 3;

void report(const std::string& what, const std::vector<double>& times) {
  std::cout << "  " << std::left << std::setw(48) << what << std::right << std::fixed << std::setprecision(3) << std::setw(10)
            << 1e3 * median(times) << " ms\n";
}

/// Where steps run, and whether a GPU repeats them as CUDA graphs or is asked for every one.
struct Place {
  Device device;
  const char* label;
  bool graphs;
  std::int64_t updates;  ///< of an epoch: one on the CPU; on a GPU as many as make what an epoch needs of the host small
};

std::vector<Place> places() {
  std::vector<Place> all = {{Device::kCpu, "", true, 1}};
  if (cuda_available()) {
    all.push_back({Device::kCuda, ", GPU, called", false, 20});
    all.push_back({Device::kCuda, ", GPU, graphs", true, 20});
  }
  return all;
}

/// Seconds of an update from the ends of epochs, the first ones left out.
class EpochClock {
 public:
  explicit EpochClock(const Place& place) : updates_(place.updates) {
    ::setenv("TAPESTRY_GRAPHS", place.graphs ? "on" : "off", 1);
  }
  void tick() {
    const auto now = std::chrono::steady_clock::now();
    if (++ticks_ > kWarm) {
      times_.push_back(std::chrono::duration<double>(now - last_).count() / static_cast<double>(updates_));
    }
    last_ = now;
  }
  const std::vector<double>& times() const { return times_; }

 private:
  std::int64_t updates_;
  std::chrono::steady_clock::time_point last_;
  std::vector<double> times_;
  int ticks_ = 0;
};

void vae_step(const std::string& name, std::int64_t items, double density, sdrm::VaeConfig config, std::int64_t steps) {
  config.max_epochs = config.patience = kWarm + steps;
  for (const Place& place : places()) {
    nn::Initializer init(1, DType::kFloat32, place.device);
    sdrm::MultiVae model(items, config, init);
    const CsrMatrix x = random_rows(place.updates * config.batch, items, density, 4);
    EpochClock clock(place);
    const auto validate = [](const sdrm::MultiVae&, std::int64_t) { return 0.0; };
    sdrm::fit_vae(model, x, config, 1, validate, [&](const sdrm::VaeEpoch&) { clock.tick(); });
    report("VAE step, " + name + place.label, clock.times());
  }
}

void score_step(const std::string& name, std::int64_t latent, sdrm::ScoreConfig config, std::int64_t steps) {
  config.epochs = kWarm + steps;
  for (const Place& place : places()) {
    nn::Initializer init(1, DType::kFloat32, place.device);
    sdrm::ScoreModel model(latent, config, init);
    const Tensor z0 = random_normal({place.updates * config.batch, latent}, {1, Purpose::kTest, 3});
    EpochClock clock(place);
    sdrm::fit_score_model(model, z0, config, 1, [&](const sdrm::ScoreEpoch&) { clock.tick(); });
    report("SDRM step, " + name + place.label, clock.times());
  }
}

std::vector<double> repeated(int count, const std::function<void()>& work) {
  std::vector<double> times;
  work();
  for (int i = 0; i < count; ++i) times.push_back(seconds(work));
  return times;
}

void sampling(const std::string& name, std::int64_t latent, const sdrm::ScoreConfig& config, std::int64_t rows) {
  for (const Place& place : places()) {
    nn::Initializer init(1, DType::kFloat32, place.device);
    const sdrm::ScoreModel model(latent, config, init);
    ::setenv("TAPESTRY_GRAPHS", place.graphs ? "on" : "off", 1);
    for (const auto resolution : {sdrm::Resolution::kFull, sdrm::Resolution::kMulti}) {
      const char* kind = resolution == sdrm::Resolution::kFull ? "F-SDRM, " : "M-SDRM, ";
      const std::vector<double> times = repeated(3, [&] {
        sdrm::sample_latents(model, rows, {.resolution = resolution, .dropout = 0.5}, 1);
        cuda_synchronize();
      });
      report(kind + std::to_string(rows) + " rows, " + name + place.label, times);
    }
  }
}

void svd(const std::string& name, std::int64_t rows, std::int64_t items, double density, std::int64_t users) {
  const CsrMatrix x = random_rows(rows, items, density, 8);
  const recsys::HeldOut split = {random_rows(users, items, density, 9), random_rows(users, items, density / 4, 10)};
  const std::vector<double> times = repeated(5, [&] {
    recsys::SvdRecommender model;
    model.fit(x);
    recsys::ranking_metrics([&](const CsrMatrix& inputs) { return model.score(inputs); }, split);
  });
  report("SVD fit and evaluation, " + name, times);
}

}  // namespace

void sdrm_steps() {
  vae_step("ml-100k/SVD", 1008, 0.0575, {.hidden = 930, .latent = 830, .batch = 780, .learning_rate = 6e-4}, 40);
  vae_step("ml-1m/SVD", 3125, 0.03, {.hidden = 600, .latent = 150, .batch = 190, .learning_rate = 6e-3}, 60);
  vae_step("ADM/SVD", 8582, 0.0012, {.hidden = 210, .latent = 160, .batch = 380, .learning_rate = 1e-3}, 60);
  sdrm::ScoreConfig score;
  score.hidden_layers = 2;
  score.timesteps = 83;
  score.batch = 550;
  score_step("ml-100k/SVD", 830, score, 40);
  sampling("ml-100k/SVD", 830, score, 843);
  score.timesteps = 23;
  score.batch = 720;
  score_step("ml-1m/SVD", 150, score, 100);
  svd("ml-100k", 1781, 1008, 0.08, 95);
  svd("ml-1m", 11463, 3125, 0.04, 605);
  svd("ADM", 20179, 8582, 0.0012, 1063);
}

}  // namespace tapestry::bench
