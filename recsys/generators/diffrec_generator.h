#pragma once

#include "recsys/generators/diffrec.h"
#include "recsys/generators/one_model_generator.h"

namespace tapestry::recsys {

/// "diffrec": Gaussian noise denoised by DiffRec, as the SDRM paper says in one sentence, cut at the density. The stages are
/// "diffrec_fit" (stopped on Recall@20 of the selection users) and "sample_diffrec".
class DiffRecGenerator : public OneModelGenerator<DiffRecModel> {
 public:
  DiffRecGenerator(DiffRecConfig config, std::uint64_t seed, ModelFolder folder, Device device = Device::kCpu)
      : OneModelGenerator("diffrec", seed, std::move(folder), device), config_(std::move(config)) {}

 private:
  std::unique_ptr<DiffRecModel> make(std::int64_t items) const override;
  FitLength length() const override;
  void train(DiffRecModel& model, const ProtocolData& protocol, const Training& training) const override;
  sdrm::LogitMatrix scores(const DiffRecModel& model, std::int64_t rows, const std::function<void(double)>& made) const override;
  double fit_operations(const ProtocolData& protocol) const override;
  double sample_operations(const ProtocolData& protocol) const override;
  double rate() const override { return 1.3e11; }

  DiffRecConfig config_;
};

}  // namespace tapestry::recsys
