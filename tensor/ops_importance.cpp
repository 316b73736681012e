#include "tensor/dispatch.h"
#include "tensor/ops_common.h"

namespace tapestry {
namespace {

void check_history(const char* op, const LossHistory& history) {
  check(history.seen.dtype() == DType::kInt32 && history.recent.shape() == Shape({history.seen.numel(), kRecentLosses}) &&
            history.seen.device() == history.recent.device(),
        op, ": losses ", history.recent.shape(), " of ", history.seen.dtype(), " ", history.seen.shape());
}

}  // namespace

LossHistory::LossHistory(std::int64_t steps, DType dtype, Device device)
    : recent(Tensor::zeros({steps, kRecentLosses}, dtype, device)), seen(Tensor::zeros({steps}, DType::kInt32, device)) {
  check(steps > 0, "LossHistory: ", steps, " steps");
}

StepProbabilities step_probabilities(const LossHistory& history) {
  check_history("step_probabilities", history);
  const Shape shape = {history.seen.numel()};
  const Device device = history.seen.device();
  StepProbabilities found = {Tensor::empty(shape, DType::kFloat64, device), Tensor::empty(shape, DType::kFloat64, device)};
  dispatch("step_probabilities", device, history.recent.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.step_probabilities(shape.numel(), history.recent.data<T>(), history.seen.data<std::int32_t>(), found.p.data<double>(),
                               found.until.data<double>());
  });
  return found;
}

DrawnSteps draw_steps(const StepProbabilities& probabilities, const Tensor& u, DType dtype) {
  check_on("draw_steps", probabilities.p.device(), probabilities.until);
  check(probabilities.p.numel() > 0 && probabilities.until.numel() == probabilities.p.numel(),
        "draw_steps: ", probabilities.p.numel(), " probabilities and ", probabilities.until.numel(), " sums of them");
  check(probabilities.p.dtype() == DType::kFloat64 && probabilities.until.dtype() == DType::kFloat64,
        "draw_steps: probabilities of ", probabilities.p.dtype(), " and sums of ", probabilities.until.dtype(), ", not float64");
  check(u.dtype() == DType::kFloat64 && u.device() == probabilities.p.device(), "draw_steps: numbers of ", u.dtype(), " on ",
        u.device(), " for probabilities on ", probabilities.p.device());
  DrawnSteps drawn = {Tensor::empty({u.numel()}, DType::kInt32, u.device()), Tensor::empty({u.numel(), 1}, dtype, u.device())};
  dispatch("draw_steps", u.device(), dtype, [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.draw_steps(u.numel(), probabilities.p.numel(), probabilities.p.data<double>(), probabilities.until.data<double>(),
                       u.data<double>(), drawn.t.data<std::int32_t>(), drawn.divisor.data<T>());
  });
  return drawn;
}

void record_losses(const Tensor& t, const Tensor& losses, const LossHistory& history) {
  check_history("record_losses", history);
  check_same_kind("record_losses", losses, history.recent);
  check(t.dtype() == DType::kInt32 && t.numel() == losses.numel() && t.device() == losses.device(), "record_losses: losses ",
        losses.shape(), " at steps ", t.dtype(), " ", t.shape());
  const std::int64_t steps = history.seen.numel();
  if (t.device() == Device::kCpu) {
    for (const std::int32_t step : t.span<std::int32_t>()) {
      check(step >= 1 && step <= steps, "record_losses: step ", step, " of ", steps);
    }
  }
  dispatch("record_losses", t.device(), losses.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.record_losses(t.numel(), steps, t.data<std::int32_t>(), losses.data<T>(), history.recent.data<T>(),
                          history.seen.data<std::int32_t>());
  });
}

}  // namespace tapestry
