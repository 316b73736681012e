#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <latch>
#include <mutex>
#include <optional>
#include <vector>

namespace tapestry::recsys {

/// How a pool goes about its jobs. What is left empty is not called.
struct PoolOptions {
  int workers = 1;  ///< asked for; there are no more than jobs, and at least one for any
  /// Called by every worker on its own thread. No job begins before all have come back from it.
  std::function<void()> warm_up = {};
  /// Whether a job must wait for a running one, as things are now: asked again and again while it waits. One call at a time.
  std::function<bool(std::size_t waiting, std::size_t running)> must_wait = {};
  /// Called by every poll(), by several threads; what it throws ends the work.
  std::function<void()> poll = {};
};

/// Runs jobs, numbered from 0, side by side, each once and on one of a few threads. A free worker begins the first job that need
/// not wait for a running one. The first exception, of a job, of `warm_up`, `must_wait` or `poll`, ends the work: no job begins
/// any more, and those that run are unwound from their next poll().
class WorkerPool {
 public:
  WorkerPool(std::size_t jobs, PoolOptions options);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int workers() const { return workers_; }
  /// Workers that have a job or are about to have one; the others, who wait for one or have none left, leave them their cores.
  int active() const { return active_; }

  using Body = std::function<void(std::size_t job)>;
  /// Calls body(job) for every job, and returns once all are done. Throws the first exception once all workers have stopped;
  /// Error(kDevice) when the system refuses a thread. To be called once.
  void run(const Body& body);

  /// To be called often by the jobs. Throws what `poll` does, or to unwind the job when another has failed.
  void poll() const;

 private:
  /// What one worker does.
  void work(const Body& body);
  /// The next job for a worker, which waits until one may begin; nothing when none is left.
  std::optional<std::size_t> next_job();
  /// The first job that may begin now, which then runs; nothing when there is no such job.
  std::optional<std::size_t> begin_job();
  bool any_left();
  void end_job(std::size_t job);
  /// Ends the work. The first reason is the one that counts.
  void stop(std::exception_ptr reason);

  const PoolOptions options_;
  const int workers_;
  std::latch warm_;
  std::atomic<int> active_;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;  ///< of what follows
  std::exception_ptr error_;
  std::vector<std::size_t> waiting_, running_;
};

}  // namespace tapestry::recsys
