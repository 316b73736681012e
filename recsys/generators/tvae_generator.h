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
/// All but the last decide how many likes there are by themselves. Their dislikes, where asked for, are cells of value -1; a
/// binary table (`strict`) has none, and as many as likes are drawn from what a user does not like (draw_dislikes).
/// tvae-threshold's dislikes are the unlikeliest likes. Where the table leaves no choice, entries tie, and a cut takes all that
/// are equal: where the items that nobody likes are more than the density's share, all of them are everybody's dislikes, and
/// likewise the likes where everybody likes so many. The density is the protocol's, under `published` that of stored entries with
/// dislikes counted.
std::vector<std::string> tvae_names();

/// The model that they draw from, kept in "<stem>-tvae.safetensors"; make_table_generator makes a generator of it.
std::shared_ptr<TableFamily> make_tvae_family(TableSettings settings, const TvaeConfig& config = {});

}  // namespace tapestry::recsys
