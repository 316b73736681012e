// recsys/experiment/worker_pool.h: every job once, side by side; the first error ends the work, and nobody waits for ever.
#include "recsys/experiment/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tensor/error.h"
#include "tests/support/no_threads.h"

namespace tapestry::recsys {
namespace {

constexpr std::size_t kJobs = 20;

/// To be polled by pools whose jobs wait for each other: what does not come is an error instead of a test without an end.
std::function<void()> deadline() {
  using Clock = std::chrono::steady_clock;
  return [end = Clock::now() + std::chrono::seconds(60)] {
    if (Clock::now() > end) throw std::runtime_error("what was waited for did not come");
    std::this_thread::yield();
  };
}

/// Stays in a job of the pool until `come` says so.
template <typename Come>
void await(const WorkerPool& pool, const Come& come) {
  while (!come()) pool.poll();
}

/// What run() throws; empty when it throws nothing.
std::string error_of(WorkerPool& pool, const WorkerPool::Body& body) {
  try {
    pool.run(body);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(WorkerPool, EveryJobRunsOnce) {
  for (const int workers : {1, 3, 100}) {
    WorkerPool pool(kJobs, {.workers = workers});
    std::vector<std::atomic<int>> times(kJobs);
    pool.run([&](std::size_t job) { ++times[job]; });
    for (std::size_t job = 0; job < kJobs; ++job) EXPECT_EQ(times[job], 1) << "job " << job << ", " << workers << " workers";
  }
}

TEST(WorkerPool, OneWorkerGoesThroughThemInOrder) {
  WorkerPool pool(kJobs, {});
  std::vector<std::size_t> order;
  pool.run([&](std::size_t job) { order.push_back(job); });
  ASSERT_EQ(order.size(), kJobs);
  for (std::size_t job = 0; job < kJobs; ++job) EXPECT_EQ(order[job], job);
}

TEST(WorkerPool, HasNoMoreWorkersThanJobs) {
  EXPECT_EQ(WorkerPool(5, {.workers = 2}).workers(), 2);
  EXPECT_EQ(WorkerPool(2, {.workers = 5}).workers(), 2);
  EXPECT_EQ(WorkerPool(5, {.workers = 0}).workers(), 1);
  WorkerPool none(0, {.workers = 2});
  EXPECT_EQ(none.workers(), 0);
  none.run([](std::size_t) { ADD_FAILURE() << "there is no job"; });
}

TEST(WorkerPool, TheFirstErrorUnwindsTheOthersAndIsTheOneThatIsThrown) {
  WorkerPool pool(kJobs, {.workers = 2, .poll = deadline()});
  std::atomic<int> begun = 0;
  std::atomic<bool> unwound = false;
  const std::string error = error_of(pool, [&](std::size_t job) {
    ++begun;
    if (job == 0) {
      await(pool, [&] { return begun == 2; });
      throw std::runtime_error("the first");
    }
    try {
      await(pool, [] { return false; });
    } catch (...) {  // it is unwound by no std::exception
      unwound = true;
      throw std::runtime_error("another");
    }
  });
  EXPECT_EQ(error, "the first");
  EXPECT_TRUE(unwound);
  EXPECT_EQ(begun, 2);
}

TEST(WorkerPool, NoJobBeginsOnceOneHasFailed) {
  WorkerPool pool(kJobs, {.workers = 2, .poll = deadline()});
  std::atomic<int> begun = 0;
  const std::string error = error_of(pool, [&](std::size_t job) {
    ++begun;
    await(pool, [&] { return begun == 2; });
    if (job == 0) throw std::runtime_error("the first");
    try {
      await(pool, [] { return false; });
    } catch (...) {  // ends as if it had been done before the other failed
    }
  });
  EXPECT_EQ(error, "the first");
  EXPECT_EQ(begun, 2);
}

TEST(WorkerPool, WhatPollThrowsEndsTheWork) {
  struct Interrupt {};
  for (const int workers : {1, 2}) {
    std::atomic<int> polls = 0, begun = 0, done = 0;
    WorkerPool pool(kJobs, {.workers = workers, .poll = [&] {
                              if (++polls > 10) throw Interrupt();
                            }});
    EXPECT_THROW(pool.run([&](std::size_t) {
      ++begun;
      await(pool, [] { return false; });
      ++done;
    }),
                 Interrupt);
    EXPECT_GE(begun, 1);
    EXPECT_LE(begun, workers);
    EXPECT_EQ(done, 0);
  }
}

TEST(WorkerPool, AThreadThatIsRefusedIsAnErrorAndNoWait) {
  WorkerPool pool(kJobs, {.workers = 3});
  const tests::NoThreads none;
  try {
    pool.run([](std::size_t) { ADD_FAILURE() << "a job has begun"; });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_EQ(std::string(error.what()).find("run 1 of 3 side by side gets no thread: "), 0U) << error.what();
  }
}

TEST(WorkerPool, NoJobBeginsBeforeAllWorkersAreWarm) {
  std::atomic<int> warm = 0;
  WorkerPool pool(kJobs, {.workers = 3, .warm_up = [&] { ++warm; }});
  pool.run([&](std::size_t job) { EXPECT_EQ(warm, 3) << "job " << job; });
}

TEST(WorkerPool, AWorkerThatCannotBeWarmEndsTheWork) {
  std::atomic<int> warm = 0;
  WorkerPool pool(kJobs, {.workers = 3, .warm_up = [&] {
                            if (++warm == 2) throw std::runtime_error("cold");
                          }});
  EXPECT_EQ(error_of(pool, [](std::size_t) { ADD_FAILURE() << "a job has begun"; }), "cold");
}

TEST(WorkerPool, JobsThatMustWaitForEachOtherAreNeverSideBySide) {
  const auto is_odd = [](std::size_t job) { return job % 2 == 1; };
  WorkerPool pool(8, {.workers = 3, .must_wait = [&](std::size_t a, std::size_t b) { return is_odd(a) && is_odd(b); }});
  std::atomic<int> odd = 0, done = 0;
  pool.run([&](std::size_t job) {
    if (is_odd(job)) {
      EXPECT_EQ(++odd, 1) << "job " << job;
      // Long enough for the free workers, who have nothing else to do, to begin another.
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
      while (odd == 1 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      --odd;
    }
    ++done;
  });
  EXPECT_EQ(done, 8);
}

TEST(WorkerPool, AJobBeginsAsSoonAsItNeedWaitNoMoreAndItsWorkerIsNotActiveUntilThen) {
  std::atomic<bool> kept = false, second = false;
  WorkerPool pool(2, {.workers = 2, .must_wait = [&](std::size_t, std::size_t) { return !kept; }, .poll = deadline()});
  std::atomic<bool> first_was_there = true;
  pool.run([&](std::size_t job) {
    if (job == 1) {
      EXPECT_TRUE(kept);
      second = true;
      await(pool, [&] { return !first_was_there; });
      return;
    }
    EXPECT_FALSE(second);
    await(pool, [&] { return pool.active() == 1; });
    kept = true;  // in the middle of the first job
    await(pool, [&] { return second.load(); });
    EXPECT_EQ(pool.active(), 2);
    first_was_there = false;
  });
  EXPECT_TRUE(second);
}

TEST(WorkerPool, WhatMustWaitThrowsEndsTheWork) {
  WorkerPool pool(2, {.workers = 2,
                      .must_wait = [](std::size_t, std::size_t) -> bool { throw std::runtime_error("no folder"); },
                      .poll = deadline()});
  EXPECT_EQ(error_of(pool, [&](std::size_t) { await(pool, [] { return false; }); }), "no folder");
}

}  // namespace
}  // namespace tapestry::recsys
