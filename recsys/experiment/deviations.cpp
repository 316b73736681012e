#include "recsys/experiment/deviations.h"

#include <algorithm>
#include <array>

#include "recsys/experiment/hyperparameters.h"
#include "recsys/experiment/selection.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr std::array<const char*, 6> kNames = {"dislikes-relevant", "dislikes-in-density", "selection-leak",
                                               "tied-layers",       "sampling-dropout",    "score-model"};

}  // namespace

std::vector<std::string> known_deviations() { return {kNames.begin(), kNames.end()}; }

const char* to_string(Deviation deviation) { return kNames[static_cast<std::size_t>(deviation)]; }

std::string joined(const std::set<Deviation>& deviations) {
  std::string text;
  for (const Deviation deviation : deviations) text += std::string(text.empty() ? "" : ",") + to_string(deviation);
  return text;
}

std::set<Deviation> parse_deviations(std::span<const std::string> names) {
  std::set<Deviation> deviations;
  for (const std::string& name : select_names("deviation", names, known_deviations())) {
    deviations.insert(static_cast<Deviation>(std::find(kNames.begin(), kNames.end(), name) - kNames.begin()));
  }
  const auto named = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (named("all") && !named(to_string(Deviation::kScoreModel))) deviations.erase(Deviation::kScoreModel);
  return deviations;
}

void check_deviations(const std::set<Deviation>& without, ProtocolName protocol, sdrm::Variant variant) {
  if (!without.empty() && protocol != ProtocolName::kPublished) {
    fail(ErrorKind::kUsage, "--without goes with --protocol published only: ", to_string(protocol), " has no deviations");
  }
  for (const Deviation deviation : {Deviation::kTiedLayers, Deviation::kSamplingDropout}) {
    if (variant == sdrm::Variant::kPaper && without.contains(deviation)) {
      fail(ErrorKind::kUsage, "--without ", to_string(deviation), " goes with --variant published only: paper has none");
    }
  }
}

void leave_out(const std::set<Deviation>& without, Hyperparameters& values) {
  if (without.contains(Deviation::kTiedLayers)) values.score.tied_layers = false;
  if (without.contains(Deviation::kSamplingDropout)) values.score.sampling_dropout = false;
  if (without.contains(Deviation::kScoreModel)) values.score.removes_noise = false;
}

}  // namespace tapestry::recsys
