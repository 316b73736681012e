#include "recsys/experiment/expected_epochs.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "recsys/experiment/recommender_history.h"
#include "recsys/experiment/selection.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// Epochs of MLP's fits, by what it learns from: on synthetic users it goes on for longer. 0: not known.
struct MlpEpochs {
  double original, augment, replace;
};

/// What trainings that stop early took on the build machine: rounded means of seed 1, protocol and variant `published`.
/// MultiVAE++: over five runs, recommender svd; with another recommender's hyperparameters it may be another number. MLP: over
/// two runs, the synthetic users being those of MultiVAE++, F-SDRM and M-SDRM.
struct Row {
  std::string_view dataset;
  double vae;
  MlpEpochs mlp;
};
constexpr std::array<Row, 5> kRows = {{{"ml-100k", 199, {45, 71, 86}},
                                       {"ml-1m", 88, {35, 0, 0}},
                                       {"amazon-luxury-beauty", 135, {21, 64, 39}},
                                       {"amazon-digital-music", 221, {11, 25, 36}},
                                       {"simulated", 150, {0, 0, 0}}}};
constexpr const char* kEarlierRuns = "assumed as in earlier runs";
constexpr const char* kGuess = "a guess";
constexpr double kAnyVae = 150, kAnyCodigem = 50, kAnyDiffRec = 100;
constexpr MlpEpochs kAnyMlp = {15, 40, 40};

Row row_of(const std::string& dataset) {
  const auto* const row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& one) { return one.dataset == dataset; });
  return row == kRows.end() ? Row{dataset, 0, {}} : *row;
}

double mlp_epochs(const MlpEpochs& of, const StageCall& call) {
  if (call.generator == kOriginal) return of.original;
  return call.setting == "augment" ? of.augment : of.replace;
}

/// How the histories of MLP's fits end that are like this one: on the original users, or on any generator's in this setting.
std::string any_generators(const StageCall& call) {
  if (call.generator == kOriginal) return recommender_history_stage(kOriginal, call.setting);
  return recommender_history_stage("", call.setting);
}

ExpectedEpochs fixed_number(std::int64_t epochs) { return {static_cast<double>(epochs), ""}; }

/// Early stopping with a maximum.
ExpectedEpochs stopped(std::int64_t most, double usual, const std::string& source) {
  if (usual >= static_cast<double>(most)) return {static_cast<double>(most), "assumed: all of them"};
  return {usual, source};
}

}  // namespace

ExpectedEpochs expected_epochs(const RunJob& job, const StageCall& call, const FinishedWork& finished) {
  const std::string& stage = call.stage;
  const sdrm::VaeConfig& multivae = job.baselines.multivae.vae;
  if (stage == "sdrm_fit") return fixed_number(job.values.score.epochs);
  if (stage == "ctgan_fit") return fixed_number(job.baselines.ctgan.epochs);
  if (stage == "tvae_fit") return fixed_number(job.baselines.tvae.epochs);
  if (stage == "multivae_fit" && multivae.patience >= multivae.max_epochs) return fixed_number(multivae.max_epochs);
  if (stage == kRecommenderFit && job.values.neumf) {
    return fixed_number(job.values.neumf->selection == NeuMfSelection::kFirstEpoch ? 1 : job.values.neumf->max_epochs);
  }
  const bool own = stage == "vae_fit" || stage == kRecommenderFit;
  const std::string kept = stage == kRecommenderFit ? any_generators(call) : stage;
  if (const std::optional<KnownMean> known = finished.epochs(job.dataset, own ? job.recommender : kBaselineOwner, kept)) {
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
    const double known = mlp_epochs(row.mlp, call);
    return stopped(job.values.mlp->max_epochs, from(known, mlp_epochs(kAnyMlp, call)), source(known));
  }
  return {};
}

}  // namespace tapestry::recsys
