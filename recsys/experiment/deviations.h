#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "sdrm/config.h"

namespace tapestry::recsys {

enum class ProtocolName : std::uint8_t;
struct Hyperparameters;

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

std::vector<std::string> known_deviations();
const char* to_string(Deviation deviation);
/// "selection-leak,tied-layers"; empty for none.
std::string joined(const std::set<Deviation>& deviations);

/// Deviations by name, "all" for all of them but kScoreModel, which is SDRM's own network. Throws Error(kUsage) for another name,
/// listing them.
std::set<Deviation> parse_deviations(std::span<const std::string> names);

/// Throws Error(kUsage) unless these can be left out: only `published` has deviations, and the variant `paper` of SDRM neither
/// ties layers nor drops while sampling.
void check_deviations(const std::set<Deviation>& without, ProtocolName protocol, sdrm::Variant variant);

/// Leaves those out that are the models' own: tied layers, dropout while sampling, the score model. Nothing else is touched.
void leave_out(const std::set<Deviation>& without, Hyperparameters& values);

}  // namespace tapestry::recsys
