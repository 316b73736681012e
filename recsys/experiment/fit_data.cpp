#include "recsys/experiment/fit_data.h"

#include "recsys/experiment/selection.h"
#include "recsys/generators/make_generators.h"

namespace tapestry::recsys {
namespace {

/// The order of the blocks as the published program stacks them for MLP, which validates on the last rows.
std::vector<Block> published_mlp_order(const std::string& generator, bool augment) {
  if (SdrmFamily::has(generator)) {
    if (augment) return {Block::kReal, Block::kEvaluation, Block::kSynthetic};
    return {Block::kSynthetic};
  }
  if (augment) return {Block::kReal, Block::kSynthetic, Block::kEvaluation};
  return {Block::kSynthetic, Block::kEvaluation};
}

std::vector<Block> block_order(const ProtocolData& protocol, const std::string& recommender, const std::string& generator,
                               const std::string& setting) {
  const bool strict = protocol.name == ProtocolName::kStrict;
  const bool augment = setting == "augment";
  std::vector<Block> order;
  if (generator == kOriginal) {
    order = {Block::kReal, Block::kEvaluation};
  } else if (recommender == "mlp" && !strict) {
    order = published_mlp_order(generator, augment);
  } else if (augment) {
    order = {Block::kReal, Block::kEvaluation, Block::kSynthetic};
  } else {
    order = {Block::kSynthetic, Block::kEvaluation};
  }
  if (protocol.selects_apart && learns_from_dislikes(recommender)) order.push_back(Block::kSelection);
  return order;
}

/// Whose users the published NeuMF script reads as tables of 1, 0 and -1. To make zeros of the -1 it sets whole triples to
/// (0, 0, 0) instead of their labels (`neural_cf_benchmark_pt.py`, benchmark_datasets_neuralcf).
bool loses_dislikes(const std::string& generator) { return is_of_a_table(generator) && generator != "tvae-threshold"; }

/// The first user that the script does not drop for having no entry at all; 0 when there is none.
std::int64_t first_with_entries(const Interactions& users) {
  for (std::int64_t row = 0; row < users.likes.rows(); ++row) {
    if (users.likes.row_nnz(row) + users.dislikes.row_nnz(row) > 0) return row;
  }
  return 0;
}

}  // namespace

FitData make_fit_data(const ProtocolData& protocol, const std::string& recommender, const std::string& generator,
                      const std::string& setting, const Interactions& synthetic) {
  FitData data;
  data.order = block_order(protocol, recommender, generator, setting);
  data.block(Block::kSynthetic) = synthetic;
  const bool strict = protocol.name == ProtocolName::kStrict;
  if (learns_from_dislikes(recommender)) {
    if (!strict && loses_dislikes(generator)) {
      data.misplaced_dislikes = {synthetic.dislikes.nnz(), first_with_entries(synthetic)};
      data.block(Block::kSynthetic).dislikes = no_entries(synthetic.likes);
    }
    data.block(Block::kReal) = protocol.train_known;
    data.block(Block::kEvaluation) = {protocol.evaluation_likes.likes.input, protocol.evaluation_likes.dislikes};
    data.block(Block::kSelection) = {protocol.selection_likes.likes.input, protocol.selection_likes.dislikes};
    data.selection = protocol.selects_apart ? Block::kSelection : Block::kEvaluation;
    data.selection_heldout = protocol.selection_likes.likes.heldout;
  } else {
    data.block(Block::kReal) = {protocol.train, no_entries(protocol.train)};
    data.block(Block::kEvaluation) = {protocol.evaluation.input, no_entries(protocol.evaluation.input)};
    if (strict) {
      data.block(Block::kSelection) = {protocol.selection_likes.likes.input, no_entries(protocol.selection_likes.likes.input)};
      data.validation = Block::kSelection;
    }
  }
  return data;
}

const CsrMatrix& heldout_for(const ProtocolData& protocol, const std::string& recommender) {
  return learns_from_dislikes(recommender) ? protocol.evaluation_likes.likes.heldout : protocol.evaluation.heldout;
}

}  // namespace tapestry::recsys
