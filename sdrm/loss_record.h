#pragma once

#include <cstdint>
#include <vector>

#include "tensor/memory.h"
#include "tensor/tensor.h"

namespace tapestry::sdrm {

/// The losses of an epoch's updates, kept where they were computed and read once at its end: asking a GPU for each as it comes
/// would make it wait for the host at every step.
class LossRecord {
 public:
  LossRecord(std::int64_t updates, DType dtype, Device device) : losses_(Tensor::empty({updates}, dtype, device)) {}

  /// loss: scalar []. Throws Error(kMisuse) when more come than there is room for.
  void add(const Tensor& loss) {
    const Tensor slot = losses_.slice_rows(count_, count_ + 1);
    copy_bytes(slot.raw_data(), slot.device(), loss.raw_data(), loss.device(), static_cast<std::size_t>(slot.bytes()));
    ++count_;
  }

  /// Their mean, summed in order, and an empty record for the next epoch.
  double take_mean() {
    const Tensor host = losses_.to(Device::kCpu).to(DType::kFloat64);
    double total = 0;
    for (std::int64_t i = 0; i < count_; ++i) total += host.data<double>()[i];
    const double mean = total / static_cast<double>(count_);
    count_ = 0;
    return mean;
  }

  /// All of them in order, and an empty record: for sums of another kind.
  std::vector<double> take() {
    const Tensor host = losses_.slice_rows(0, count_).to(Device::kCpu).to(DType::kFloat64);
    count_ = 0;
    return {host.data<double>(), host.data<double>() + host.numel()};
  }

 private:
  Tensor losses_;  ///< [updates]
  std::int64_t count_ = 0;
};

}  // namespace tapestry::sdrm
