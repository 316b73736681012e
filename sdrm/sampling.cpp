#include "sdrm/sampling.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/step_graph.h"

namespace tapestry::sdrm {
namespace {

/// Rows that go through the network together. Every product in sampling has this many rows, the last tile padded, so that a
/// row's bits do not depend on which other rows are sampled (a BLAS may sum in another order for another size). On the CPU tiles
/// are what threads share. A GPU does one after the other, and a product of 128 rows by a few hundred columns is a dozen blocks
/// of threads, too few for it: with 1024 the users of a small data set are done in T steps instead of several times as many.
constexpr std::int64_t tile_size(Device device) { return device == Device::kCpu ? 128 : 1024; }

/// sigma_t: the size of the noise put back at step t.
double reverse_deviation(const NoiseSchedule& schedule, std::int64_t t, ReverseVariance variance) {
  const auto at = static_cast<std::size_t>(t);
  if (variance == ReverseVariance::kBeta) return std::sqrt(schedule.beta[at]);
  return std::sqrt(schedule.beta[at] * (1 - schedule.alpha_bar[at - 1]) / (1 - schedule.alpha_bar[at]));
}

/// eps_theta = latent * z_t + output * s_theta(z_t, t).
struct NoiseEstimate {
  double latent;
  double output;
};

/// How the noise is read from the output of a model trained on `objective`, where z_t = signal z_0 + sigma eps: kX0 gives z_0,
/// kDenoising the score -eps / sigma.
NoiseEstimate noise_estimate(const NoiseSchedule& schedule, std::int64_t t, Variant variant, const SamplingOptions& options) {
  const double sigma = schedule.noise(t, variant) * options.noise_scale;
  switch (options.objective) {
    case Objective::kX0:
      check(sigma > 0, "sample_latents: the noise scale ", options.noise_scale, " leaves nothing to tell eps from z_0 by");
      return {1 / sigma, -schedule.signal(t) / sigma};
    case Objective::kDenoising:
      return {0, -sigma};
    case Objective::kScore:
    case Objective::kEpsilon:
      break;
  }
  return {0, 1};
}

/// What Algorithm 2 does at step t, in numbers:
///     z <- (z - eps_theta(z, t) (1 - alpha_t) / sqrt(1 - abar_t)) / sqrt(alpha_t) + sigma_t s n
///        = of_latent z + of_output s_theta(z, t) + of_noise (deviation n),   of_noise = 1.
enum StepColumn : std::int64_t { kOfLatent, kOfOutput, kOfNoise, kDeviation, kStepColumns };

/// A row of them for every t = 0..T, the first one never read: [T + 1, kStepColumns].
Tensor step_table(const ScoreModel& model, const NoiseSchedule& schedule, const SamplingOptions& options) {
  const Tensor table = Tensor::zeros({schedule.timesteps + 1, kStepColumns}, DType::kFloat64);
  for (std::int64_t t = 1; t <= schedule.timesteps; ++t) {
    const auto at = static_cast<std::size_t>(t);
    const NoiseEstimate eps = noise_estimate(schedule, t, model.variant(), options);
    const double scale = 1 / std::sqrt(schedule.alpha[at]);
    const double remove = options.removes_noise ? (1 - schedule.alpha[at]) / std::sqrt(1 - schedule.alpha_bar[at]) * scale : 0;
    double* const row = table.data<double>() + kStepColumns * t;
    row[kOfLatent] = scale - remove * eps.latent;
    row[kOfOutput] = -remove * eps.output;
    row[kOfNoise] = 1;
    row[kDeviation] = reverse_deviation(schedule, t, options.variance) * options.noise_scale;
  }
  return table.to(model.dtype()).to(model.device());
}

/// The synthetic users as rows of tiles: those with like starts share one, so that a tile rarely computes rows that wait. What
/// the last tile lacks is filled up with its last row again.
class Tiles {
 public:
  /// starts [rows]: the step at which each synthetic user starts.
  Tiles(const std::vector<std::int32_t>& starts, Device device)
      : rows_(static_cast<std::int64_t>(starts.size())),
        device_(device),
        size_(tile_size(device)),
        count_((rows_ + size_ - 1) / size_),
        order_(starts.size()) {
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](std::int32_t a, std::int32_t b) {
      return starts[static_cast<std::size_t>(a)] > starts[static_cast<std::size_t>(b)];
    });
    const auto start = [&](std::int64_t place) { return starts[static_cast<std::size_t>(user_at(place))]; };
    for (std::int64_t tile = 0; tile < count_; ++tile) highest_.push_back(start(tile * size_));
    users_ = column([this](std::int64_t place) { return user_at(place); });
    starts_ = column(start);
    first_steps_ = column([this](std::int64_t place) { return highest_[static_cast<std::size_t>(place / size_)]; });
  }

