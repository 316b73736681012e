#include "recsys/generators/diffrec_generator.h"

#include <cmath>
#include <optional>

#include "recsys/generators/diffrec_training.h"
#include "recsys/metrics/ranking.h"

namespace tapestry::recsys {
namespace {

/// After how many epochs it usually stops: for predicting times, nothing else.
constexpr std::int64_t kTypicalEpochs = 100;

/// Operations of one row's way through the network.
double network_operations(const DiffRecConfig& config, std::int64_t items) {
  std::vector<std::int64_t> widths = {items};
  widths.insert(widths.end(), config.dims.rbegin(), config.dims.rend());
  widths.insert(widths.end(), config.dims.begin() + 1, config.dims.end());
  widths.push_back(items);
  return layer_operations(widths);
}

}  // namespace

std::unique_ptr<DiffRecModel> DiffRecGenerator::make(std::int64_t items) const {
  nn::Initializer init(part_seed(ModelPart::kInit), DType::kFloat32, device());
  return std::make_unique<DiffRecModel>(items, config_, init);
}

FitLength DiffRecGenerator::length() const { return {config_.max_epochs, kTypicalEpochs, config_.patience}; }

void DiffRecGenerator::train(DiffRecModel& model, const ProtocolData& protocol, const Training& training) const {
  const DiffRecSchedule schedule(config_);
  const std::uint64_t selection_seed = part_seed(ModelPart::kSelection);
  std::int64_t tiles = 0;  // every tile of users gets noise of its own
  training.checkpoint.also_keep("tiles", tiles);
  const auto validate = [&](const DiffRecModel& fitted, std::int64_t epoch) {
    const HeldOut users = protocol.selection(selection_seed, static_cast<int>(epoch));
    const auto score = [&](const CsrMatrix& rows) {
      return diffrec_scores(fitted, rows, schedule, config_,
                            {selection_seed, Purpose::kPerturbation, static_cast<std::uint32_t>(tiles++)});
    };
    return mean_recall_at(config_.selection_cutoff, score, users);
  };
  fit_diffrec(
      model, protocol.generator, config_, part_seed(ModelPart::kFit), validate,
      [&](const DiffRecEpoch& report) {
        const std::optional<double> metric = std::isnan(report.metric) ? std::nullopt : std::optional(report.metric);
        training.log.epoch(report.epoch, report.loss, metric);
      },
      &training.checkpoint);
}

sdrm::LogitMatrix DiffRecGenerator::scores(const DiffRecModel& model, std::int64_t rows,
                                           const std::function<void(double)>& made) const {
  return diffrec_samples(model, config_, rows, part_seed(ModelPart::kSample), made);
}

double DiffRecGenerator::fit_operations(const ProtocolData& protocol) const {
  const auto epochs = static_cast<double>(std::min(config_.max_epochs, kTypicalEpochs));
  const double row = network_operations(config_, protocol.generator.cols());
  const double evaluation = static_cast<double>(protocol.evaluation.input.rows() * config_.timesteps) * row /
                            static_cast<double>(config_.evaluate_every);
  // Two and a half passes an update: nothing flows back to the input.
  return epochs * (2.5 * static_cast<double>(protocol.generator.rows()) * row + evaluation);
}

double DiffRecGenerator::sample_operations(const ProtocolData& protocol) const {
  return static_cast<double>(protocol.synthetic_rows * config_.timesteps) *
         network_operations(config_, protocol.generator.cols());
}

}  // namespace tapestry::recsys
