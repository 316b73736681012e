#pragma once

#include <string>

#include "recsys/data/protocol.h"
#include "recsys/recommenders/recommender.h"

namespace tapestry::recsys {

/// What a recommender learns from under a protocol: real users, evaluation users' inputs and a generator's users, in the order
/// that decides MLP's validation rows. Names as in selection.h; `synthetic` is not looked at for kOriginal.
///
///   svd                  original, augment [D; evaluation; synthetic]         replace [synthetic; evaluation]
///   mlp, published       original, augment [D; evaluation; synthetic] after SDRM and MultiVAE++, else [D; synthetic; evaluation]
///                        replace [synthetic] after SDRM and MultiVAE++, else [synthetic; evaluation]
///   mlp, strict          as svd; stopped on the selection users, who are not in the fit
///   neumf                as svd, users by their likes and dislikes; where choices are made on users of their own (strict): with
///                        the known part of these behind. published, after ctgan and tvae: their users' dislikes misplaced
FitData make_fit_data(const ProtocolData& protocol, const std::string& recommender, const std::string& generator,
                      const std::string& setting, const Interactions& synthetic);

/// The users that a recommender is measured on: what it has to find.
const CsrMatrix& heldout_for(const ProtocolData& protocol, const std::string& recommender);

}  // namespace tapestry::recsys
