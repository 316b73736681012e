#pragma once

#include <string>

#include "recsys/generators/codigem_generator.h"
#include "recsys/generators/ctgan_generator.h"
#include "recsys/generators/diffrec_generator.h"
#include "recsys/generators/multivae_generator.h"
#include "recsys/generators/tvae_generator.h"

namespace tapestry::recsys {

/// What the generators that the paper compares with are trained with.
struct BaselineSettings {
  MultiVaeConfig multivae;
  CodigemConfig codigem;
  DiffRecConfig diffrec;
  CtganConfig ctgan;
  TvaeConfig tvae;
};

/// The settings for a data set by its command-line name: the same for all but DiffRec's, which its paper gives for data like
/// Amazon's and for MovieLens ("ml-...": layers {200, 600} and a learning rate of 1e-3).
BaselineSettings baseline_settings(const std::string& dataset);

/// A smoke test of the same pipeline: at most 5 epochs of each, 2 of CTGAN. Its figures mean nothing.
BaselineSettings quick(BaselineSettings full);

/// All values that decide a result as one line of JSON, keys in a fixed order.
std::string to_json(const BaselineSettings& settings);

}  // namespace tapestry::recsys
