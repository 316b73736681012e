#pragma once

#include "recsys/generators/one_model_generator.h"
#include "sdrm/multivae.h"

namespace tapestry::recsys {

/// MultiVAE as Liang et al. (2018) set it: I -> 600 -> 200 -> 600 -> I, Adam at 1e-3, batches of 500, dropout 0.5, KL weight
/// min(0.2, update / 200000), 200 epochs of which the one with the best validation NDCG@100 counts. The SDRM paper does not print
/// its settings of the `MultiVAE` rows; these are where its own search starts. Liang's biases start from a normal distribution
/// cut at two deviations, these from the whole one, as in SDRM's program.
struct MultiVaeConfig {
  sdrm::VaeConfig vae = {.hidden = 600,
                         .latent = 200,
                         .batch = 500,
                         .learning_rate = 1e-3,
                         .max_epochs = 200,
                         .patience = 200,
                         .dropout = 0.5,
                         .kl_cap = 0.2,
                         .kl_steps = 200000};
  int selection_cutoff = 100;  ///< k of the NDCG@k that the epochs are compared by
};

/// "multivae": users are z ~ N(0, I) decoded, cut at the density. The stages are "multivae_fit" and "sample_multivae".
class MultiVaeGenerator : public OneModelGenerator<sdrm::MultiVae> {
 public:
  MultiVaeGenerator(const MultiVaeConfig& config, std::uint64_t seed, ModelFolder folder, Device device = Device::kCpu)
      : OneModelGenerator("multivae", seed, std::move(folder), device), config_(config) {}

 private:
  std::unique_ptr<sdrm::MultiVae> make(std::int64_t items) const override;
  FitLength length() const override;
  void train(sdrm::MultiVae& model, const ProtocolData& protocol, const Training& training) const override;
  sdrm::LogitMatrix scores(const sdrm::MultiVae& model, std::int64_t rows,
                           const std::function<void(double)>& made) const override;
  double fit_operations(const ProtocolData& protocol) const override;
  double sample_operations(const ProtocolData& protocol) const override;
  double rate() const override { return 1.2e11; }

  MultiVaeConfig config_;
};

}  // namespace tapestry::recsys