  std::int64_t count() const { return count_; }
  /// Rows of a tile, and those of them that are not filling.
  std::int64_t size() const { return size_; }
  std::int64_t used(std::int64_t tile) const { return std::min(size_, rows_ - tile * size_); }
  /// The step at which a tile starts: the highest of its rows' starts.
  std::int64_t first_step(std::int64_t tile) const { return highest_[static_cast<std::size_t>(tile)]; }

  /// What belongs to one tile, of a tensor with a row for each row of all tiles.
  Tensor of_tile(const Tensor& all, std::int64_t tile) const { return all.slice_rows(tile * size_, (tile + 1) * size_); }
  /// int32 [count * size] on the device: the user behind each row, his start, and his tile's first step.
  const Tensor& users() const { return users_; }
  const Tensor& starts() const { return starts_; }
  const Tensor& first_steps() const { return first_steps_; }

  /// latents [count * size, K] in the order of users: [rows, K].
  Tensor by_user(const Tensor& latents) const {
    const Tensor place = Tensor::empty({rows_}, DType::kInt32);
    for (std::int64_t i = 0; i < rows_; ++i) place.data<std::int32_t>()[user_at(i)] = static_cast<std::int32_t>(i);
    return gather_rows(latents, place.to(device_));
  }

 private:
  std::int32_t user_at(std::int64_t place) const { return order_[static_cast<std::size_t>(std::min(place, rows_ - 1))]; }

  template <typename Value>
  Tensor column(const Value& value) const {
    const Tensor numbers = Tensor::empty({count_ * size_}, DType::kInt32);
    for (std::int64_t place = 0; place < count_ * size_; ++place) numbers.data<std::int32_t>()[place] = value(place);
    return numbers.to(device_);
  }

  std::int64_t rows_;
  Device device_;
  std::int64_t size_, count_;
  std::vector<std::int32_t> order_;    // [rows] users by falling start
  std::vector<std::int32_t> highest_;  // [count]
  Tensor users_, starts_, first_steps_;
};

/// Takes one tile of rows after the other from their starts down to t = 0. t itself is a number on the device, so that the work
/// of a step is the same for every t > 1: a GPU records it once and repeats it.
class TileSampler {
 public:
  TileSampler(const ScoreModel& model, const Tiles& tiles, const Tensor& steps, const Tensor& by_step,
              const SamplingOptions& options, std::uint64_t seed)
      : model_(model),
        tiles_(tiles),
        steps_(steps),
        by_step_(by_step),
        options_(options),
        seed_(seed),
        ids_(Tensor::empty({tiles.size()}, DType::kInt32, model.device())),
        starts_(Tensor::empty({tiles.size()}, DType::kInt32, model.device())),
        t_(Tensor::empty({tiles.size()}, DType::kInt32, model.device())),
        z_(Tensor::empty({tiles.size(), model.latent()}, model.dtype(), model.device())),
        graph_(model.device()) {}

  /// Writes the latents of a tile at t = 0 to `target` [B, K].
  void run(std::int64_t tile, const Tensor& target) {
    copy_into(ids_, tiles_.of_tile(tiles_.users(), tile));
    copy_into(starts_, tiles_.of_tile(tiles_.starts(), tile));
    copy_into(t_, tiles_.of_tile(tiles_.first_steps(), tile));
    copy_into(z_, random_normal(z_.shape(), {seed_, Purpose::kSampleStart, 0}, 0, 1, z_.dtype(), z_.device(), ids_));
    for (std::int64_t t = tiles_.first_step(tile); t > 1; --t) graph_.run(kEarlier, [&] { step(/*last=*/false); });
    graph_.run(kLast, [&] { step(/*last=*/true); });
    copy_into(target, z_);
  }

 private:
  /// Names of the two recordings: at t = 1 no noise is put back.
  enum : std::int64_t { kLast = 1, kEarlier = 2 };

