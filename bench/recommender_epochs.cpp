// Seconds of whole epochs of MLP's and NeuMF's own training, which bench/pytorch/recommender_epochs.py times in PyTorch at the
// same sizes: shuffling, drawing triples, making batches, every update, and the validation behind them.
#include <iomanip>
#include <iostream>

#include "bench/benches.h"
#include "bench/record.h"
#include "recsys/recommenders/mlp.h"
#include "recsys/recommenders/neumf.h"

namespace tapestry::bench {
namespace {

/// Epochs that are timed of one model.
constexpr std::int64_t kEpochs = 3;
/// Epochs that a fit has for that. The first one only warms up, and what lies behind the last update of the last is not seen.
constexpr std::int64_t kFitted = kEpochs + 2;

/// Weights on the bench's device, and the fit with them.
nn::Initializer initializer() { return nn::Initializer(1, DType::kFloat32, record().device); }

/// Hears of a fit and takes the time from the first update of an epoch to the first of the next: of all that an epoch does, each
/// once, and of nothing that a fit does once.
class EpochClock {
 public:
  void hear(const recsys::StageProgress& progress) {
    if (progress.epoch < static_cast<std::int64_t>(begins_.size())) return;
    begins_.push_back(std::chrono::steady_clock::now());
  }
  std::vector<double> times() const {
    std::vector<double> found;
    for (std::size_t i = 2; i < begins_.size(); ++i)
      found.push_back(std::chrono::duration<double>(begins_[i] - begins_[i - 1]).count());
    return found;
  }

 private:
  std::vector<std::chrono::steady_clock::time_point> begins_;
};

void report(const std::string& name, const EpochClock& clock, std::int64_t parameters, std::int64_t updates, double first_loss) {
  const std::vector<double> times = clock.times();
  std::cout << "  " << std::left << std::setw(44) << name << std::right << std::fixed << std::setprecision(3) << std::setw(10)
            << 1e3 * median(times) << " ms" << std::endl;
  record().add({.part = "recommenders",
                .name = name,
                .seconds = median(times),
                .times = static_cast<int>(times.size()),
                .work = {},
                .parameters = parameters,
                .updates = updates,
                .first_loss = first_loss});
}

void mlp_epoch(const std::string& name, std::int64_t users, std::int64_t items, double density) {
  recsys::MlpConfig config;
  config.max_epochs = kFitted;
  config.patience = kFitted;  // the rows are noise, on which nothing improves for long
  nn::Initializer init = initializer();
  recsys::MlpModel model(items, users, config, init);
  const CsrMatrix rows = random_rows(users, items, density, 1);
  const recsys::MlpSplit split = recsys::mlp_split(users, config.validation_share);
  const CsrMatrix train = rows.gather_rows(split.train);
  EpochClock clock;
  const recsys::MlpFit fit = recsys::fit_mlp(model, train, rows.gather_rows(split.valid), config, 1,
                                             [&](const recsys::StageProgress& progress) { clock.hear(progress); });
  const std::int64_t updates = (train.rows() + config.batch - 1) / config.batch;
  report("MLP epoch, " + name, clock, model.parameter_count(), updates, fit.history.front().loss);
}

/// Likes and dislikes of users and items at random, as many as the data set has.
recsys::Triples random_triples(std::int64_t users, std::int64_t items, std::int64_t likes, std::int64_t dislikes) {
  RandomSequence random({1, Purpose::kTest, 0});
  recsys::Triples triples;
  for (std::int64_t i = 0; i < likes + dislikes; ++i) {
    const auto user = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(users)));
    const auto item = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(items)));
    triples.add(user, item, i < likes ? 1.0f : 0.0f);
  }
  return triples;
}

void neumf_epoch(const std::string& name, std::int64_t users, std::int64_t items, std::int64_t likes, std::int64_t dislikes) {
  recsys::NeuMfConfig config;
  config.max_epochs = kFitted;
  config.selection = recsys::NeuMfSelection::kBestLoss;  // ranking the selection users is a line of its own
  nn::Initializer init = initializer();
  recsys::NeuMfModel model(users, items, config, init);
  const recsys::Triples triples = random_triples(users, items, likes, dislikes);
  EpochClock clock;
  const recsys::NeuMfFit fit =
      recsys::fit_neumf(model, triples, config, 1, {}, [&](const recsys::StageProgress& progress) { clock.hear(progress); });
  const auto trained =
      static_cast<std::int64_t>(recsys::split_epoch(triples, config.validation_share, 1, 0).train.size());  // as the first epoch
  report("NeuMF epoch, " + name, clock, model.parameter_count(), (trained + config.batch - 1) / config.batch,
         fit.history.front().loss);
}

}  // namespace

void recommender_epochs() {
  mlp_epoch("amazon-luxury-beauty", 1344, 729, 0.013);
  mlp_epoch("ml-100k", 938, 1008, 0.0575);
  mlp_epoch("ml-1m", 6034, 3125, 0.03);
  neumf_epoch("ml-100k", 938, 1008, 54413, 40802);
  neumf_epoch("ml-1m", 6034, 3125, 574376, 419962);
}

}  // namespace tapestry::bench
