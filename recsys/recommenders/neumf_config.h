#pragma once

#include <cstdint>

namespace tapestry::recsys {

/// Which epoch's weights NeuMF keeps.
enum class NeuMfSelection : std::uint8_t {
  kFirstEpoch,  ///< the first one's, so that no other is trained: what the published program does by a slip
  kBestLoss,    ///< of the lowest loss on the validation triples
  kBestRecall,  ///< of the highest Recall@10 on FitData::selection
  /// The same, and the dislikes of the reported users are neither in the fit nor masked: what the published search does from its
  /// second evaluation on, where the first one's split has struck them from the matrix that all share (docs/reproduction.md).
  kBestRecallNoDislikes,
};

/// Whether the selection users are ranked for after every epoch.
inline bool by_recall(NeuMfSelection selection) {
  return selection == NeuMfSelection::kBestRecall || selection == NeuMfSelection::kBestRecallNoDislikes;
}

/// Neural matrix factorisation's sizes and training.
struct NeuMfConfig {
  std::int64_t gmf_width = 8;   ///< of a user's and an item's vector on the side of the product
  std::int64_t mlp_width = 32;  ///< the same on the side of the tower, whose layers halve 2 mlp_width three times
  double dropout = 0.5;
  double learning_rate = 1e-3;
  std::int64_t batch = 256;
  std::int64_t max_epochs = 20;
  double validation_share = 0.2;  ///< of the triples, drawn afresh for each epoch
  double embedding_deviation = 0.01;
  NeuMfSelection selection = NeuMfSelection::kBestRecall;
};

}  // namespace tapestry::recsys
