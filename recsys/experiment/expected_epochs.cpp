#include "recsys/experiment/expected_epochs.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "recsys/experiment/recommender_history.h"
#include "recsys/experiment/selection.h"
#include "recsys/experiment/stage_names.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// Epochs of MultiVAE++, which has hyperparameters of its own for each recommender. 0: not known, as for data of one's own.
struct VaeEpochs {
  double svd, mlp, neumf;
};

/// Epochs of MLP's fits, by what it learns from: on most synthetic users it goes on for longer. 0: not known.
struct MlpEpochs {
  double original, augment, replace;
};

/// What trainings that stop early took on the build machine: rounded means of seed 1, protocol and variant `published` (under
/// `strict` they stop at other epochs). Those of generators are over five runs, from docs/results/published/report.md,
/// section "Training"; for `simulated`, where a few minutes give them again, there is no such report. MLP's are over five
/// runs and, with synthetic users, over the eight generators of the same report ("Training of the recommenders"); what
/// amazon-digital-music has with MLP, MultiVAE++'s epochs too, is in docs/results/published-sdrm, with
/// users of MultiVAE++ and SDRM.
struct Row {
  std::string_view dataset;
  VaeEpochs vae;
  double codigem, diffrec;  ///< 0: not known
  MlpEpochs mlp;
};
constexpr std::array<Row, 5> kRows = {{{"ml-100k", {199, 108, 239}, 88, 103, {48, 55, 54}},
                                       {"ml-1m", {85, 204, 252}, 58, 77, {33, 35, 37}},
                                       {"amazon-luxury-beauty", {135, 184, 154}, 90, 75, {20, 41, 29}},
                                       {"amazon-digital-music", {221, 145, 155}, 70, 146, {11, 26, 39}},
                                       {"simulated", {150, 150, 150}, 45, 163, {0, 0, 0}}}};
constexpr const char* kEarlierRuns = "assumed as in earlier runs";
constexpr const char* kGuess = "a guess";
constexpr double kAnyVae = 150, kAnyCodigem = 50, kAnyDiffRec = 100;
constexpr MlpEpochs kAnyMlp = {15, 40, 40};

Row row_of(const std::string& dataset) {
  const auto* const row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& one) { return one.dataset == dataset; });
  return row == kRows.end() ? Row{dataset, {}, 0, 0, {}} : *row;
}

double vae_epochs(const VaeEpochs& of, const std::string& recommender) {
  if (recommender == "svd") return of.svd;
  if (recommender == "mlp") return of.mlp;
  return recommender == "neumf" ? of.neumf : 0;
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

/// Early stopping with a maximum, after what earlier runs took, 0 where that is not known.
ExpectedEpochs stopped(std::int64_t most, double known, double guess) {
  const double usual = known > 0 ? known : guess;
  if (usual >= static_cast<double>(most)) return {static_cast<double>(most), "assumed: all of them"};
  return {usual, known > 0 ? kEarlierRuns : kGuess};
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
  if (stage == "vae_fit") return stopped(job.values.vae.max_epochs, vae_epochs(row.vae, job.recommender), kAnyVae);
  if (stage == "multivae_fit") return stopped(multivae.max_epochs, 0, kAnyVae);
  if (stage == "codigem_fit") return stopped(job.baselines.codigem.max_epochs, row.codigem, kAnyCodigem);
  if (stage == "diffrec_fit") return stopped(job.baselines.diffrec.max_epochs, row.diffrec, kAnyDiffRec);
  if (stage == kRecommenderFit && job.values.mlp) {
    return stopped(job.values.mlp->max_epochs, mlp_epochs(row.mlp, call), mlp_epochs(kAnyMlp, call));
  }
  return {};
}

}  // namespace tapestry::recsys
