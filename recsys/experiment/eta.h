#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tapestry::recsys {

/// Predicts how long planned work will take. Every stage of every job comes with a guess in seconds; guesses for stages of one
/// name are corrected together by what that stage has taken so far, and until enough of it is done by what all others have.
class EtaEstimator {
 public:
  using Task = std::size_t;

  /// Plans a stage of a job. Jobs run side by side, a job's stages one after the other.
  Task plan(int job, const std::string& stage, double guess_seconds);
  /// The first planned, unstarted task of that name in the job; when there is none, a new one that predicts nothing.
  Task begin(int job, const std::string& stage, double now);
  void advance(Task task, double fraction) { tasks_[task].fraction = fraction; }
  /// A running task had taken so many seconds in an earlier start, and goes on behind them.
  void count_earlier(Task task, double seconds) { tasks_[task].began -= seconds; }
  void end(Task task, double now);
  /// What the job has not started will not be done: it found it done.
  void finish_job(int job);

  /// Seconds until everything planned is done, with `workers` jobs at a time: the work left shared out, and no less than the
  /// longest job left.
  double remaining(double now, int workers) const;

 private:
  enum class State : std::uint8_t { kPlanned, kRunning, kDone };
  struct OneTask {
    int job;
    std::string stage;
    double guess;
    State state = State::kPlanned;
    double began = 0;
    double seconds = 0;   ///< once done
    double fraction = 0;  ///< while running
  };
  /// Measured over guessed seconds.
  struct Pace {
    double guessed = 0;
    double measured = 0;
  };

  static void measure(const OneTask& task, double now, Pace& pace);

  std::vector<OneTask> tasks_;
};

}  // namespace tapestry::recsys
