#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "recsys/experiment/run_job.h"

/// Short measurements of what a job is going to do: real steps of the real models on the data's own shape, with the threads that
/// the calling thread has.
namespace tapestry::recsys {

/// What one stage takes.
struct StageRate {
  double seconds = 0;           ///< apart from its epochs
  double epoch_seconds = 0;     ///< of one epoch; 0: a stage without epochs
  std::int64_t peak_bytes = 0;  ///< of the host's tensors, while it runs
  std::int64_t kept_bytes = 0;  ///< of the host's tensors that stay when it is done

  double total(double epochs) const { return seconds + epochs * epoch_seconds; }
};

struct CalibrationOptions {
  double enough = 0.2;            ///< seconds that a measured epoch should last, where a whole one lasts as long
  std::function<double()> clock;  ///< seconds; default: wall time
  std::function<void()> poll;     ///< called whenever the clock is read, which is often; what it throws passes through

  double now() const;
};

/// Bytes that the host's pool of tensors holds: what has been in use at once since it was last trimmed, since freed blocks stay
/// in it.
std::int64_t pool_bytes();

/// The stages of fitting and sampling these generators (all of them, whatever is kept), by name. They are made together, so that
/// they share what they share. Each is trained for two or three epochs, on a GPU for two more, on so many users that an epoch is
/// long enough to be measured, from one batch on; two such measurements give the time that grows with the steps and the one that
/// does not (validation). So many users are drawn that drawing is long enough. Stages that did not come about, because a model
/// cannot be fitted, are absent.
std::map<std::string, StageRate> measure_generators(const RunJob& job, std::span<const std::string> names,
                                                    const CalibrationOptions& options);

/// Measuring the job's recommender on all evaluation users, from some of them.
StageRate measure_evaluation(const RunJob& job, const CalibrationOptions& options);

/// Fitting the job's recommender in this setting (or on the original data for kOriginal): SVD as a whole; of MLP and NeuMF so
/// much of an epoch on all rows as is long enough. In the place of synthetic users there are the real ones, with as many likes
/// and dislikes as a generator is asked for. `evaluation`: as measured, since NeuMF may be evaluated after every epoch.
StageRate measure_recommender(const RunJob& job, const std::string& generator, const std::string& setting,
                              const StageRate& evaluation, const CalibrationOptions& options);

/// Comparing the synthetic users of one generator with the real ones. In their place some real ones, evenly chosen, are compared
/// with all: they have as many likes, of as popular items.
StageRate measure_similarity(const RunJob& job, const CalibrationOptions& options);

/// y at `x` on the line through two measured points; in proportion to x when there is one. Never below what was measured at the
/// smaller x, and never less than in proportion to a step backwards: times do not fall.
double extrapolate(double x, double x1, double y1, double x2, double y2);

}  // namespace tapestry::recsys
