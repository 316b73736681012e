#include "recsys/generators/codigem_generator.h"

#include "recsys/generators/codigem_training.h"
#include "recsys/metrics/ranking.h"

namespace tapestry::recsys {
namespace {

/// After how many epochs it usually stops: for predicting times, nothing else.
constexpr std::int64_t kTypicalEpochs = 50;
/// Operations of one row's way through a network with `outputs` outputs.
double network_operations(const CodigemConfig& config, std::int64_t items, std::int64_t outputs) {
  std::vector<std::int64_t> widths(static_cast<std::size_t>(config.hidden_layers), config.width);
  widths.insert(widths.begin(), items);
  widths.push_back(outputs);
  return layer_operations(widths);
}

/// Of its way through the decoder and all reverse networks.
double model_operations(const CodigemConfig& config, std::int64_t items) {
  return network_operations(config, items, items) +
         static_cast<double>(config.timesteps - 1) * network_operations(config, items, 2 * items);
}

}  // namespace

std::unique_ptr<CodigemModel> CodigemGenerator::make(std::int64_t items) const {
  nn::Initializer init(part_seed(ModelPart::kInit), DType::kFloat32, device());
  return std::make_unique<CodigemModel>(items, config_, init);
}

FitLength CodigemGenerator::length() const { return {config_.max_epochs, kTypicalEpochs, config_.patience}; }

void CodigemGenerator::train(CodigemModel& model, const ProtocolData& protocol, const Training& training) const {
  const std::uint64_t selection_seed = part_seed(ModelPart::kSelection);
  std::int64_t tiles = 0;  // every tile of users gets noise of its own
  training.checkpoint.also_keep("tiles", tiles);
  const auto validate = [&](const CodigemModel& fitted, std::int64_t epoch) {
    const HeldOut users = protocol.selection(selection_seed, static_cast<int>(epoch));
    const auto score = [&](const CsrMatrix& rows) {
      std::optional<RandomStream> noise;
      if (config_.evaluation_noise)
        noise = RandomStream{selection_seed, Purpose::kPerturbation, static_cast<std::uint32_t>(tiles++)};
      return codigem_scores(fitted, rows, config_.beta, noise);
    };
    return mean_recall_at(config_.selection_cutoff, score, users);
  };
  double lowest = 0;
  fit_codigem(
      model, protocol.generator, config_, part_seed(ModelPart::kFit), validate,
      [&](const CodigemEpoch& report) {
        lowest = std::min(lowest, report.lowest_log_variance);
        training.log.epoch(report.epoch, report.loss, report.metric, "," + shortest_digits(report.lowest_log_variance));
      },
      &training.checkpoint);
  if (const auto warning = overflow_warning(lowest, config_)) training.listener.warn(*warning);
}

sdrm::LogitMatrix CodigemGenerator::scores(const CodigemModel& model, std::int64_t rows,
                                           const std::function<void(double)>& made) const {
  return codigem_samples(model, config_, rows, part_seed(ModelPart::kSample), made);
}

double CodigemGenerator::fit_operations(const ProtocolData& protocol) const {
  const auto epochs = static_cast<double>(std::min(config_.max_epochs, kTypicalEpochs));
  const auto rows = static_cast<double>(protocol.generator.rows());
  const auto users = static_cast<double>(protocol.evaluation.input.rows());
  const std::int64_t items = protocol.generator.cols();
  // Nothing flows back to the input: about two and a half passes an update.
  return epochs * (2.5 * rows * model_operations(config_, items) + users * network_operations(config_, items, items));
}

double CodigemGenerator::sample_operations(const ProtocolData& protocol) const {
  return static_cast<double>(protocol.synthetic_rows) * model_operations(config_, protocol.generator.cols());
}

}  // namespace tapestry::recsys
