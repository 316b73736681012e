// Milliseconds of the steps that bench/pytorch/sdrm_steps.py times in PyTorch, at the same sizes.
#include <iomanip>
#include <iostream>

#include "bench/benches.h"
#include "recsys/metrics/ranking.h"
#include "recsys/recommenders/svd.h"
#include "sdrm/sampling.h"
#include "sdrm/score_training.h"
#include "sdrm/vae_training.h"

namespace tapestry::bench {
namespace {

constexpr int kWarm = 3;

void report(const std::string& what, const std::vector<double>& times) {
  std::cout << "  " << std::left << std::setw(34) << what << std::right << std::fixed << std::setprecision(3) << std::setw(10)
            << 1e3 * median(times) << " ms\n";
}

/// Seconds between the ends of epochs, the first ones left out. With as many rows as a batch has an epoch is one update.
class EpochClock {
 public:
  void tick() {
    const auto now = std::chrono::steady_clock::now();
    if (++ticks_ > kWarm) times_.push_back(std::chrono::duration<double>(now - last_).count());
    last_ = now;
  }
  const std::vector<double>& times() const { return times_; }

 private:
  std::chrono::steady_clock::time_point last_;
  std::vector<double> times_;
  int ticks_ = 0;
};

void vae_step(const std::string& name, std::int64_t items, double density, sdrm::VaeConfig config, std::int64_t steps) {
  nn::Initializer init(1);
  sdrm::MultiVae model(items, config, init);
  const CsrMatrix x = random_rows(config.batch, items, density, 4);
  config.max_epochs = config.patience = kWarm + steps;
  EpochClock clock;
  sdrm::fit_vae(
      model, x, config, 1, [](const sdrm::MultiVae&, std::int64_t) { return 0.0; }, [&](const sdrm::VaeEpoch&) { clock.tick(); });
  report("VAE step, " + name, clock.times());
}

void score_step(const std::string& name, std::int64_t latent, sdrm::ScoreConfig config, std::int64_t steps) {
  nn::Initializer init(1);
  sdrm::ScoreModel model(latent, config, init);
  const Tensor z0 = random_normal({config.batch, latent}, {1, Purpose::kTest, 3});
  config.epochs = kWarm + steps;
  EpochClock clock;
  sdrm::fit_score_model(model, z0, config, 1, [&](const sdrm::ScoreEpoch&) { clock.tick(); });
  report("SDRM step, " + name, clock.times());
}

std::vector<double> repeated(int count, const std::function<void()>& work) {
  std::vector<double> times;
  work();
  for (int i = 0; i < count; ++i) times.push_back(seconds(work));
  return times;
}

void sampling(const std::string& name, std::int64_t latent, const sdrm::ScoreConfig& config, std::int64_t rows) {
  nn::Initializer init(1);
  const sdrm::ScoreModel model(latent, config, init);
  for (const auto resolution : {sdrm::Resolution::kFull, sdrm::Resolution::kMulti}) {
    const char* kind = resolution == sdrm::Resolution::kFull ? "F-SDRM, " : "M-SDRM, ";
    const std::vector<double> times =
        repeated(3, [&] { sdrm::sample_latents(model, rows, {.resolution = resolution, .dropout = 0.5}, 1); });
    report(kind + std::to_string(rows) + " rows, " + name, times);
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
