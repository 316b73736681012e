#include "recsys/generators/multivae_generator.h"

#include "recsys/metrics/ranking.h"
#include "sdrm/sampling.h"
#include "sdrm/vae_training.h"

namespace tapestry::recsys {

std::unique_ptr<sdrm::MultiVae> MultiVaeGenerator::make(std::int64_t items) const {
  nn::Initializer init(part_seed(ModelPart::kInit), DType::kFloat32, device());
  return std::make_unique<sdrm::MultiVae>(items, config_.vae, init);
}

FitLength MultiVaeGenerator::length() const { return {config_.vae.max_epochs, config_.vae.max_epochs, config_.vae.patience}; }

void MultiVaeGenerator::train(sdrm::MultiVae& model, const ProtocolData& protocol, const Training& training) const {
  const auto validate = [&](const sdrm::MultiVae& fitted, std::int64_t epoch) {
    const HeldOut users = protocol.selection(part_seed(ModelPart::kSelection), static_cast<int>(epoch));
    const auto score = [&](const CsrMatrix& rows) { return fitted.scores(rows); };
    return mean_ndcg_at(config_.selection_cutoff, score, users);
  };
  sdrm::fit_vae(
      model, protocol.generator, config_.vae, part_seed(ModelPart::kFit), validate,
      [&](const sdrm::VaeEpoch& report) { training.log.epoch(report.epoch, report.loss, report.metric); }, &training.checkpoint);
}

sdrm::LogitMatrix MultiVaeGenerator::scores(const sdrm::MultiVae& model, std::int64_t rows,
                                            const std::function<void(double)>& /*made*/) const {
  const Tensor z = sdrm::sample_prior(rows, model.latent(), part_seed(ModelPart::kSample), device());  // [rows, K]
  return {rows, model.items(), sdrm::decoded_rows(model, z)};
}

double MultiVaeGenerator::fit_operations(const ProtocolData& protocol) const {
  const sdrm::VaeConfig& vae = config_.vae;
  const double row = 3 * (layer_operations({vae.hidden, 2 * vae.latent}) +
                          layer_operations({vae.latent, vae.hidden, protocol.generator.cols()}));
  return static_cast<double>(vae.max_epochs) * static_cast<double>(protocol.generator.rows()) * row;
}

double MultiVaeGenerator::sample_operations(const ProtocolData& protocol) const {
  const sdrm::VaeConfig& vae = config_.vae;
  return static_cast<double>(protocol.synthetic_rows) * layer_operations({vae.latent, vae.hidden, protocol.generator.cols()});
}

}  // namespace tapestry::recsys
