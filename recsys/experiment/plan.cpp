#include "recsys/experiment/plan.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <queue>

#include "recsys/data/joined.h"
#include "recsys/experiment/experiment_jobs.h"
#include "recsys/experiment/pricing.h"
#include "recsys/report/text.h"
#include "tensor/parallel.h"

namespace tapestry::recsys {
namespace {

double wall_time() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// What this process holds now: the data and the program itself.
std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

/// "12 MiB"; "0.3 MiB" below ten.
std::string mebibytes(std::int64_t bytes) {
  const double size = static_cast<double>(bytes) / (1 << 20);
  return fixed(size, size < 9.95 ? 1 : 0) + " MiB";
}

/// Of this thread.
double processor_time() {
  timespec time = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Threads as each of several jobs side by side has them, for as long as the object lives.
class JobThreads {
 public:
  explicit JobThreads(int threads) : before_(num_threads()) { set_num_threads(threads); }
  ~JobThreads() { set_num_threads(before_); }
  JobThreads(const JobThreads&) = delete;
  JobThreads& operator=(const JobThreads&) = delete;

 private:
  int before_;
};

/// How many of the jobs are done side by side by so many workers; 1 where there is nothing to do.
int side_by_side(int workers, std::size_t jobs) { return std::clamp(workers, 1, std::max(1, static_cast<int>(jobs))); }

/// In the order of the jobs; settings and generators in theirs.
std::vector<PlannedUnits> grouped_units(std::span<const RunJob> jobs) {
  std::vector<PlannedUnits> single;  // of one generator each
  for (const RunJob& job : jobs) {
    for (const UnitKey& key : job.missing) {
      auto found = std::find_if(single.begin(), single.end(), [&](const PlannedUnits& one) {
        return one.dataset == key.dataset && one.recommender == key.recommender && one.setting == key.setting &&
               one.generators.front() == key.generator;
      });
      if (found == single.end()) {
        found = single.insert(found, {key.dataset, key.recommender, key.setting, {}, {key.generator}});
      }
      found->runs.push_back(key.run);
    }
  }
  std::vector<PlannedUnits> grouped;
  for (const PlannedUnits& one : single) {
    const auto alike = std::find_if(grouped.begin(), grouped.end(), [&](const PlannedUnits& other) {
      return one.dataset == other.dataset && one.recommender == other.recommender && one.setting == other.setting &&
             one.runs == other.runs;
    });
    if (alike == grouped.end()) {
      grouped.push_back(one);
    } else {
      alike->generators.push_back(one.generators.front());
    }
  }
  return grouped;
}

}  // namespace

std::string duration_text(double seconds) {
  if (seconds < 120) return fixed(seconds, seconds < 9.95 ? 1 : 0) + " s";
  if (seconds < 7200) return fixed(seconds / 60, 0) + " min";
  return fixed(seconds / 3600, 1) + " h";
}

double makespan(std::span<const double> seconds, int workers) {
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
  for (int worker = 0; worker < std::max(1, workers); ++worker) free_at.push(0);
  double end = 0;
  for (const double piece : seconds) {
    const double done = free_at.top() + piece;
    free_at.pop();
    free_at.push(done);
    end = std::max(end, done);
  }
  return end;
}

WorkPlan add_up(std::span<const PricedCall> calls, int workers, int threads) {
  WorkPlan plan;
  std::map<int, std::int64_t> job_bytes;
  double sum = 0;
  for (const PricedCall& priced : calls) {
    const StageCall& call = priced.call;
    auto row = std::find_if(plan.rows.begin(), plan.rows.end(), [&](const PlannedRow& one) {
      return one.dataset == call.dataset && one.recommender == call.recommender && one.stage == call.stage;
    });
    if (row == plan.rows.end()) {
      row = plan.rows.insert(row, {call.dataset, call.recommender, call.stage, 0, 0, 0, priced.basis});
    }
    ++row->times;
    row->seconds += priced.seconds;
    row->bytes = std::max(row->bytes, priced.bytes);
    plan.job_seconds[call.job] += priced.seconds;
    job_bytes[call.job] = std::max(job_bytes[call.job], priced.bytes);
    sum += priced.seconds;
  }
  const int at_once = side_by_side(workers, plan.job_seconds.size());
  plan.core_seconds = sum * std::max(1, threads / at_once);
  std::vector<double> seconds;
  for (const auto& [job, of_job] : plan.job_seconds) seconds.push_back(of_job);
  plan.wall_seconds = makespan(seconds, at_once);
  std::vector<std::int64_t> bytes;
  for (const auto& [job, of_job] : job_bytes) bytes.push_back(of_job);
  std::sort(bytes.rbegin(), bytes.rend());
  for (std::size_t i = 0; i < bytes.size() && i < static_cast<std::size_t>(at_once); ++i) plan.peak_bytes += bytes[i];
  return plan;
}

WorkPlan make_plan(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& options,
                   const PlanOptions& plan_options) {
  const double began = wall_time(), used_before = processor_time();
  const std::int64_t resident = resident_bytes();
  const Configuration configuration = configuration_of(datasets, options);
  const FinishedWork finished = plan_options.as_if_new ? FinishedWork("/dev/null", configuration)  // nothing lies below a file
                                                       : FinishedWork(options.out, configuration, options.reuse);
  const std::vector<std::vector<ProtocolData>> protocols = protocols_of(datasets, options);
  const ExperimentJobs work =
      experiment_jobs(datasets, protocols, options, [&](const UnitKey& key) { return finished.has(key); });
  const std::vector<StageCall> calls = planned_calls(
      work.jobs, [&](const RunJob& job, const std::string& owner) { return finished.models(job.dataset, owner, job.run); });
  const int workers = side_by_side(options.jobs, work.jobs.size());
  const JobThreads threads(std::max(1, options.threads / workers));
  if (!work.jobs.empty()) warm_up(device_of(options));  // or the first stage that is measured would pay for it
  Pricing pricing(finished, plan_options);
  std::vector<PricedCall> priced;
  for (const RunJob& job : work.jobs) {
    std::vector<StageCall> own;
    std::copy_if(calls.begin(), calls.end(), std::back_inserter(own),
                 [&](const StageCall& call) { return call.job == job.index; });
    const std::vector<PricedCall> prices = pricing.price(job, own);
    priced.insert(priced.end(), prices.begin(), prices.end());
  }
  WorkPlan plan = add_up(priced, workers, options.threads);
  plan.units = work.units;
  plan.unfit = finished.unfit();
  plan.finished = work.finished;
  plan.begun = finished.begun(work.jobs);
  plan.missing_units = grouped_units(work.jobs);
  plan.missing = work.missing_units();
  plan.peak_bytes += resident;
  plan.calibration_seconds = wall_time() - began;
  if (options.threads / workers <= 1 && !plan_options.clock) {
    plan.share = std::clamp((processor_time() - used_before) / std::max(1e-9, plan.calibration_seconds), 0.01, 1.0);
    plan.core_seconds *= plan.share;
  }
  return plan;
}

std::string ranges_text(std::span<const int> numbers) {
  std::string text;
  for (std::size_t first = 0, last = 0; first < numbers.size(); first = last = last + 1) {
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += (text.empty() ? "" : ", ") + std::to_string(numbers[first]);
    if (last > first) text += "-" + std::to_string(numbers[last]);
  }
  return text;
}

std::string plan_text(const WorkPlan& plan, const ExperimentOptions& options) {
  std::string text = concat("plan for ", options.out.string(), ": ", plan.finished, " of ", plan.units, " units are finished, ",
                            plan.missing, " are to be computed\n");
  for (const std::string& line : reused_lines(plan.unfit)) text += "  " + line + "\n";
  if (plan.missing == 0) return text;
  std::vector<std::vector<std::string>> units = {{"data set", "recommender", "setting", "runs", "users from"}};
  for (const PlannedUnits& some : plan.missing_units) {
    units.push_back({some.dataset, some.recommender, some.setting, ranges_text(some.runs), joined(some.generators)});
  }
  text += "\n" + aligned(units, units.front().size());
  if (plan.begun > 0) {
    text += concat("\n", plan.begun, plan.begun == 1 ? " fit was" : " fits were", " broken off and ",
                   plan.begun == 1 ? "goes" : "go", " on from a checkpoint where this build left it; planned here as a whole\n");
  }
  // Of what a GPU's own memory holds nothing is measured.
  const bool on_gpu = device_of(options) == Device::kCuda;
  const std::string memory = on_gpu ? "host memory" : "memory";
  std::vector<std::vector<std::string>> lines = {
      {"data set", "recommender", "stage", "basis", "times", "each", "together", memory}};
  for (const PlannedRow& row : plan.rows) {
    lines.push_back({row.dataset, row.recommender, row.stage, row.basis, std::to_string(row.times),
                     duration_text(row.seconds / row.times), duration_text(row.seconds),
                     row.bytes > 0 ? mebibytes(row.bytes) : "–"});
  }
  constexpr std::size_t kTextColumns = 4;
  text += "\n" + aligned(lines, kTextColumns) + "\n";
  const int jobs = side_by_side(options.jobs, plan.job_seconds.size());
  text += concat("work: ", static_cast<std::int64_t>(std::ceil(plan.core_seconds)), " core-seconds (",
                 duration_text(plan.core_seconds), "); wall time about ", duration_text(plan.wall_seconds), " with ", jobs,
                 jobs == 1 ? " job on " : " jobs on ", options.threads, options.threads == 1 ? " thread" : " threads", "; ",
                 memory, " at most about ", mebibytes(plan.peak_bytes), "\n");
  constexpr double kFree = 0.9;
  if (plan.share < kFree) {
    text += concat("Other programs took ", fixed(100 * (1 - plan.share), 0),
                   " % of the processor during the measurement: on a free "
                   "machine the wall time would be about ",
                   duration_text(plan.wall_seconds * plan.share), "\n");
  }
  text += concat("Measured in ", duration_text(plan.calibration_seconds),
                 " on this machine as it is now, one model at a time; jobs side by side that compete for memory take longer.\n"
                 "Where early stopping decides, the number of epochs is an assumption, named in the column basis. ",
                 on_gpu ? "Host memory" : "Memory", " is what a stage's tensors take at most", on_gpu ? " there" : "",
                 ", with what its job keeps beside them; the total adds the program and its data.",
                 on_gpu ? " What the GPU's own memory holds is not measured." : "", "\n");
  return text;
}

}  // namespace tapestry::recsys
