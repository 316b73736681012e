#pragma once

#include <cstdint>
#include <vector>

#include "tensor/ops.h"

namespace tapestry::sdrm {

/// The losses of an epoch's updates, kept where they were computed and read once at its end: asking a GPU for each as it comes
/// would make it wait for the host at every step.
class LossRecord {
 public:
  LossRecord(std::int64_t updates, DType dtype, Device device) : losses_(Tensor::zeros({updates, 1}, dtype, device)) {}

  /// loss: scalar [], of the update with the number `place` [1] in the epoch, a place that holds nothing yet.
  void add(const Tensor& loss, const Tensor& place) const { scatter_add_rows(loss.reshape({1, 1}), place, losses_); }

  /// Their mean, summed in order, and an empty record for the next epoch.
  double take_mean() const {
    const Tensor host = losses_.to(Device::kCpu).to(DType::kFloat64);
    double total = 0;
    for (std::int64_t i = 0; i < host.rows(); ++i) total += host.data<double>()[i];
    const Tensor none = Tensor::zeros(losses_.shape(), losses_.dtype(), losses_.device());
    copy_bytes(losses_.raw_data(), losses_.device(), none.raw_data(), none.device(), static_cast<std::size_t>(none.bytes()));
    return total / static_cast<double>(host.rows());
  }

  /// All of them in order, and an empty record: for sums of another kind.
  std::vector<double> take() {
    const Tensor host = losses_.slice_rows(0, count_).to(Device::kCpu).to(DType::kFloat64);
    count_ = 0;
    return {host.data<double>(), host.data<double>() + host.numel()};
  }

 private:
  Tensor losses_;  ///< [updates, 1]
};

}  // namespace tapestry::sdrm
