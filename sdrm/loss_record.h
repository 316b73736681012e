#pragma once

#include <cstdint>
#include <vector>

#include "tensor/ops.h"

// The losses of an epoch's updates or of a validation's tiles, kept where they were computed and read once at the end: asking a
// GPU for each as it comes would make it wait for the host at every step.
namespace tapestry::sdrm {

/// The mean of values [n, 1] or [n], summed in order on the host.
inline double mean_in_order(const Tensor& values) {
  const Tensor host = values.to(Device::kCpu).to(DType::kFloat64);
  double total = 0;
  for (std::int64_t i = 0; i < host.numel(); ++i) total += host.data<double>()[i];
  return total / static_cast<double>(host.numel());
}

/// For numbers that come one by one in the order of calls, as those of a validation's tiles do.
class LossRecord {
 public:
  /// With room for `most` of them.
  LossRecord(std::int64_t most, DType dtype, Device device) : losses_(Tensor::empty({most}, dtype, device)) {}

  /// loss: scalar []. Throws Error(kMisuse) when more come than there is room for.
  void add(const Tensor& loss) {
    copy_into(losses_.slice_rows(count_, count_ + 1), loss);
    ++count_;
  }

  /// All of them in order, and an empty record.
  std::vector<double> take() {
    const Tensor host = losses_.slice_rows(0, count_).to(Device::kCpu).to(DType::kFloat64);
    count_ = 0;
    return {host.data<double>(), host.data<double>() + host.numel()};
  }

 private:
  Tensor losses_;  ///< [most]
  std::int64_t count_ = 0;
};

/// For updates that a GPU repeats as a graph (tensor/step_graph.h), which therefore find their place by a number on the device.
class PlacedLosses {
 public:
  /// An update has `numbers` of them.
  PlacedLosses(std::int64_t updates, DType dtype, Device device, std::int64_t numbers = 1)
      : losses_(Tensor::zeros({updates, numbers}, dtype, device)) {}

  /// loss: scalar [], of the update with the number `place` [1] in the epoch, a place that holds nothing yet.
  void add(const Tensor& loss, const Tensor& place) const { scatter_add_rows(loss.reshape({1, 1}), place, losses_); }
  /// The same of an update's `numbers`, [] each.
  void add(const std::vector<Tensor>& numbers, const Tensor& place) const {
    std::vector<Tensor> row;
    row.reserve(numbers.size());
    for (const Tensor& number : numbers) row.push_back(number.reshape({1, 1}));
    scatter_add_rows(concat_columns(row), place, losses_);
  }

  /// The mean of those of all updates, or of the first `updates`, and zeros for the next epoch.
  double take_mean() const { return take_mean(losses_.rows()); }
  double take_mean(std::int64_t updates) const {
    const double mean = mean_in_order(losses_.slice_rows(0, updates));
    clear();
    return mean;
  }

  /// All of them in order, update by update, and zeros for the next epoch: for sums of another kind.
  std::vector<double> take() const {
    const Tensor host = losses_.to(Device::kCpu).to(DType::kFloat64);  // may be the record itself
    std::vector<double> numbers(host.data<double>(), host.data<double>() + host.numel());
    clear();
    return numbers;
  }

 private:
  void clear() const { copy_into(losses_, Tensor::zeros(losses_.shape(), losses_.dtype(), losses_.device())); }

  Tensor losses_;  ///< [updates, numbers]
};

}  // namespace tapestry::sdrm
