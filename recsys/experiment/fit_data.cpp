#include "recsys/experiment/fit_data.h"

#include <algorithm>

#include "recsys/experiment/selection.h"
#include "recsys/generators/sdrm_family.h"

namespace tapestry::recsys {
namespace {

/// The order of the blocks as the published program stacks them for MLP, which validates on the last rows.
std::vector<Block> published_mlp_order(const std::string& generator, bool augment) {
  const std::vector<std::string> family = SdrmFamily::names();
  if (std::find(family.begin(), family.end(), generator) != family.end()) {
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
  } else if (recommender == "mlp") {
    order = {Block::kEvaluation, Block::kSynthetic};
  } else {
    order = {Block::kSynthetic, Block::kEvaluation};
  }
  if (protocol.selects_apart && learns_from_dislikes(recommender)) order.push_back(Block::kSelection);
  return order;
}

}  // namespace

FitData make_fit_data(const ProtocolData& protocol, const std::string& recommender, const std::string& generator,
                      const std::string& setting, const Interactions& synthetic) {
  FitData data;
  data.order = block_order(protocol, recommender, generator, setting);
  data.validate_on_real = protocol.name == ProtocolName::kStrict;
  data.block(Block::kSynthetic) = synthetic;
  if (learns_from_dislikes(recommender)) {
    data.block(Block::kReal) = protocol.train_known;
    data.block(Block::kEvaluation) = {protocol.evaluation_likes.likes.input, protocol.evaluation_likes.dislikes};
    data.block(Block::kSelection) = {protocol.selection_likes.likes.input, protocol.selection_likes.dislikes};
    data.selection = protocol.selects_apart ? Block::kSelection : Block::kEvaluation;
    data.selection_heldout = protocol.selection_likes.likes.heldout;
  } else {
    data.block(Block::kReal) = {protocol.train, no_entries(protocol.train)};
    data.block(Block::kEvaluation) = {protocol.evaluation.input, no_entries(protocol.evaluation.input)};
  }
  return data;
}

const CsrMatrix& heldout_for(const ProtocolData& protocol, const std::string& recommender) {
  return learns_from_dislikes(recommender) ? protocol.evaluation_likes.likes.heldout : protocol.evaluation.heldout;
}

}  // namespace tapestry::recsys
