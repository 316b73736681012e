#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "recsys/report/shape.h"
#include "recsys/report/verdict.h"

namespace tapestry::recsys {

/// Table 5 of the SDRM paper: how many pairs of a synthetic and a real user have a Jaccard similarity in
/// [bin / 10, (bin + 1) / 10), for M-SDRM and MultiVAE++ on amazon-digital-music, 9558 x 9558 pairs; it does not say with which
/// recommender's hyperparameters. Names of the command line or of the paper; nothing where nothing was printed.
std::optional<std::int64_t> published_pairs(std::string_view dataset, std::string_view generator, int bin);

/// What ours say about it. Nothing where nothing was printed or ours have no interval.
std::optional<Verdict> pairs_verdict(const SyntheticFigures& ours, int bin);

}  // namespace tapestry::recsys
