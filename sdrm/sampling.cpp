#include "sdrm/sampling.h"

#include <algorithm>
#include <atomic>
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

/// What a step t does, as a table with a row for every t = 0..T: [T + 1, 4] of
///     of_latent, of_output, 1, sigma_t s:  z <- of_latent z + of_output s_theta(z, t) + sigma_t s n,
/// which is z <- (z - eps_theta(z, t) (1 - alpha_t) / sqrt(1 - abar_t)) / sqrt(alpha_t) + sigma_t s n. Row 0 is never read.
Tensor reverse_steps(const ScoreModel& model, const NoiseSchedule& schedule, const SamplingOptions& options) {
  const Tensor table = Tensor::zeros({schedule.timesteps + 1, 4}, DType::kFloat64);
  for (std::int64_t t = 1; t <= schedule.timesteps; ++t) {
    const auto at = static_cast<std::size_t>(t);
    const NoiseEstimate eps = noise_estimate(schedule, t, model.variant(), options);
    const double scale = 1 / std::sqrt(schedule.alpha[at]);
    const double remove = options.removes_noise ? (1 - schedule.alpha[at]) / std::sqrt(1 - schedule.alpha_bar[at]) * scale : 0;
    double* const row = table.data<double>() + 4 * t;
    row[0] = scale - remove * eps.latent;
    row[1] = -remove * eps.output;
    row[2] = 1;
    row[3] = reverse_deviation(schedule, t, options.variance) * options.noise_scale;
  }
  return table.to(model.dtype()).to(model.device());
}

/// The rows of all tiles, on the device of the model: int32 [tiles * size] each, starts falling.
struct TileRows {
  std::int64_t size;  ///< of a tile
  Tensor ids;         ///< synthetic user behind each row
  Tensor starts;      ///< the step at which it starts
  Tensor first;       ///< the highest of its tile
};

/// Takes one tile of rows after the other from their starts down to t = 0. The step t lies on the device, a step of which is so
/// the same whatever t: on a GPU it is captured once.
class TileSampler {
 public:
  TileSampler(const ScoreModel& model, const TileRows& rows, const Tensor& reverse_steps, const SamplingOptions& options,
              std::uint64_t seed)
      : model_(model),
        rows_(rows),
        reverse_steps_(reverse_steps),
        options_(options),
        seed_(seed),
        ids_(Tensor::empty({rows.size}, DType::kInt32, model.device())),
        starts_(Tensor::empty({rows.size}, DType::kInt32, model.device())),
        t_(Tensor::empty({rows.size}, DType::kInt32, model.device())),
        z_(Tensor::empty({rows.size, model.latent()}, model.dtype(), model.device())),
        graph_(model.device()) {}

  /// Latents [B, K] of the tile with this number at t = 0, to `target`; `first` is the highest start in it.
  void run(std::int64_t tile, std::int64_t first, const Tensor& target) {
    const auto take = [this, tile](const Tensor& all, const Tensor& own) {
      copy(all.slice_rows(tile * rows_.size, (tile + 1) * rows_.size), own);
    };
    take(rows_.ids, ids_);
    take(rows_.starts, starts_);
    take(rows_.first, t_);
    copy(random_normal(z_.shape(), {seed_, Purpose::kSampleStart, 0}, 0, 1, z_.dtype(), z_.device(), ids_), z_);
    for (std::int64_t t = first; t >= 1; --t) {
      const bool last = t == 1;  // no noise is put back
      graph_.run(last ? 1 : 2, [&] { step(last); });
    }
    copy(z_, target);
  }

 private:
  static void copy(const Tensor& from, const Tensor& to) {
    copy_bytes(to.raw_data(), to.device(), from.raw_data(), from.device(), static_cast<std::size_t>(to.bytes()));
  }

  /// Step t for the rows that have started, and t <- t - 1.
  void step(bool last) {
    const Tensor now = t_.slice_rows(0, 1);
    const auto stream = [this](Purpose purpose) { return RandomStream{seed_, purpose, 0, t_.data<std::int32_t>()}; };
    const Tensor seen = model_.drops_while_sampling() ? dropout(z_, options_.dropout, stream(Purpose::kSampleDropout), ids_) : z_;
    const Tensor output = model_.forward_dropped(seen, t_).value();
    const Tensor numbers = gather_rows(reverse_steps_, now).reshape({4});
    Tensor next;
    if (last) {
      next = weighted_sum(numbers.slice_rows(0, 2), {z_, output});
    } else {
      const Tensor n = random_normal(z_.shape(), stream(Purpose::kSampleNoise), 0, 1, z_.dtype(), z_.device(), ids_);
      const Tensor noise = binary(BinaryOp::kMultiply, n, numbers.slice_rows(3, 4));
      next = weighted_sum(numbers.slice_rows(0, 3), {z_, output, noise});
    }
    replace_rows(starts_, t_, next, z_);
    add_integer(t_, -1);
  }

  const ScoreModel& model_;
  const TileRows& rows_;
  const Tensor& reverse_steps_;
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

namespace {

/// Rows `order` and their starts cut into tiles. Padding repeats the last row and is dropped at the end.
TileRows tile_rows(const std::vector<std::int32_t>& order, const std::vector<std::int32_t>& starts, std::int64_t tiles,
                   Device device) {
  const std::int64_t size = tile_size(device);
  const auto make = [&](const auto& value) {
    const Tensor numbers = Tensor::empty({tiles * size}, DType::kInt32);
    for (std::int64_t i = 0; i < tiles * size; ++i) numbers.data<std::int32_t>()[i] = value(static_cast<std::size_t>(i));
    return numbers.to(device);
  };
  const auto id = [&](std::size_t i) { return order[std::min(i, order.size() - 1)]; };
  const auto start = [&](std::size_t i) { return starts[static_cast<std::size_t>(id(i))]; };
  const auto first = [&](std::size_t i) { return start(i - i % static_cast<std::size_t>(size)); };
  return {size, make(id), make(start), make(first)};
}

}  // namespace

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
  const std::int64_t size = tile_size(model.device()), tiles = (rows + size - 1) / size;
  const TileRows all = tile_rows(order, starts, tiles, model.device());
  const Tensor steps = reverse_steps(model, schedule, options);
  const Tensor finished = Tensor::empty({tiles * size, model.latent()}, model.dtype(), model.device());
  std::int64_t done = 0;
  std::mutex progress_mutex;
  const auto run_tile = [&](TileSampler& sampler, std::int64_t tile) {
    const std::int64_t begin = tile * size;
    const std::int32_t first = starts[static_cast<std::size_t>(order[static_cast<std::size_t>(begin)])];
    sampler.run(tile, first, finished.slice_rows(begin, begin + size));
    const std::lock_guard lock(progress_mutex);
    done += std::min(size, rows - begin);
    if (progress) progress(done, rows);
  };
  if (model.device() == Device::kCpu) {
    parallel_for(tiles, [&](std::int64_t tile) {
      TileSampler sampler(model, all, steps, options, seed);
      run_tile(sampler, tile);
    });
  } else {
    TileSampler sampler(model, all, steps, options, seed);
    for (std::int64_t tile = 0; tile < tiles; ++tile) run_tile(sampler, tile);  // a GPU's parallelism is within the tile
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
