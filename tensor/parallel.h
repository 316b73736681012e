#pragma once

#include <cstdint>
#include <functional>

namespace tapestry {

/// Threads that kernels called from this thread may use; 0 restores the default (all cores). Independent runs side by side each
/// set their share.
void set_num_threads(int threads);
int num_threads();

/// body(i) for i in [0, count) on this thread's share of the cores. Kernels called inside run on one thread each.
/// The first exception is rethrown once all threads have stopped.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

}  // namespace tapestry
