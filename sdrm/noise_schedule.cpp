#include "sdrm/noise_schedule.h"

#include <cmath>

#include "tensor/error.h"

namespace tapestry::sdrm {

NoiseSchedule::NoiseSchedule(std::int64_t steps) : timesteps(steps) {
  check(steps >= 1, "NoiseSchedule: ", steps, " steps; at least one is needed");
  constexpr double kFirst = 1e-4;
  constexpr double kLast = 0.02;
  double product = 1;
  for (std::int64_t t = 0; t <= steps; ++t) {
    beta.push_back(kFirst + (kLast - kFirst) * static_cast<double>(t) / static_cast<double>(steps));
    alpha.push_back(1 - beta.back());
    product *= alpha.back();
    alpha_bar.push_back(product);
  }
  alpha_bar[0] = 1;
}

double NoiseSchedule::signal(std::int64_t t) const { return std::sqrt(alpha_bar[static_cast<std::size_t>(t)]); }

double NoiseSchedule::noise(std::int64_t t, Variant variant) const {
  const double rest = 1 - alpha_bar[static_cast<std::size_t>(t)];
  return variant == Variant::kPaper ? std::sqrt(rest) : rest;
}

ScheduleTables::ScheduleTables(const NoiseSchedule& schedule, const ScoreConfig& config, DType dtype, Device device) {
  const auto table = [&](const auto& value) {
    const Tensor numbers = Tensor::empty({schedule.timesteps + 1, 1}, DType::kFloat64);
    for (std::int64_t t = 0; t <= schedule.timesteps; ++t) numbers.data<double>()[t] = value(t);
    return numbers.to(dtype).to(device);
  };
  signal = table([&](std::int64_t t) { return schedule.signal(t); });
  noise = table([&](std::int64_t t) { return config.noise_scale * schedule.noise(t, config.variant); });
}

}  // namespace tapestry::sdrm
