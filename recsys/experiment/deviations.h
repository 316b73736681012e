#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "recsys/data/protocol.h"
#include "sdrm/config.h"

namespace tapestry::recsys {

struct Hyperparameters;

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
