#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "recsys/data/dataset.h"
#include "recsys/data/interactions.h"
#include "tensor/csr.h"

namespace tapestry::recsys {

enum class ProtocolName : std::uint8_t { kPublished, kStrict };

/// "published" or "strict". Throws Error(kUsage) for any other text, listing the two.
ProtocolName parse_protocol(const std::string& text);
const char* to_string(ProtocolName protocol);

/// What the published program does otherwise than its paper says, or than the question asks, and what can be left out alone to
/// see what it does to the figures (docs/deviations.md). In the order of reports.
enum class Deviation : std::uint8_t {
  kDislikesRelevant,   ///< disliked items of the reported users count as interactions: as input, held out, and selected on
  kDislikesInDensity,  ///< the density that synthetic users get counts the real users' dislikes
  kSelectionLeak,      ///< epochs are chosen on the reported users, held-out entries among what is looked at
  kTiedLayers,         ///< SDRM's hidden layers are one layer applied n times
  kSamplingDropout,    ///< SDRM's dropout stays on while sampling
  kScoreModel,         ///< SDRM's sampler takes away what its network says: no deviation, but what SDRM is about
};

/// One part of a cross-validation over users. The default is none: one draw of the three groups.
struct Fold {
  int index = 0;  ///< below count
  int count = 0;  ///< 0: no cross-validation
};

/// An 80/20 split of some users' items: the input a model may see and the items it has to find. Same rows in both.
struct HeldOut {
  CsrMatrix input;    ///< [V, I] ones
  CsrMatrix heldout;  ///< [V, I] ones
};

/// Users as a recommender sees them that learns from dislikes (NeuMF): only likes are interactions, and of each user's dislikes
/// one half is known to it. Same rows in all.
struct LikesView {
  HeldOut likes;
  CsrMatrix dislikes;  ///< the known half (rounded up) of the explicit zeros, ones there
};

/// What a protocol hands to generators and recommenders. N rows of D, V evaluation users, I items.
struct ProtocolData {
  ProtocolName name = ProtocolName::kPublished;
  CsrMatrix train;           ///< D [N, I] ones (likes): what `original` and `augment` train on
  CsrMatrix train_dislikes;  ///< [N, I] ones at D's explicit zeros
  /// D as a recommender sees it that learns from dislikes: without the users of selection_likes, who have a block of their own
  /// when they are not the reported ones.
  Interactions train_known;
  CsrMatrix generator;  ///< what the generators are fitted on: published [D; evaluation inputs] [N + V, I], strict D
  HeldOut evaluation;   ///< the users that are reported
  std::vector<std::int32_t> evaluation_users;  ///< [V] their rows in the data set, ascending
  std::int64_t left_out_users = 0;             ///< valid users that are not reported: strict, fewer than two likes
  double density = 0;  ///< share of entries of D that a synthetic matrix gets: stored (published) or liked (strict) over N*I
  std::int64_t synthetic_rows = 0;  ///< N
  /// The split of the selection users for early stopping after `epoch`. published: a fresh random 80/20 split of the
  /// evaluation users' stored entries each epoch (the leak of the published program); strict: one fixed split of the test users.
  std::function<HeldOut(std::uint64_t seed, int epoch)> selection;
  LikesView evaluation_likes;  ///< [V, I] the evaluation users; published: with a hold-out of their own, drawn from likes only
  /// Whom a recommender that has to see its users in the fit chooses its epoch on. published: the evaluation users themselves
  /// (another leak); strict: the test users.
  LikesView selection_likes;
  bool selects_apart = false;  ///< selection_likes are other users than those that are reported
};

/// Builds the protocol's matrices. published: D is the train and test users' likes; evaluation users are the valid ones and all
/// their stored entries, dislikes included, count as interactions; split and hold-out come from the data set. strict: 70:20:10
/// groups (train, test, valid) and the hold-outs are drawn from `seed`, and only likes are interactions; D is the train users,
/// and users with fewer than two likes, who cannot give both an input and a held-out item, are neither used for selection nor
/// reported. With a fold, strict reports the users of that fold, of `count` groups of equal size that are drawn from `seed`, and
/// the others are train and test users, 70:20. Rows are in the data set's user order.
///
/// `without`, published only, leaves deviations out that concern the data (the models' are the hyperparameters' matter):
///   dislikes-relevant    of the evaluation users' stored entries only the likes are input, held out and selected on; the
///                        hold-out is the same draw with its explicit zeros struck out, so that a user may be left with nothing
///                        to find
///   dislikes-in-density  density counts D's likes
///   selection-leak       choices are made on the test group's users with two likes: 20 % of each one's likes, one draw for all
///                        epochs and runs, are held out and leave the generators' fit; recommenders that choose see the rest of
///                        these users' likes (and half of their dislikes) as a block of its own. D, which the other recommenders
///                        learn from, and with it N, stays as it is
///
/// Throws Error(kData) when a group has no user, Error(kMisuse) for a fold under `published` or one that does not exist, and for
/// deviations to leave out of `strict`, which has none.
ProtocolData make_protocol(const Dataset& dataset, ProtocolName name, std::uint64_t seed, const Fold& fold = {},
                           const std::set<Deviation>& without = {});

}  // namespace tapestry::recsys
