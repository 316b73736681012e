#pragma once

#include "recsys/generators/codigem.h"
#include "recsys/generators/one_model_generator.h"

namespace tapestry::recsys {

/// "codigem": noise through CODIGEM's reverse networks and its decoder, cut at the density. The stages are "codigem_fit" (stopped
/// on Recall@50 of the selection users) and "sample_codigem". The history of the fit has the lowest log-variance of each epoch
/// beside its loss; where one came near the overflow of e^-v, the listener is warned (overflow_warning).
class CodigemGenerator : public OneModelGenerator<CodigemModel> {
 public:
  CodigemGenerator(const CodigemConfig& config, std::uint64_t seed, ModelFolder folder, Device device = Device::kCpu)
      : OneModelGenerator("codigem", seed, std::move(folder), device), config_(config) {}

 private:
  std::unique_ptr<CodigemModel> make(std::int64_t items) const override;
  FitLength length() const override;
  std::string history_fields() const override { return ",lowest_log_variance"; }
  void train(CodigemModel& model, const ProtocolData& protocol, const Training& training) const override;
  sdrm::LogitMatrix scores(const CodigemModel& model, std::int64_t rows, const std::function<void(double)>& made) const override;
  double fit_operations(const ProtocolData& protocol) const override;
  double sample_operations(const ProtocolData& protocol) const override;
  double rate() const override { return 6e10; }

  CodigemConfig config_;
};

}  // namespace tapestry::recsys
