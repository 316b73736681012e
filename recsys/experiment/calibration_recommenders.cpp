#include <algorithm>
#include <utility>
#include <vector>

#include "recsys/experiment/calibration.h"
#include "recsys/experiment/calibration_data.h"
#include "recsys/experiment/fit_data.h"
#include "recsys/experiment/selection.h"
#include "recsys/metrics/ranking.h"
#include "recsys/metrics/synthetic_summary.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

/// Users that are evaluated at most.
constexpr std::int64_t kEvaluated = 96;

/// Users that are compared with all others at most.
constexpr std::int64_t kCompared = 256;

/// Epochs of a recommender that is measured: what it reports is then the part of these three that is done.
constexpr std::int64_t kShortEpochs = 3;

Hyperparameters short_values(const RunJob& job) {
  Hyperparameters values = job.values;
  if (job.recommender == "mlp") {
    if (!values.mlp) values.mlp.emplace();
    values.mlp->max_epochs = values.mlp->patience = kShortEpochs;
  }
  if (job.recommender == "neumf") {
    if (!values.neumf) values.neumf.emplace();
    values.neumf->max_epochs = kShortEpochs;
    values.neumf->selection = NeuMfSelection::kBestLoss;
  }
  return values;
}

/// For NDCG over k as well.
bool measured_twice(const RunJob& job) {
  return job.protocol->name == ProtocolName::kPublished && learns_from_dislikes(job.recommender);
}

/// The seconds of an epoch and of what comes before it, by how far the fit was at which time.
StageRate rate_of_fit(double began, const std::vector<std::pair<double, double>>& events) {
  StageRate rate;
  if (events.size() < 2) return rate;
  const auto [last_time, last_done] = events.back();
  // The same place one epoch earlier, if it got that far: exactly one validation lies between.
  auto from = events.front();
  for (const auto& event : events) {
    if (event.second <= last_done - 1 + 1e-9) from = event;
  }
  if (last_done <= from.second) return rate;
  rate.epoch_seconds = (last_time - from.first) / (last_done - from.second);
  rate.seconds = std::max(0.0, events.front().first - began - events.front().second * rate.epoch_seconds);
  return rate;
}

/// Thrown by the listener when enough has been seen.
struct Enough {};

/// `before`: the pool's bytes before the data were there, which belong to the stage.
StageRate measure_fit(const RunJob& job, const FitData& data, std::int64_t before, const CalibrationOptions& options) {
  const auto recommender = make_recommender(job.recommender, short_values(job), job.seed, job.device);
  std::vector<std::pair<double, double>> events;  // time, epochs done
  std::int64_t peak = 0;
  const bool whole = is_deterministic(job.recommender);  // has no epochs
  const double began = options.now();
  double ended = began;
  try {
    recommender->fit(data, [&](const StageProgress& progress) {
      peak = std::max(peak, pool_bytes() - before);
      if (whole || progress.loss) return;  // what an epoch came to is told when its validation is over
      events.emplace_back(options.now(), progress.fraction * static_cast<double>(kShortEpochs));
      const bool long_enough = events.back().first - events.front().first >= 2 * options.enough && events.size() >= 6;
      if (events.back().second >= 2 || long_enough) throw Enough();
    });
    ended = options.now();
    peak = std::max(peak, pool_bytes() - before);
  } catch (const Enough&) {  // as planned
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kFit) throw;
  }
  StageRate rate = rate_of_fit(began, events);
  if (ended > began && rate.epoch_seconds <= 0) rate.seconds = ended - began;
  rate.peak_bytes = peak;
  return rate;
}

}  // namespace

StageRate measure_evaluation(const RunJob& job, const CalibrationOptions& options) {
  // One update on the evaluation users alone: how long scoring takes does not depend on what was learnt.
  Hyperparameters values = short_values(job);
  constexpr std::int64_t kAll = std::int64_t{1} << 20;
  if (values.mlp) values.mlp->max_epochs = 1, values.mlp->batch = kAll;
  if (values.neumf) values.neumf->max_epochs = 1, values.neumf->batch = kAll;
  pool_trim(Device::kCpu);
  const std::int64_t before = pool_bytes();
  FitData data = make_fit_data(*job.protocol, job.recommender, kOriginal, "augment", {});
  std::erase(data.order, Block::kReal);
  StageRate rate;
  try {
    const auto recommender = make_recommender(job.recommender, values, job.seed, job.device);
    recommender->fit(data, [](const StageProgress&) {});
    pool_trim(Device::kCpu);
    const CsrMatrix& heldout = heldout_for(*job.protocol, job.recommender);
    const std::int64_t users = std::min(heldout.rows(), kEvaluated);
    const double share = static_cast<double>(heldout.rows()) / static_cast<double>(users);
    const HeldOut some = {recommender->masked().slice_rows(0, users), heldout.slice_rows(0, users)};
    const auto score = [&](std::int64_t begin, std::int64_t end) { return recommender->score(begin, end); };
    const double began = options.now();
    ranking_metrics(score, some);
    rate.seconds = (options.now() - began) * share * (measured_twice(job) ? 2 : 1);
    rate.peak_bytes = pool_bytes() - before;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kFit) throw;
  }
  return rate;
}

StageRate measure_similarity(const RunJob& job, const CalibrationOptions& options) {
  const CsrMatrix& real = job.protocol->train;
  const std::int64_t rows = std::min(real.rows(), kCompared);
  std::vector<std::int32_t> chosen;
  for (std::int64_t i = 0; i < rows; ++i) chosen.push_back(static_cast<std::int32_t>(i * real.rows() / rows));
  const CsrMatrix some = real.gather_rows(chosen);
  static_cast<void>(real.transpose());  // is kept, and the first generator's alone
  pool_trim(Device::kCpu);
  const std::int64_t before = pool_bytes();
  StageRate rate;
  const double began = options.now();
  summarise_synthetic(some, real);
  rate.seconds =
      (options.now() - began) * static_cast<double>(real.rows()) / static_cast<double>(std::max<std::int64_t>(1, rows));
  rate.peak_bytes = pool_bytes() - before;
  return rate;
}

StageRate measure_recommender(const RunJob& job, const std::string& generator, const std::string& setting,
                              const StageRate& evaluation, const CalibrationOptions& options) {
  pool_trim(Device::kCpu);
  const std::int64_t before = pool_bytes();
  const Interactions synthetic =
      generator == kOriginal ? Interactions{} : stand_in(*job.protocol, learns_from_dislikes(job.recommender));
  const FitData data = make_fit_data(*job.protocol, job.recommender, generator, setting, synthetic);
  StageRate rate = measure_fit(job, data, before, options);
  // By this rule NeuMF is measured on the selection users after every epoch.
  const Hyperparameters values = for_unit(job.values, setting, generator);
  if (values.neumf && by_recall(values.neumf->selection)) {
    const auto chosen = static_cast<double>(job.protocol->selection_likes.likes.input.rows());
    const auto reported = static_cast<double>(job.protocol->evaluation_likes.likes.input.rows());
    rate.epoch_seconds += evaluation.seconds / (measured_twice(job) ? 2 : 1) * chosen / std::max(1.0, reported);
  }
  return rate;
}

}  // namespace tapestry::recsys
