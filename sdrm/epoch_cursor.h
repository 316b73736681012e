#pragma once

#include <cstdint>

#include "tensor/memory.h"
#include "tensor/ops.h"

namespace tapestry::sdrm {

/// Where a training loop stands, kept where the model is: a step that is repeated as a CUDA graph (tensor/step_graph.h) finds by
/// it what changes from update to update, and moves it on at its end. The numbers themselves are made on the host an epoch at a
/// time and brought to the device in tables with a row for every update of the epoch.
class EpochCursor {
 public:
  /// An update takes `streams` steps of each purpose's stream.
  explicit EpochCursor(Device device, std::int32_t streams = 1)
      : streams_(streams), counters_(Tensor::empty({2}, DType::kInt32, device)) {}

  /// Before the first update of an epoch, when `updates` have been made since the start of training. Where tables have rows for
  /// more than the epoch, it begins at `place`.
  void begin_epoch(std::int64_t updates, std::int64_t place = 0) const {
    const std::int32_t start[] = {static_cast<std::int32_t>(place), static_cast<std::int32_t>(updates) * streams_};
    copy_bytes(counters_.raw_data(), counters_.device(), start, Device::kCpu, sizeof(start));
  }

  /// This update's row of a table [updates, N] of numbers or int32: [N].
  Tensor row(const Tensor& table) const { return gather_rows(table, place()).reshape({table.cols()}); }
  /// This update's stream: its step is `streams` times the number of updates made since the start of training, plus `step`.
  RandomStream stream(std::uint64_t seed, Purpose purpose, std::uint32_t step = 0) const {
    return {seed, purpose, step, counters_.data<std::int32_t>() + 1};
  }
  /// Which of the epoch's updates this is: int32 [1].
  Tensor place() const { return counters_.slice_rows(0, 1); }

  /// The last thing that a step does.
  void advance() const {
    if (streams_ == 1) return add_integer(counters_, 1);
    add_integer(counters_.slice_rows(0, 1), 1);
    add_integer(counters_.slice_rows(1, 2), streams_);
  }

 private:
  std::int32_t streams_;
  Tensor counters_;  ///< int32 [2]: updates made in this epoch, and steps of the streams taken since the start of training
};

/// Writes numbers of the host over `to`, whose size they have.
inline void bring(const void* from, const Tensor& to) {
  copy_bytes(to.raw_data(), to.device(), from, Device::kCpu, static_cast<std::size_t>(to.bytes()));
}

}  // namespace tapestry::sdrm
