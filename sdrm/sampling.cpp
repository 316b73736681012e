#include "sdrm/sampling.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <numeric>
#include <vector>

#include "tensor/parallel.h"

namespace tapestry::sdrm {
namespace {

/// Rows that go through the network together. Every product in sampling has this many rows, the last tile padded, so that a
/// row's bits do not depend on which other rows are sampled (a BLAS may sum in another order for another size).
constexpr std::int64_t kTile = 128;

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

/// One tile of rows on their way from their starts down to t = 0.
class Tile {
 public:
  /// `rows`: synthetic users of this tile, their starts falling. Padding repeats the last row and is dropped at the end.
  Tile(const ScoreModel& model, const NoiseSchedule& schedule, const SamplingOptions& options, std::uint64_t seed,
       std::span<const std::int32_t> rows, const std::vector<std::int32_t>& starts)
      : model_(model), schedule_(schedule), options_(options), seed_(seed) {
    const Tensor ids = Tensor::empty({kTile}, DType::kInt32);
    for (std::int64_t i = 0; i < kTile; ++i) {
      const std::int32_t row =
          rows[static_cast<std::size_t>(std::min<std::int64_t>(i, static_cast<std::int64_t>(rows.size()) - 1))];
      ids.data<std::int32_t>()[i] = row;
      starts_.push_back(starts[static_cast<std::size_t>(row)]);
    }
    ids_ = ids.to(model.device());
    z_ = random_normal({kTile, model.latent()}, {seed, Purpose::kSampleStart, 0}, 0, 1, model.dtype(), model.device(), ids_);
  }

  /// Latents [kTile, K] at t = 0.
  const Tensor& run() {
    for (std::int64_t t = starts_.front(); t >= 1; --t) step(t);
    return z_;
  }

 private:
  /// z <- (z - eps_theta(z, t) (1 - alpha_t) / sqrt(1 - abar_t)) / sqrt(alpha_t) + sigma_t s n for the rows that have started.
  void step(std::int64_t t) {
    const auto at = static_cast<std::size_t>(t);
    const auto stream_step = static_cast<std::uint32_t>(t);
    const Tensor seen =
        model_.drops_while_sampling() ? dropout(z_, options_.dropout, {seed_, Purpose::kSampleDropout, stream_step}, ids_) : z_;
    const Tensor output = model_.forward_dropped(seen, fill_steps(static_cast<std::int32_t>(t))).value();
    const NoiseEstimate eps = noise_estimate(schedule_, t, model_.variant(), options_);
    const double scale = 1 / std::sqrt(schedule_.alpha[at]);
    const double remove = (1 - schedule_.alpha[at]) / std::sqrt(1 - schedule_.alpha_bar[at]) * scale;
    const double of_latent = scale - remove * eps.latent;
    const double of_output = -remove * eps.output;
    const auto active = static_cast<std::int64_t>(
        std::partition_point(starts_.begin(), starts_.end(), [t](std::int32_t start) { return start >= t; }) - starts_.begin());
    const Tensor z = z_.slice_rows(0, active);
    Tensor next;
    if (t > 1) {
      const double deviation = reverse_deviation(schedule_, t, options_.variance) * options_.noise_scale;
      const Tensor n = random_normal({active, model_.latent()}, {seed_, Purpose::kSampleNoise, stream_step}, 0, deviation,
                                     model_.dtype(), model_.device(), ids_.slice_rows(0, active));
      next = linear_combination({{of_latent, z}, {of_output, output.slice_rows(0, active)}, {1.0, n}});
    } else {
      next = linear_combination({{of_latent, z}, {of_output, output.slice_rows(0, active)}});
    }
    copy_bytes(z.raw_data(), z.device(), next.raw_data(), next.device(), static_cast<std::size_t>(next.bytes()));
  }

  Tensor fill_steps(std::int32_t t) const {
    const Tensor steps = Tensor::empty({kTile}, DType::kInt32);
    std::fill_n(steps.data<std::int32_t>(), kTile, t);
    return steps.to(model_.device());
  }

  const ScoreModel& model_;
  const NoiseSchedule& schedule_;
  const SamplingOptions& options_;
  std::uint64_t seed_;
  Tensor ids_;                        ///< int32 [kTile] synthetic user behind each row
  std::vector<std::int32_t> starts_;  ///< [kTile] falling
  Tensor z_;                          ///< [kTile, K]
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

Tensor sample_latents(const ScoreModel& model, std::int64_t rows, const SamplingOptions& options, std::uint64_t seed,
                      const Progress& progress) {
  check(rows >= 0, "sample_latents: ", rows, " rows");
  const NoiseSchedule schedule(model.timesteps());
  const std::vector<std::int32_t> starts =
      options.resolution == Resolution::kMulti
          ? multi_resolution_starts(rows, model.timesteps(), model.variant(), seed)
          : std::vector<std::int32_t>(static_cast<std::size_t>(rows), static_cast<std::int32_t>(model.timesteps()));
  // Rows with like starts share a tile, so that a tile rarely computes rows that wait.
  std::vector<std::int32_t> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return starts[static_cast<std::size_t>(a)] > starts[static_cast<std::size_t>(b)];
  });
  const std::int64_t tiles = (rows + kTile - 1) / kTile;
  const Tensor finished = Tensor::empty({tiles * kTile, model.latent()}, model.dtype(), model.device());
  std::int64_t done = 0;
  std::mutex progress_mutex;
  const auto run_tile = [&](std::int64_t tile_index) {
    const std::int64_t begin = tile_index * kTile;
    const std::int64_t count = std::min(kTile, rows - begin);
    const std::span<const std::int32_t> ids(order.data() + begin, static_cast<std::size_t>(count));
    Tile tile(model, schedule, options, seed, ids, starts);
    const Tensor& z = tile.run();
    const Tensor target = finished.slice_rows(begin, begin + kTile);
    copy_bytes(target.raw_data(), target.device(), z.raw_data(), z.device(), static_cast<std::size_t>(z.bytes()));
    const std::lock_guard lock(progress_mutex);
    done += count;
    if (progress) progress(done, rows);
  };
  if (model.device() == Device::kCpu) {
    parallel_for(tiles, run_tile);
  } else {
    for (std::int64_t tile = 0; tile < tiles; ++tile) run_tile(tile);  // a GPU's parallelism is within the tile
  }
  // Row order[i] has been finished at place i.
  const Tensor place = Tensor::empty({rows}, DType::kInt32);
  for (std::int64_t i = 0; i < rows; ++i) {
    place.data<std::int32_t>()[order[static_cast<std::size_t>(i)]] = static_cast<std::int32_t>(i);
  }
  return gather_rows(finished, place.to(model.device()));
}

Tensor sample_prior(std::int64_t rows, std::int64_t latent, std::uint64_t seed, Device device) {
  return random_normal({rows, latent}, {seed, Purpose::kSampleLatent, 0}, 0, 1, DType::kFloat32, device);
}

std::function<Tensor(std::int64_t begin, std::int64_t end)> decoded_rows(const MultiVae& model, Tensor latents) {
  return [&model, latents = std::move(latents)](std::int64_t begin, std::int64_t end) {
    return model.decode(latents.slice_rows(begin, end)).value();
  };
}

}  // namespace tapestry::sdrm
