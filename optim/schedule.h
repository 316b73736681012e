#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace tapestry::optim {

/// Learning-rate schedules as plain functions of a step (or epoch) counted from 0 and the total. The caller passes the result to
/// Optimizer::step, so that a schedule has no state to save.

inline double constant_rate(double rate, std::int64_t, std::int64_t) { return rate; }

/// rate * (1 - step / total): the full rate at step 0, zero after the last.
inline double linear_rate(double rate, std::int64_t step, std::int64_t total) {
  return rate * (1 - static_cast<double>(step) / static_cast<double>(total));
}

/// rate * (1 + cos(pi * step / total)) / 2 (Loshchilov & Hutter 2017, without restarts).
inline double cosine_rate(double rate, std::int64_t step, std::int64_t total) {
  return rate * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(total))) / 2;
}

}  // namespace tapestry::optim
