#pragma once

#include <functional>

#include "recsys/generators/generator.h"
#include "sdrm/binarize.h"

namespace tapestry::recsys {

/// Synthetic users from scores: the share `request.density` of all entries with the largest scores are likes (SDRM Eq. 11: one
/// quantile over the whole matrix) and, where asked for, the share with the smallest are dislikes. The matrix of scores is read
/// in tiles and never held whole. `progress` is told the fraction that is done. Throws Error(kFit) when a score is NaN or
/// infinite.
Interactions cut_at_density(const sdrm::LogitMatrix& scores, const SampleRequest& request,
                            const std::function<void(double fraction)>& progress = {});

}  // namespace tapestry::recsys
