#include "recsys/experiment/worker_pool.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>
#include <utility>

#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// How often a worker looks again whether a job may begin. Nobody could wake it: what a job waits for, such as a model that a
/// running one fits and keeps, comes in the middle of that one.
constexpr auto kPause = std::chrono::milliseconds(100);

/// Thrown to unwind the jobs that have not failed themselves.
struct Stopped {};

}  // namespace

WorkerPool::WorkerPool(std::size_t jobs, PoolOptions options)
    : options_(std::move(options)),
      workers_(std::min(std::max(1, options_.workers), static_cast<int>(jobs))),
      warm_(workers_),
      active_(workers_),
      waiting_(jobs) {
  std::iota(waiting_.begin(), waiting_.end(), std::size_t{0});
}

void WorkerPool::run(const Body& body) {
  std::vector<std::jthread> threads;
  try {
    for (int worker = 0; worker < workers_; ++worker) threads.emplace_back([&] { work(body); });
  } catch (const std::exception& error) {  // the system gives no more threads: those that run must not wait for the rest
    stop(std::make_exception_ptr(
        Error(ErrorKind::kDevice, concat("run ", threads.size() + 1, " of ", workers_,
                                         " side by side gets no thread: ", error.what(), "; fewer (--jobs) need fewer"))));
    warm_.count_down(workers_ - static_cast<std::ptrdiff_t>(threads.size()));
  }
  threads.clear();  // joins
  if (error_) std::rethrow_exception(error_);
}

void WorkerPool::poll() const {
  if (options_.poll) options_.poll();
  if (stopped_) throw Stopped();
}

void WorkerPool::work(const Body& body) {
  try {
    if (options_.warm_up) options_.warm_up();
  } catch (...) {
    stop(std::current_exception());
  }
  warm_.arrive_and_wait();
  try {
    while (const std::optional<std::size_t> job = next_job()) {
      body(*job);
      end_job(*job);
    }
  } catch (const Stopped&) {  // another worker's error is on its way
  } catch (...) {
    stop(std::current_exception());
  }
  --active_;
}

std::optional<std::size_t> WorkerPool::next_job() {
  std::optional<std::size_t> job = begin_job();
  if (job || !any_left()) return job;
  --active_;
  while (!job && any_left()) {
    std::this_thread::sleep_for(kPause);
    job = begin_job();
  }
  ++active_;
  return job;
}

std::optional<std::size_t> WorkerPool::begin_job() {
  const std::lock_guard lock(mutex_);
  if (stopped_) return std::nullopt;
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](std::size_t job) {
    return !options_.must_wait ||
           std::none_of(running_.begin(), running_.end(), [&](std::size_t running) { return options_.must_wait(job, running); });
  });
  if (found == waiting_.end()) return std::nullopt;
  const std::size_t job = *found;
  waiting_.erase(found);
  running_.push_back(job);
  return job;
}

bool WorkerPool::any_left() {
  const std::lock_guard lock(mutex_);
  return !stopped_ && !waiting_.empty();
}

void WorkerPool::end_job(std::size_t job) {
  const std::lock_guard lock(mutex_);
  std::erase(running_, job);
}

void WorkerPool::stop(std::exception_ptr reason) {
  const std::lock_guard lock(mutex_);
  if (!stopped_.exchange(true)) error_ = std::move(reason);
}

}  // namespace tapestry::recsys
