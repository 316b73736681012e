#pragma once

#include <memory>
#include <vector>

#include "optim/adam.h"
#include "recsys/recommenders/neumf_model.h"
#include "recsys/recommenders/neumf_triples.h"

namespace tapestry::recsys {

struct NeuMfEpoch {
  std::int64_t epoch;      ///< from 0
  double loss;             ///< mean over the updates
  double validation_loss;  ///< mean over the epoch's validation triples
  double recall;           ///< Recall@10 on the selection users; NaN where that is not what decides
};

struct NeuMfFit {
  std::int64_t kept_epoch = 0;
  std::vector<NeuMfEpoch> history;
};

/// Mean binary cross-entropy of the triples, without dropout. NaN when there are none.
double neumf_loss(const NeuMfModel& model, const TripleTensors& triples);

/// One update on a batch of triples: Adam on the mean binary cross-entropy. Returns the loss before it, [] on the model's device.
/// `adam` holds model.parameters(); `factors` is a row of what it prepared, where the model is, and the update is not counted.
Tensor neumf_update(const NeuMfModel& model, optim::Adam& adam, const TripleTensors& batch, const Tensor& factors,
                    const NeuMfModel::Drop& drop);
/// The same by itself, counted.
Tensor neumf_update(const NeuMfModel& model, optim::Adam& adam, const TripleTensors& batch, const NeuMfConfig& config,
                    const NeuMfModel::Drop& drop);

/// Trains for config.max_epochs (one, if the first is kept), each on a fresh split, and restores the weights of the epoch that
/// config.selection asks for, the earlier one among equals. recall(model) is asked for after each epoch where by_recall(). Throws
/// Error(kFit) when a loss is no longer a number, when the criterion was NaN in every epoch, and when one of the weights that are
/// kept is no number. With a checkpoint a fit that was broken off goes on from there: the same fit, to the bit.
NeuMfFit fit_neumf(NeuMfModel& model, const Triples& all, const NeuMfConfig& config, std::uint64_t seed,
                   const std::function<double(const NeuMfModel&)>& recall, const FitListener& listener = {},
                   sdrm::FitCheckpoint* checkpoint = nullptr);

/// NeuMF as a recommender. It ranks for users whom it has seen in the fit, and only items that occur there; what a user has in
/// the fit, dislikes too, is masked. It is fitted and scores on `device`; an epoch's triples are drawn on the host, each draw
/// depending on the one before, and go over together.
class NeuMfRecommender : public Recommender {
 public:
  NeuMfRecommender(NeuMfConfig config, std::uint64_t seed, Device device = Device::kCpu)
      : config_(config), seed_(seed), device_(device) {}

  /// given.order must have kEvaluation and given.selection: throws Error(kMisuse) before it trains where one is missing.
  void fit(const FitData& given, const FitListener& listener, sdrm::FitCheckpoint* checkpoint = nullptr) override;
  Tensor score(std::int64_t begin, std::int64_t end) const override;
  CsrMatrix masked() const override;

  const NeuMfFit& history() const { return fit_; }  ///< of the last fit

 private:
  NeuMfConfig config_;
  std::uint64_t seed_;
  Device device_;
  std::unique_ptr<NeuMfModel> model_;
  std::int64_t first_user_ = 0;  ///< the evaluation users' first row in the fit
  CsrMatrix masked_;
  NeuMfFit fit_;
};

/// For each user of a block in the fit, what is not to be ranked: his own entries, and items without an entry in any block of it.
/// Misplaced dislikes do not count here: item 0 is masked where it has no other entry. The published script, which ranks the
/// items of its triples, would rank it.
CsrMatrix neumf_masked(const FitData& data, Block which);

}  // namespace tapestry::recsys
