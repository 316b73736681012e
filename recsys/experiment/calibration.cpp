#include "recsys/experiment/calibration.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

#include "recsys/experiment/calibration_data.h"
#include "recsys/experiment/selection.h"
#include "recsys/generators/make_generators.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

/// An epoch without validation that lasts this many seconds is not measured a second time on more users.
constexpr double kLong = 0.6;

/// Takes the time of every stage and epoch.
class Stopwatch : public StageListener {
 public:
  struct Event {
    double time;
    bool validated;
  };
  struct Times {
    double began = 0, ended = 0;
    std::vector<Event> epochs;
    std::int64_t peak_bytes = 0, kept_bytes = 0;
  };

  explicit Stopwatch(std::function<double()> clock) : clock_(std::move(clock)) {
    pool_trim(Device::kCpu);
    before_ = pool_bytes();
  }

  void begin(const std::string& stage) override { stages_[stage].began = clock_(); }
  void advance(const std::string& stage, const StageProgress& progress) override {
    const double now = clock_();
    Times& times = stages_[stage];
    times.peak_bytes = std::max(times.peak_bytes, pool_bytes() - before_);
    if (progress.epoch) times.epochs.push_back({now, progress.metric.has_value()});
  }
  void end(const std::string& stage) override {
    Times& times = stages_[stage];
    times.ended = clock_();
    times.kept_bytes = pool_stats(Device::kCpu).bytes_in_use - before_;
    times.peak_bytes = std::max(times.peak_bytes, times.kept_bytes);
  }
  void warn(const std::string& /*message*/) override {}

  /// The stages that came to their end.
  std::map<std::string, Times> finished() const {
    std::map<std::string, Times> done;
    for (const auto& [stage, times] : stages_) {
      if (times.ended > 0) done.emplace(stage, times);
    }
    return done;
  }

 private:
  std::function<double()> clock_;
  std::int64_t before_ = 0;
  std::map<std::string, Times> stages_;
};

/// A stage's rate at the size it was measured at. The first epoch also makes the model and is not counted among the others; of
/// those, the shortest one counts. On a GPU the second one records the steps besides: what the first `starting` epochs take
/// beyond the shortest one is taken once a fit. Where only one in `every` epochs is validated, that one is the last.
StageRate rate_of(const Stopwatch::Times& times, std::int64_t every, std::size_t starting) {
  StageRate rate = {.peak_bytes = times.peak_bytes, .kept_bytes = times.kept_bytes};
  constexpr double kNone = std::numeric_limits<double>::infinity();
  double plain = kNone, validated = kNone;
  for (std::size_t i = 1; i < times.epochs.size(); ++i) {
    double& shortest = times.epochs[i].validated ? validated : plain;
    shortest = std::min(shortest, times.epochs[i].time - times.epochs[i - 1].time);
  }
  const double shorter = std::min(plain, validated);
  if (shorter == kNone) {
    rate.seconds = times.ended - times.began;
    return rate;
  }
  rate.epoch_seconds = shorter;
  if (plain < kNone && validated < kNone)
    rate.epoch_seconds = plain + std::max(0.0, validated - plain) / static_cast<double>(every);
  const std::size_t first = std::min(starting, times.epochs.size());
  const double before = times.epochs[first - 1].time - times.began - static_cast<double>(first) * shorter;
  const double behind = times.ended - times.epochs.back().time;
  rate.seconds = std::max(0.0, before) + std::max(0.0, behind);
  return rate;
}

/// The same settings with a few epochs, and nothing kept. On a GPU a step is called in the first epoch and recorded in the next
/// one: what a fit's epochs take is told by those behind it.
GeneratorSettings short_settings(const RunJob& job) {
  const int more = job.device == Device::kCuda ? 2 : 0;
  GeneratorSettings settings = {job.values.vae, job.values.score, job.baselines, job.seed, {}, {}, job.device};
  settings.vae.max_epochs = settings.score.epochs = settings.baselines.multivae.vae.max_epochs = 2 + more;
  settings.baselines.codigem.max_epochs = settings.baselines.ctgan.epochs = settings.baselines.tvae.epochs = 2 + more;
  settings.baselines.diffrec.max_epochs = 3 + more;  // only the last one is validated
  return settings;
}

/// Rows of one update of the stage's model.
std::int64_t batch_of(const GeneratorSettings& settings, const std::string& stage) {
  const BaselineSettings& baselines = settings.baselines;
  const std::map<std::string, std::int64_t> batches = {{"vae_fit", settings.vae.batch},
                                                       {"sdrm_fit", settings.score.batch},
                                                       {"multivae_fit", baselines.multivae.vae.batch},
                                                       {"codigem_fit", baselines.codigem.batch},
                                                       {"diffrec_fit", baselines.diffrec.batch},
                                                       {"ctgan_fit", baselines.ctgan.batch},
                                                       {"tvae_fit", baselines.tvae.batch}};
  if (stage.starts_with("sample_ctgan")) return std::max<std::int64_t>(1, baselines.ctgan.batch);
  const auto found = batches.find(stage);
  return found == batches.end() ? 1 : std::max<std::int64_t>(1, found->second);
}

