#pragma once

#include <memory>
#include <vector>

#include "optim/adam.h"
#include "recsys/data/row_batches.h"
#include "recsys/recommenders/mlp_model.h"
#include "recsys/recommenders/recommender.h"

namespace tapestry::recsys {

struct MlpEpoch {
  std::int64_t epoch;  ///< from 0
  double loss;         ///< mean over the updates
  double rmse;         ///< of the probabilities on the validation rows
};

struct MlpFit {
  std::int64_t best_epoch = 0;
  double best_rmse = 0;
  std::vector<MlpEpoch> history;
};

/// Root mean square of sigmoid(logits) - x over all entries of the rows, which lie where the model does, or on the host.
double mlp_rmse(const MlpModel& model, const RowBatches& rows);
double mlp_rmse(const MlpModel& model, const CsrMatrix& rows);

/// One update on a batch of rows [B, I]: Adam on the mean binary cross-entropy over all I outputs, the target being the input.
/// Returns the loss before it, [] on the model's device, where the batch is too. `adam` holds model.dense_parameters(), `first`
/// is model.first().new_update() as the updates before left it; `factors` is a row of what adam prepared, where the model is, and
/// the update is not counted. Throws Error(kMisuse) for an adam with weight decay, which the first layer's weight would not have.
Tensor mlp_update(const MlpModel& model, optim::Adam& adam, ValueLayer::Update& first, const CsrMatrix& batch,
                  const Tensor& factors, const MlpModel::Drop& drop);
/// The same by itself, counted.
Tensor mlp_update(const MlpModel& model, optim::Adam& adam, ValueLayer::Update& first, const CsrMatrix& batch,
                  const MlpConfig& config, const MlpModel::Drop& drop);

/// Trains on `train`, rows (on the host) reshuffled every epoch, the short last batch kept. After every epoch the RMSE on `valid`
/// is taken; training ends when it has not fallen by config.min_delta below the best one for `patience` epochs in a row, and the
/// best epoch's weights are restored. Throws Error(kFit) when either has no row, when the loss is no longer a number, when the
/// RMSE is none after any epoch, or when one of the weights that are kept is none. With a checkpoint a fit that was broken off
/// goes on from there: the same fit, to the bit.
MlpFit fit_mlp(MlpModel& model, const CsrMatrix& train, const CsrMatrix& valid, const MlpConfig& config, std::uint64_t seed,
               const FitListener& listener = {}, sdrm::FitCheckpoint* checkpoint = nullptr);

/// Which rows of a stack train the model and which it is stopped on.
struct MlpSplit {
  std::vector<std::int32_t> train, valid;
};
/// The first floor((1 - share) n) of the n rows train, as in the published program.
MlpSplit mlp_split(std::int64_t rows, double share);

/// The MLP as a recommender: a user's scores are the logits of his input. It is fitted and scores on `device`.
class MlpRecommender : public Recommender {
 public:
  explicit MlpRecommender(MlpConfig config, std::uint64_t seed, Device device = Device::kCpu)
      : config_(config), seed_(seed), device_(device) {}

  void fit(const FitData& data, const FitListener& listener, sdrm::FitCheckpoint* checkpoint = nullptr) override;
  Tensor score(std::int64_t begin, std::int64_t end) const override;
  CsrMatrix masked() const override;

  const MlpFit& history() const { return fit_; }  ///< of the last fit

 private:
  MlpConfig config_;
  std::uint64_t seed_;
  Device device_;
  std::unique_ptr<MlpModel> model_;
  CsrMatrix inputs_;
  MlpFit fit_;
};

}  // namespace tapestry::recsys
