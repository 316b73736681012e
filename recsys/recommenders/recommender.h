#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "recsys/data/interactions.h"
#include "recsys/generators/fit_log.h"
#include "recsys/generators/generator.h"
#include "sdrm/fit_checkpoint.h"
#include "tensor/csr.h"
#include "tensor/tensor.h"

namespace tapestry::recsys {

/// Groups of users that a fit may have.
enum class Block : std::uint8_t {
  kReal,        ///< the users of D
  kEvaluation,  ///< what the users who are reported have told so far
  kSynthetic,   ///< a generator's users
  kSelection,   ///< what the users have told on whom choices are made, where they are others than the reported ones
};

/// What a recommender learns from. recsys/experiment/fit_data.h fills it in as the protocol says.
struct FitData {
  std::array<Interactions, 4> blocks;  ///< by Block; dislikes only where the recommender learns from them
  std::vector<Block> order;            ///< the blocks in the fit, in the order in which their rows are stacked
  /// The block, which is not in the fit, on whose likes a training of epochs is stopped; without one, the last rows of the stack.
  std::optional<Block> validation = {};
  /// Dislikes of synthetic users of which nothing but their number is left: NeuMF counts each as one of item 0 by this synthetic
  /// user. A slip of the published program, with the users of `ctgan` and `tvae`.
  struct Misplaced {
    std::int64_t count = 0;
    std::int64_t user = 0;  ///< row of the block
  };
  Misplaced misplaced_dislikes = {};
  Block selection = Block::kEvaluation;  ///< in the fit: whose recommendations may be looked at to choose between epochs
  CsrMatrix selection_heldout;           ///< what those users hold out, rows as in that block

  const Interactions& block(Block which) const { return blocks[static_cast<std::size_t>(which)]; }
  Interactions& block(Block which) { return blocks[static_cast<std::size_t>(which)]; }
  /// The likes of the blocks in the fit, stacked. Throws Error(kMisuse) when blocks have different numbers of items.
  CsrMatrix stacked_likes() const;
  /// The first row of a block in that stack. Throws Error(kMisuse) when it is not part of it.
  std::int64_t first_row(Block which) const;
};

/// Hears of the progress of a fit, several times a second where there is much to do, and of each epoch at its end, with its loss
/// and what the training is judged by. It may throw, which ends the fit.
using FitListener = std::function<void(const StageProgress&)>;

/// Tells the listener of a finished epoch what told_of(epoch) says, and of one that the fit has taken up from its checkpoint that
/// it was. Empty where nobody listens.
template <typename Epoch, typename ToldOf>
std::function<void(const Epoch&)> end_of_epochs(const FitListener& listener, const sdrm::FitCheckpoint* checkpoint,
                                                const ToldOf& told_of) {
  if (!listener) return {};
  return [listener, checkpoint, told_of](const Epoch& report) {
    StageProgress progress = told_of(report);
    if (checkpoint != nullptr) progress.earlier = earlier_of(*checkpoint, report.epoch);
    listener(progress);
  };
}

/// What MLP and NeuMF draw numbers for, each from derive_seed(recommender's seed, part). Append only: a changed number changes
/// every result.
enum class FitPart : std::uint64_t { kInit = 1, kTraining = 2 };

/// A model that ranks items for users. V evaluation users, I items.
class Recommender {
 public:
  virtual ~Recommender() = default;

  /// Learns from the blocks in data.order, which has kEvaluation or at least names its users. A second call starts afresh; with a
  /// checkpoint a fit that was broken off goes on from there: the same fit, to the bit. Throws Error(kFit) with the reason when
  /// nothing can be learnt, or when training ran away.
  virtual void fit(const FitData& data, const FitListener& listener, sdrm::FitCheckpoint* checkpoint = nullptr) = 0;

  /// Scores of every item for the evaluation users [begin, end): float32 [end - begin, I] on whichever device the model computes,
  /// higher is better. Nothing is masked. A user's scores do not depend on which others are asked for. Throws Error(kMisuse)
  /// before fit().
  virtual Tensor score(std::int64_t begin, std::int64_t end) const = 0;

  /// The items that are not to be ranked for the evaluation users: [V, I] ones. Throws Error(kMisuse) before fit().
  virtual CsrMatrix masked() const = 0;
};

}  // namespace tapestry::recsys
