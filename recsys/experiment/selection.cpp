#include "recsys/experiment/selection.h"

#include <algorithm>

#include "recsys/data/joined.h"
#include "recsys/generators/make_generators.h"
#include "recsys/recommenders/mlp.h"
#include "recsys/recommenders/neumf.h"
#include "recsys/recommenders/svd.h"
#include "tensor/error.h"

namespace tapestry::recsys {

std::vector<std::string> known_recommenders() { return {"svd", "mlp", "neumf"}; }

std::vector<std::string> known_generators() {
  std::vector<std::string> names = {kOriginal};
  for (const std::string& name : known_generator_names()) names.push_back(name);
  return names;
}

std::vector<std::string> known_settings() { return {"augment", "replace"}; }

std::vector<std::string> select_names(const std::string& what, std::span<const std::string> asked,
                                      std::span<const std::string> known) {
  const std::string list = joined(known);
  bool all = false;
  for (const std::string& name : asked) {
    all = all || name == "all";
    if (name != "all" && std::find(known.begin(), known.end(), name) == known.end()) {
      fail(ErrorKind::kUsage, "no ", what, " is called '", name, "', there are: ", list);
    }
  }
  std::vector<std::string> selected;
  for (const std::string& name : known) {
    if (all || std::find(asked.begin(), asked.end(), name) != asked.end()) selected.push_back(name);
  }
  if (selected.empty()) fail(ErrorKind::kUsage, "no ", what, " was asked for, there are: ", list);
  return selected;
}

std::unique_ptr<Recommender> make_recommender(const std::string& name, const Hyperparameters& values, std::uint64_t seed,
                                              Device device) {
  if (name == "svd") return std::make_unique<SvdRecommender>(20, TruncatedSvdOptions{.device = device});
  if (name == "mlp") return std::make_unique<MlpRecommender>(values.mlp.value_or(MlpConfig()), seed, device);
  if (name == "neumf") return std::make_unique<NeuMfRecommender>(values.neumf.value_or(NeuMfConfig()), seed, device);
  fail(ErrorKind::kUsage, "no recommender is called '", name, "'");
}

bool is_deterministic(const std::string& recommender) { return recommender == "svd"; }

bool learns_from_dislikes(const std::string& recommender) { return recommender == "neumf"; }

}  // namespace tapestry::recsys
