#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "tensor/csr.h"

namespace tapestry::bench {

struct Bench {
  std::string name;
  std::string what;
  std::function<void()> run;
  bool any_device = false;  ///< false: on the CPU whatever the device
};

/// Every bench there is, in the order in which they run.
std::vector<Bench> all();

inline double seconds(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Whether times in a row are enough for a median: `most`, or three that took a second and a half, on a slow machine.
inline bool enough(const std::vector<double>& times, std::size_t most) {
  return times.size() >= most || (times.size() >= 3 && std::accumulate(times.begin(), times.end(), 0.0) > 1.5);
}

/// Seconds of each call, as means over batches of 20 that are waited for at their end; single calls where one takes a hundredth
/// of a second.
std::vector<double> call_seconds(const std::function<void()>& run);

/// Random rows with about `density` of the entries stored, the first columns most often.
CsrMatrix random_rows(std::int64_t rows, std::int64_t cols, double density, std::uint64_t seed);

void elementwise_rates();
void recommender_steps();
void recommender_epochs();
void sdrm_steps();
void kernels();
void library_kernels();  ///< only where TAPESTRY_BENCH_LIBRARIES is defined

}  // namespace tapestry::bench
