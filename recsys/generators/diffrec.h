#pragma once

#include <memory>
#include <vector>

#include "nn/layers.h"
#include "recsys/generators/diffrec_schedule.h"
#include "sdrm/binarize.h"

namespace tapestry::recsys {

using autograd::Variable;

/// DiffRec's network: f(x_t, t), trained to give x_0 (or the noise) of a user's noised row.
///   [x_t, Linear(embedding(t))] -> Linear -> tanh -> ... -> Linear = output [B, I]
/// x_t is noise on every item, hence dense. The first layer's weight is kept in two parts, for x and for t: the product for t has
/// only T different rows. Parameters "time.weight", "time.bias", "input.weight_x" [H, I], "input.weight_t" [H, E], "input.bias",
/// "hidden.i.weight", "hidden.i.bias", "output.weight" [I, H], "output.bias".
class DiffRecModel : public nn::Module {
 public:
  DiffRecModel(std::int64_t items, const DiffRecConfig& config, nn::Initializer& init);

  /// x [B, I], t int32 [B] in 1..T -> the last hidden layer [B, H].
  Variable hidden(const Tensor& x, const Tensor& t) const;
  /// That layer's output [B, I].
  Variable output(const Variable& h) const { return output_.forward(h); }
  Variable forward(const Tensor& x, const Tensor& t) const { return output(hidden(x, t)); }

  std::int64_t items() const { return items_; }
  DType dtype() const { return table_.dtype(); }
  Device device() const { return table_.device(); }

 private:
  struct Input : nn::Module {
    Input(std::int64_t items, std::int64_t time_width, std::int64_t out, nn::Initializer& init);
    Variable weight_x, weight_t, bias;
  };
  struct Hidden : nn::Module {
    Hidden(const std::vector<std::int64_t>& widths, nn::Initializer& init);
    std::vector<std::unique_ptr<nn::Linear>> layers;
  };

  std::int64_t items_;
  Tensor table_;                      ///< embeddings of t = 1..T: [T, E]
  std::vector<std::int64_t> widths_;  ///< of the hidden layers, input to output
  nn::Linear time_;
  Input input_;
  Hidden hidden_;
  nn::Linear output_;
};

/// One training batch, B users, where the model is.
struct DiffRecBatch {
  Tensor x0;       ///< [B, I] ones and zeros
  Tensor t;        ///< int32 [B] in 1..T
  Tensor divisor;  ///< [B, 1] p_t T: a step that is drawn more often counts less
  Tensor noise;    ///< [B, I] eps
};

/// What the schedule says of each step, looked up where the batches are: [T + 1, 1] each.
struct DiffRecTables {
  DiffRecTables(const DiffRecSchedule& schedule, std::int64_t items, DType dtype, Device device);
  Tensor signal;  ///< sqrt(abar_t)
  Tensor noise;   ///< sqrt(1 - abar_t)
  Tensor weight;  ///< weight_t / I
};

/// x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps, each row at its own step: [B, I].
Tensor noised_rows(const DiffRecBatch& batch, const DiffRecTables& tables);

struct DiffRecLoss {
  Variable total;  ///< [] mean over users of by_user / divisor
  Tensor by_user;  ///< [B, 1] weight_t mean_i (output - target)^2
};

/// `seen` [B, I] is x_t after dropout.
DiffRecLoss diffrec_loss(const DiffRecModel& model, const DiffRecBatch& batch, const Tensor& seen, const DiffRecTables& tables,
                         DiffRecTarget target);

/// Both for a single batch, with tables made for it: a loop makes them once.
Tensor noised_rows(const DiffRecBatch& batch, const DiffRecSchedule& schedule);
DiffRecLoss diffrec_loss(const DiffRecModel& model, const DiffRecBatch& batch, const Tensor& seen,
                         const DiffRecSchedule& schedule, DiffRecTarget target);

/// Scores [V, I], on the model's device, for ranking of rows on the host: each row corrupted by config.inference_steps, then all
/// T reverse means without noise (Algorithm 2). `stream` matters only where a row is corrupted.
Tensor diffrec_scores(const DiffRecModel& model, const CsrMatrix& rows, const DiffRecSchedule& schedule,
                      const DiffRecConfig& config, const RandomStream& stream);

/// Scores [rows, I], on the model's device, of users made from noise: x_T ~ N(0, I), the reverse means for t = T..1, with noise
/// of the posterior's variance where config.sampling_noise says so. A user depends on the seed and its row alone, up to the
/// rounding of products of another size: the last tile is shorter. With kX0 the last hidden layer of every user is kept (at t = 1
/// the mean is the network's output itself), otherwise the whole chain is computed again for each tile.
sdrm::LogitMatrix diffrec_samples(const DiffRecModel& model, const DiffRecConfig& config, std::int64_t rows, std::uint64_t seed,
                                  const std::function<void(double fraction)>& progress = {});

}  // namespace tapestry::recsys
