#pragma once

#include <cstdint>
#include <functional>

namespace tapestry {

/// Threads that kernels called from this thread may use; 0: all cores, whatever OMP_NUM_THREADS says. Independent runs side by
/// side each set their share.
void set_num_threads(int threads);
int num_threads();

/// To be called first in main. GNU's OpenMP lets a thread that waits for others look for work for milliseconds before it sleeps;
/// where another program wants the same processors, the thread that it waits for cannot run meanwhile, and everything takes three
/// to four times as long. How long is read from the environment before main, so this starts the program anew with GOMP_SPINCOUNT
/// set, once, unless the user has set that or OMP_WAIT_POLICY. Elsewhere than on Linux it does nothing.
void let_waiting_threads_sleep(char** argv);

/// body(i) for i in [0, count) on this thread's share of the cores. Kernels called inside run on one thread each.
/// The first exception is rethrown once all threads have stopped.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

}  // namespace tapestry