  /// Algorithm 2's line (StepColumn) for step t, in the rows that have started, and t <- t - 1.
  void step(bool last) {
    const Tensor now = t_.slice_rows(0, 1);
    const auto stream = [this](Purpose purpose) { return RandomStream{seed_, purpose, 0, t_.data<std::int32_t>()}; };
    const Tensor seen = model_.drops_while_sampling() ? dropout(z_, options_.dropout, stream(Purpose::kSampleDropout), ids_) : z_;
    const Tensor output = model_.forward_dropped(seen, t_, by_step_).value();  // s_theta(z, t)
    const Tensor numbers = gather_rows(steps_, now).reshape({kStepColumns});
    Tensor next;
    if (last) {
      next = weighted_sum(numbers.slice_rows(kOfLatent, kOfNoise), {z_, output});
    } else {
      const Tensor n = random_normal(z_.shape(), stream(Purpose::kSampleNoise), 0, 1, z_.dtype(), z_.device(), ids_);
      const Tensor noise = binary(BinaryOp::kMultiply, n, numbers.slice_rows(kDeviation, kStepColumns));
      next = weighted_sum(numbers.slice_rows(kOfLatent, kDeviation), {z_, output, noise});
    }
    replace_rows(starts_, t_, next, z_);
    add_integer(t_, -1);
  }

  const ScoreModel& model_;
  const Tiles& tiles_;
  const Tensor& steps_;    ///< step_table
  const Tensor& by_step_;  ///< ScoreModel::step_rows
  const SamplingOptions& options_;
  std::uint64_t seed_;
  Tensor ids_;     ///< int32 [B], B the size of a tile
  Tensor starts_;  ///< int32 [B]
  Tensor t_;       ///< int32 [B], all the step that is to be done
  Tensor z_;       ///< [B, K]
  StepGraph graph_;
};

}  // namespace

std::vector<std::int32_t> multi_resolution_starts(std::int64_t rows, std::int64_t timesteps, Variant variant,
                                                  std::uint64_t seed) {
  const std::int64_t highest = variant == Variant::kPublished ? std::max<std::int64_t>(1, timesteps - 1) : timesteps;
  std::vector<std::int32_t> starts;
  for (std::int64_t row = 0; row < rows; ++row) {
    RandomSequence random({seed, Purpose::kSampleStep, static_cast<std::uint32_t>(row)});
    starts.push_back(1 + static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(highest))));
  }
  return starts;
}

SamplingOptions sampling_options(const ScoreConfig& config, Resolution resolution) {
  return {.resolution = resolution,
          .noise_scale = config.noise_scale,
          .dropout = config.dropout,
          .removes_noise = config.removes_noise,
          .objective = config.objective};
}

Tensor sample_latents(const ScoreModel& model, std::int64_t rows, const SamplingOptions& options, std::uint64_t seed,
                      const Progress& progress) {
  check(rows >= 0, "sample_latents: ", rows, " rows");
  const NoiseSchedule schedule(model.timesteps());
  const Tensor steps = step_table(model, schedule, options);
  // The weights stay as they are while rows are sampled: made here once, not for every tile at every step.
  const Tensor by_step = model.step_rows().value();
  const Tiles tiles(options.resolution == Resolution::kMulti
                        ? multi_resolution_starts(rows, model.timesteps(), model.variant(), seed)
                        : std::vector<std::int32_t>(static_cast<std::size_t>(rows), static_cast<std::int32_t>(model.timesteps())),
                    model.device());
  const Tensor finished = Tensor::empty({tiles.count() * tiles.size(), model.latent()}, model.dtype(), model.device());
  std::int64_t done = 0;
  std::mutex progress_mutex;
  const auto run_tile = [&](TileSampler& sampler, std::int64_t tile) {
    sampler.run(tile, tiles.of_tile(finished, tile));
    const std::lock_guard lock(progress_mutex);
    done += tiles.used(tile);
    if (progress) progress(done, rows);
  };
  if (model.device() == Device::kCpu) {
    parallel_for(tiles.count(), [&](std::int64_t tile) {
      TileSampler sampler(model, tiles, steps, by_step, options, seed);
      run_tile(sampler, tile);
    });
  } else {
    TileSampler sampler(model, tiles, steps, by_step, options, seed);
    for (std::int64_t tile = 0; tile < tiles.count(); ++tile) run_tile(sampler, tile);  // its parallelism is within the tile
  }
  return tiles.by_user(finished);
}

Tensor sample_prior(std::int64_t rows, std::int64_t latent, std::uint64_t seed, Device device) {
  return random_normal({rows, latent}, {seed, Purpose::kSampleLatent, 0}, 0, 1, DType::kFloat32, device);
}

}  // namespace tapestry::sdrm
