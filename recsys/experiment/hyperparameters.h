#pragma once

#include <map>
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
  /// Where NeuMF keeps another epoch than neumf->selection, by "<setting>/<generator>".
  std::map<std::string, NeuMfSelection> neumf_exceptions = {};
};

/// The best hyperparameters of the paper's search for a data set and recommender by their command-line names (12 rows:
/// the four data sets with svd, mlp and neumf). Those of `simulated` are ours, small enough for a job of a minute. `variant` goes
/// into the score model's. Throws Error(kUsage) for a pair that has none.
Hyperparameters hyperparameters(const std::string& dataset, const std::string& recommender,
                                sdrm::Variant variant = sdrm::Variant::kPublished);

/// Sets the rules by which NeuMF's epoch is chosen unless another one is asked for, in `values` that have a NeuMF. published:
/// MultiVAE++ and SDRM as the published search does it, whose logs hold their printed figures; the others by the rule that lands
/// on most of the data set's printed columns, and as exceptions those that another one lands on, so that the printed figures
/// themselves decided it (docs/reproduction.md has the figures). strict: the best Recall@10 on the selection users, everywhere.
void set_default_neumf_rules(const std::string& dataset, bool strict, Hyperparameters& values);

/// `values` as they hold for the recommender that learns from a generator's users in a setting: with the exceptions that apply.
Hyperparameters for_unit(Hyperparameters values, const std::string& setting, const std::string& generator);

/// A smoke test of the same pipeline: at most 5 epochs of MultiVAE and SDRM, 2 of MLP, in batches of at least 256, and
/// of NeuMF, of at least 1024. Its figures mean nothing.
Hyperparameters quick(Hyperparameters full);

/// "first-epoch; best-recall for replace/f-sdrm, replace/m-sdrm": which epoch NeuMF keeps. Empty without a NeuMF.
std::string neumf_rules(const Hyperparameters& values);

/// All values that decide a result as one line of JSON, keys in a fixed order.
std::string to_json(const Hyperparameters& values);

/// "published" or "paper". parse_variant throws Error(kUsage) for any other text, listing the two.
sdrm::Variant parse_variant(const std::string& text);
const char* to_string(sdrm::Variant variant);

/// "first-epoch", "best-loss", "best-recall", "best-recall-no-dislikes", in the order of the enum. parse_neumf_selection throws
/// Error(kUsage) for any other text, listing them.
std::vector<std::string> neumf_selections();
NeuMfSelection parse_neumf_selection(const std::string& text);
const char* to_string(NeuMfSelection selection);

}  // namespace tapestry::recsys
