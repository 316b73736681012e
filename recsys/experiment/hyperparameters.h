#pragma once

#include <optional>
#include <string>
#include <vector>

#include "recsys/recommenders/mlp_model.h"
#include "recsys/recommenders/neumf_config.h"
#include "sdrm/config.h"

namespace tapestry::recsys {

/// What MultiVAE++ and SDRM are trained with on one data set for one recommender, and the recommender itself.
struct Hyperparameters {
  sdrm::VaeConfig vae;
  sdrm::ScoreConfig score;
  std::optional<MlpConfig> mlp;      ///< with recommender "mlp"
  std::optional<NeuMfConfig> neumf;  ///< with recommender "neumf"
};

/// The best hyperparameters of the paper's search for a data set and recommender by their command-line names (12 rows:
/// the four data sets with svd, mlp and neumf). Those of `simulated` are ours, small enough for a job of a minute. `variant` goes
/// into the score model's. Throws Error(kUsage) for a pair that has none.
Hyperparameters hyperparameters(const std::string& dataset, const std::string& recommender,
                                sdrm::Variant variant = sdrm::Variant::kPublished);

/// The rule by which NeuMF's epoch is chosen, unless another one is asked for. published: the one that lands on the printed
/// figures of the data set (docs/reproduction.md). strict: the best Recall@10 on the selection users.
NeuMfSelection default_neumf_selection(const std::string& dataset, bool strict);

/// A smoke test of the same pipeline: at most 5 epochs of MultiVAE and SDRM, 2 of MLP, in batches of at least 256, and
/// of NeuMF, of at least 1024. Its figures mean nothing.
Hyperparameters quick(Hyperparameters full);

/// All values that decide a result as one line of JSON, keys in a fixed order.
std::string to_json(const Hyperparameters& values);

/// "published" or "paper". parse_variant throws Error(kUsage) for any other text, listing the two.
sdrm::Variant parse_variant(const std::string& text);
const char* to_string(sdrm::Variant variant);

/// "first-epoch", "best-loss", "best-recall", in the order of the enum. parse_neumf_selection throws Error(kUsage) for any other
/// text, listing them.
std::vector<std::string> neumf_selections();
NeuMfSelection parse_neumf_selection(const std::string& text);
const char* to_string(NeuMfSelection selection);

}  // namespace tapestry::recsys
