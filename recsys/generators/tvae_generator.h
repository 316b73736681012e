#pragma once

#include <memory>
#include <string>
#include <vector>

#include "recsys/generators/table_family.h"
#include "recsys/generators/tvae.h"

namespace tapestry::recsys {

/// The generators that draw from one TVAE:
///   tvae            the likeliest category of every column, as the package does
///   tvae-tanh       the same with the package's ties (TvaeDraw::kTanh)
///   tvae-sample     every column drawn from its softmax: not in the paper
///   tvae-threshold  the likeliest likes of all, at the density that is asked for: not in the paper
/// All but the last decide how many likes there are by themselves. Dislikes, where asked for, are cells of value -1, which a
/// binary table has none of; tvae-threshold gives the unlikeliest likes.
std::vector<std::string> tvae_names();

/// The model that they draw from, kept in "<stem>-tvae.safetensors"; make_table_generator makes a generator of it.
std::shared_ptr<TableFamily> make_tvae_family(TableSettings settings, const TvaeConfig& config = {});

}  // namespace tapestry::recsys
