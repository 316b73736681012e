#pragma once

#include <string>

#include "sdrm/config.h"

namespace tapestry::recsys {

/// What MultiVAE++ and SDRM are trained with on one data set for one recommender.
struct Hyperparameters {
  sdrm::VaeConfig vae;
  sdrm::ScoreConfig score;
};

/// The best hyperparameters of the paper's search for a data set and recommender by their command-line names (12 rows:
/// the four data sets with svd, mlp and neumf). Those of `simulated` are ours, small enough for a job of a minute. `variant` goes
/// into the score model's. Throws Error(kUsage) for a pair that has none.
Hyperparameters hyperparameters(const std::string& dataset, const std::string& recommender,
                                sdrm::Variant variant = sdrm::Variant::kPublished);

/// A smoke test of the same pipeline: at most 5 epochs of MultiVAE and 5 of SDRM. Its figures mean nothing.
Hyperparameters quick(Hyperparameters full);

/// All values that decide a result as one line of JSON, keys in a fixed order.
std::string to_json(const Hyperparameters& values);

/// "published" or "paper". parse_variant throws Error(kUsage) for any other text, listing the two.
sdrm::Variant parse_variant(const std::string& text);
const char* to_string(sdrm::Variant variant);

}  // namespace tapestry::recsys
