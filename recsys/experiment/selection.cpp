#include "recsys/experiment/selection.h"

#include <algorithm>
#include <iterator>

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

std::vector<std::string> generators_beyond_all() { return unprinted_generator_names(); }

std::vector<std::string> known_settings() { return {"augment", "replace"}; }

std::vector<std::string> select_names(const std::string& what, std::span<const std::string> asked,
                                      std::span<const std::string> known, std::span<const std::string> beyond) {
  const std::string list = joined(known) + (beyond.empty() ? "" : ", and by name alone " + joined(beyond));
  const auto has = [](std::span<const std::string> names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& name : asked) {
    if (name != "all" && !has(known, name) && !has(beyond, name)) {
      fail(ErrorKind::kUsage, "no ", what, " is called '", name, "', there are: ", list);
    }
  }
  const bool all = has(asked, "all");
  std::vector<std::string> selected;
  std::copy_if(known.begin(), known.end(), std::back_inserter(selected),
               [&](const std::string& name) { return all || has(asked, name); });
  std::copy_if(beyond.begin(), beyond.end(), std::back_inserter(selected),
               [&](const std::string& name) { return has(asked, name); });
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