/// What a stage's time grows with: updates an epoch; for sampling, rows or whole batches.
double work_of(const GeneratorSettings& settings, const std::string& stage, std::int64_t rows) {
  const std::int64_t batch = batch_of(settings, stage);
  if (stage == "ctgan_fit") return static_cast<double>(std::max<std::int64_t>(1, rows / batch));
  return std::ceil(static_cast<double>(rows) / static_cast<double>(batch));
}

using Rates = std::map<std::string, StageRate>;

/// Draws more and more users until that takes long enough, and gives the seconds for all `drawn`.
double measure_sampling(const Generator& generator, const GeneratorSettings& settings, const std::string& stage,
                        SampleRequest request, Stopwatch& watch, const CalibrationOptions& options) {
  constexpr std::int64_t kFirst = 64;
  const std::int64_t drawn = request.rows;
  double x1 = 0, y1 = 0;
  for (request.rows = std::min(drawn, kFirst);; request.rows = std::min(drawn, 4 * request.rows)) {
    const double began = options.now();
    generator.sample(request, watch);
    const double seconds = options.now() - began, x = work_of(settings, stage, request.rows);
    if (request.rows == drawn) return seconds;
    if (seconds > kLong || (x1 > 0 && seconds >= options.enough)) {
      return extrapolate(work_of(settings, stage, drawn), x1 > 0 ? x1 : x, x1 > 0 ? y1 : seconds, x, seconds);
    }
    x1 = x;
    y1 = seconds;
  }
}

/// Fits the generators on `rows` users and, if `drawn` is not 0, measures how long it takes to draw that many from each.
Rates measure_part(const RunJob& job, std::span<const std::string> names, std::int64_t rows, std::int64_t drawn,
                   const CalibrationOptions& options) {
  const bool table = std::any_of(names.begin(), names.end(), is_of_a_table);
  const ProtocolData part = part_of(*job.protocol, rows, table);
  const GeneratorSettings settings = short_settings(job);
  Stopwatch watch([&] { return options.now(); });
  std::map<std::string, double> sampling;
  try {
    for (const std::unique_ptr<Generator>& generator : make_generators(names, settings)) {
      generator->fit(part, watch);
      if (drawn == 0) continue;
      const std::string stage = generator->plan(part).back().name;
      sampling[stage] = measure_sampling(*generator, settings, stage,
                                         {drawn, part.density, learns_from_dislikes(job.recommender)}, watch, options);
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kFit) throw;  // the rest of what was asked for will fail as well
  }
  Rates rates;
  for (const auto& [stage, times] : watch.finished()) {
    rates[stage] = rate_of(times, stage == "diffrec_fit" ? settings.baselines.diffrec.evaluate_every : 1,
                           job.device == Device::kCuda ? 2 : 1);
    if (const auto found = sampling.find(stage); found != sampling.end()) rates[stage].seconds = found->second;
  }
  return rates;
}

double longest_epoch(const Rates& rates) {
  double seconds = 0;
  for (const auto& [stage, rate] : rates) seconds = std::max(seconds, rate.epoch_seconds);
  return seconds;
}

}  // namespace

double CalibrationOptions::now() const {
  if (poll) poll();
  if (clock) return clock();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::int64_t pool_bytes() {
  const PoolStats stats = pool_stats(Device::kCpu);
  return stats.bytes_in_use + stats.bytes_cached;
}

double extrapolate(double x, double x1, double y1, double x2, double y2) {
  if (x2 <= x1) return x1 > 0 ? y1 * x / x1 : y1;
  const double slope = std::max(0.0, (y2 - y1) / (x2 - x1));
  return std::max(0.0, y2 + slope * (x - x2));
}

std::map<std::string, StageRate> measure_generators(const RunJob& job, std::span<const std::string> names,
                                                    const CalibrationOptions& options) {
  const GeneratorSettings settings = short_settings(job);
  const std::int64_t all = job.protocol->generator.rows(), drawn = job.protocol->synthetic_rows;
  std::int64_t batch = 1;
  for (const PlannedStage& stage : planned_stages(make_generators(names, settings), *job.protocol)) {
    batch = std::max(batch, batch_of(settings, stage.name));
  }
  std::vector<std::pair<std::int64_t, Rates>> points;
  for (std::int64_t rows = 2 * batch >= all ? all : batch;;) {
    // Drawing does not depend on how many users were learnt from: once is enough.
    points.emplace_back(rows, measure_part(job, names, rows, points.empty() ? drawn : 0, options));
    const double seconds = longest_epoch(points.back().second);
    const bool single = seconds > kLong && is_of_a_table(names.front());  // validates nothing
    if (rows == all || single || (points.size() > 1 && seconds >= options.enough)) break;
    rows = std::min(all, (seconds > kLong ? 2 : 4) * rows);
  }
  const auto& [rows, rates] = points.back();
  const auto& [fewer_rows, fewer] = points[points.size() > 1 ? points.size() - 2 : 0];
  Rates whole = points.front().second;
  for (const auto& [stage, rate] : rates) {
    StageRate& result = whole[stage] = rate;
    const auto before = fewer.find(stage);
    if (rows == all || before == fewer.end()) continue;
    result.epoch_seconds = extrapolate(work_of(settings, stage, all), work_of(settings, stage, fewer_rows),
                                       before->second.epoch_seconds, work_of(settings, stage, rows), rate.epoch_seconds);
  }
  return whole;
}

}  // namespace tapestry::recsys
