#include "recsys/experiment/expected_epochs.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "recsys/experiment/planned_work.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// What trainings that stop early took on the build machine. MultiVAE++: means over the five runs of seed 1, protocol and variant
/// `published`, recommender svd, rounded; with another recommender's hyperparameters it may be another number. MLP: the fit on
/// the original data of run 1; 0 where none was made.
struct Row {
  std::string_view dataset;
  double vae, mlp;
};
constexpr std::array<Row, 5> kRows = {{{"ml-100k", 199, 52},
                                       {"ml-1m", 88, 35},
                                       {"amazon-luxury-beauty", 135, 16},
                                       {"amazon-digital-music", 221, 11},
                                       {"simulated", 150, 0}}};
constexpr const char* kEarlierRuns = "assumed as in earlier runs";
constexpr const char* kGuess = "a guess";
constexpr double kAnyVae = 150, kAnyMlp = 15, kAnyCodigem = 50, kAnyDiffRec = 100;

Row row_of(const std::string& dataset) {
  const auto* const row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& one) { return one.dataset == dataset; });
  return row == kRows.end() ? Row{dataset, 0, 0} : *row;
}

ExpectedEpochs fixed_number(std::int64_t epochs) { return {static_cast<double>(epochs), ""}; }

/// Early stopping with a maximum.
ExpectedEpochs stopped(std::int64_t most, double usual, const std::string& source) {
  if (usual >= static_cast<double>(most)) return {static_cast<double>(most), "assumed: all of them"};
  return {usual, source};
}

}  // namespace

ExpectedEpochs expected_epochs(const RunJob& job, const std::string& stage, const FinishedWork& finished) {
  const sdrm::VaeConfig& multivae = job.baselines.multivae.vae;
  if (stage == "sdrm_fit") return fixed_number(job.values.score.epochs);
  if (stage == "ctgan_fit") return fixed_number(job.baselines.ctgan.epochs);
  if (stage == "tvae_fit") return fixed_number(job.baselines.tvae.epochs);
  if (stage == "multivae_fit" && multivae.patience >= multivae.max_epochs) return fixed_number(multivae.max_epochs);
  if (stage == kRecommenderFit && job.values.neumf) {
    return fixed_number(job.values.neumf->selection == NeuMfSelection::kFirstEpoch ? 1 : job.values.neumf->max_epochs);
  }
  const bool own = stage == "vae_fit";
  if (const std::optional<KnownMean> known = finished.epochs(job.dataset, own ? job.recommender : kBaselineOwner, stage)) {
    return {known->mean, concat("mean of ", known->count, " finished here")};
  }
  const Row row = row_of(job.dataset);
  const auto from = [](double known, double any) { return known > 0 ? known : any; };
  const auto source = [](double known) { return known > 0 ? kEarlierRuns : kGuess; };
  if (stage == "vae_fit") return stopped(job.values.vae.max_epochs, from(row.vae, kAnyVae), source(row.vae));
  if (stage == "multivae_fit") return stopped(multivae.max_epochs, from(row.vae, kAnyVae), kGuess);
  if (stage == "codigem_fit") return stopped(job.baselines.codigem.max_epochs, kAnyCodigem, kGuess);
  if (stage == "diffrec_fit") return stopped(job.baselines.diffrec.max_epochs, kAnyDiffRec, kGuess);
  if (stage == kRecommenderFit && job.values.mlp) {
    return stopped(job.values.mlp->max_epochs, from(row.mlp, kAnyMlp), source(row.mlp));
  }
  return {};
}

}  // namespace tapestry::recsys
