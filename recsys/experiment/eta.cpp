#include "recsys/experiment/eta.h"

#include <algorithm>

namespace tapestry::recsys {

EtaEstimator::Task EtaEstimator::plan(int job, const std::string& stage, double guess_seconds) {
  tasks_.push_back({.job = job, .stage = stage, .guess = std::max(guess_seconds, 1e-3)});
  return tasks_.size() - 1;
}

EtaEstimator::Task EtaEstimator::begin(int job, const std::string& stage, double now) {
  const auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const OneTask& task) {
    return task.job == job && task.stage == stage && task.state == State::kPlanned;
  });
  const Task task = static_cast<Task>(found - tasks_.begin());
  if (found == tasks_.end()) tasks_.push_back({.job = job, .stage = stage, .guess = 0});  // not foreseen
  tasks_[task].state = State::kRunning;
  tasks_[task].began = now;
  return task;
}

void EtaEstimator::end(Task task, double now) {
  tasks_[task].state = State::kDone;
  tasks_[task].seconds = now - tasks_[task].began;
}

void EtaEstimator::finish_job(int job) {
  for (OneTask& task : tasks_) {
    if (task.job == job && task.state == State::kPlanned) {
      task.state = State::kDone;
      task.guess = 0;
    }
  }
}

void EtaEstimator::measure(const OneTask& task, double now, Pace& pace) {
  if (task.guess <= 0) return;
  if (task.state == State::kDone) {
    pace.guessed += task.guess;
    pace.measured += task.seconds;
  } else if (task.state == State::kRunning && task.fraction > 0) {
    pace.guessed += task.guess * task.fraction;
    pace.measured += now - task.began;
  }
}

double EtaEstimator::remaining(double now, int workers) const {
  // Of little work little is learnt: a stage of milliseconds, three times as long as guessed, must not treble those of its name
  // that take minutes.
  constexpr double kTrust = 5;     // seconds as guessed
  constexpr double kShare = 0.05;  // or, where all planned of that name is short, so much of it
  std::map<std::string, Pace> by_stage;
  std::map<std::string, double> planned;
  Pace overall;
  for (const OneTask& task : tasks_) {
    measure(task, now, by_stage[task.stage]);
    measure(task, now, overall);
    planned[task.stage] += task.guess;
  }
  const double others = (overall.measured + kTrust) / (overall.guessed + kTrust);
  const auto correction = [&](const std::string& stage) {
    const Pace& own = by_stage[stage];
    if (own.guessed <= 0 || own.measured <= 0) return others;
    const double trust = std::min(1.0, own.guessed / std::min(kTrust, kShare * planned[stage]));
    return trust * own.measured / own.guessed + (1 - trust) * others;
  };
  std::map<int, double> by_job;
  for (const OneTask& task : tasks_) {
    if (task.state == State::kDone) continue;
    const double whole = task.guess * correction(task.stage);
    double left = whole;
    if (task.state == State::kRunning) {
      const double since = now - task.began;
      // A stage's own progress says the most of itself; one that tells none is on time until proved late.
      left = task.fraction > 0 ? since * (1 - task.fraction) / task.fraction : std::max(whole - since, 0.05 * whole);
    }
    by_job[task.job] += left;
  }
  double sum = 0;
  double longest = 0;
  for (const auto& [job, seconds] : by_job) {
    sum += seconds;
    longest = std::max(longest, seconds);
  }
  return std::max(sum / std::max(1, workers), longest);
}

}  // namespace tapestry::recsys
